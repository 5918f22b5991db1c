/** A project on disk, and `weir dev` at work on it. */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { AddressInfo } from 'node:net';
import { atEnd } from './cleanup.ts';
import { freePort } from './ports.ts';
import { Program, ROOT, temporaryFolder } from './process.ts';
import { exchange, getRequest, type Answer } from './raw-client.ts';

/** Sets `x-word` of each answer; `text` is what an author would change. */
export function filterSource(word: string): string {
  return `export * from '@weir/filters-sdk/assembly/exports';
import { Action, RootContext, StreamContext, registerRoot, responseHeaders } from '@weir/filters-sdk/assembly';
import { word } from './word';

class Root extends RootContext {
  createStream(): StreamContext {
    return new Word();
  }
}

class Word extends StreamContext {
  onResponseHeaders(count: i32, _endOfStream: bool): Action {
    const seen = count;
    responseHeaders.set('x-word', word('${word}'));
    responseHeaders.set('x-seen', seen.toString());
    return Action.Continue;
  }
}

registerRoot(new Root());
`;
}

const WORD = `export function word(text: string): string {
  return text;
}
`;

/** An upstream that answers with a page at /page, else with text. */
async function upstream(): Promise<number> {
  const server = createServer((request, response) => {
    const isPage = request.url === '/page';
    response.setHeader('content-type', isPage ? 'text/html' : 'text/plain');
    response.end(isPage ? '<!doctype html><title>page</title>' : 'text');
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  atEnd(() => void server.close().closeAllConnections());
  return (server.address() as AddressInfo).port;
}

function policies(port: number, upstreamPort: number): string {
  return `apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: edge, namespace: dev}
spec:
  gatewayClassName: weir
  listeners:
  - {name: http, port: ${port}, protocol: HTTP}
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: all, namespace: dev}
spec:
  parentRefs: [{name: edge}]
  rules:
  - backendRefs: [{group: policy.weir, kind: Upstream, name: origin}]
---
apiVersion: policy.weir/v1alpha1
kind: Upstream
metadata: {name: origin, namespace: dev}
spec:
  endpoints: {static: [{address: 127.0.0.1, port: ${upstreamPort}}]}
---
apiVersion: policy.weir/v1alpha1
kind: Module
metadata: {name: word, namespace: dev}
spec:
  source: {file: ../build/word.wasm}
---
apiVersion: policy.weir/v1alpha1
kind: FilterChain
metadata: {name: chain, namespace: dev}
spec:
  targetRefs: [{kind: Gateway, name: edge}]
  filters:
  - {name: word, use: module/word}
`;
}

export class DevProject {
  readonly folder: string;
  readonly port: number;
  readonly adminPort: number;
  readonly program: Program;

  private constructor(folder: string, port: number, adminPort: number, args: readonly string[]) {
    this.folder = folder;
    this.port = port;
    this.adminPort = adminPort;
    this.program = new Program(process.execPath, [
      join(ROOT, 'bin/weir'),
      'dev',
      folder,
      ...['--admin', `127.0.0.1:${adminPort}`, '--port', '0'],
      ...args,
    ]);
  }

  /**
   * @param source of the filter
   * @param use how the policy names it
   */
  static async start(
    source = filterSource('one'),
    args: readonly string[] = [],
    use = 'use: module/word',
  ): Promise<DevProject> {
    const folder = await temporaryFolder();
    const [port, adminPort] = [await freePort(), await freePort()];
    const files = {
      'package.json': JSON.stringify({ name: 'word', scripts: { test: 'echo these are the tests' } }),
      'src/index.ts': source,
      'src/word.ts': WORD,
      'policies/all.yaml': policies(port, await upstream()).replace('use: module/word', use),
    };
    for (const [name, content] of Object.entries(files)) {
      await mkdir(dirname(join(folder, name)), { recursive: true });
      await writeFile(join(folder, name), content);
    }
    return new DevProject(folder, port, adminPort, args);
  }

  /** The page's address, once it has been told. */
  async page(): Promise<string> {
    await this.program.waitFor(/page +http:\/\/127\.0\.0\.1:\d+/, 60_000);
    return /page +(http:\/\/127\.0\.0\.1:\d+)/.exec(this.program.output)![1]!;
  }

  async edit(name: string, from: string, to: string): Promise<void> {
    const file = join(this.folder, name);
    const text = await readFile(file, 'utf8');
    if (!text.includes(from)) throw new Error(`${name} has no ${from}`);
    await writeFile(file, text.replace(from, to));
  }

  get(path: string, ...fields: string[]): Promise<Answer> {
    return exchange({ port: this.port }, getRequest(path, 'dev.test', 'Connection: close', ...fields));
  }

  /** Waits until something holds. */
  async until(what: string, holds: () => Promise<boolean>): Promise<void> {
    const end = Date.now() + 25_000;
    while (!(await holds().catch(() => false))) {
      if (Date.now() > end) throw this.program.fault(what);
      await sleep(25);
    }
  }
}
