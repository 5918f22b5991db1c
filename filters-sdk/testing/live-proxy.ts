import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { ModuleBytes } from './module-file.ts';
import type { FilterOptions } from './testing.d.ts';

const READY_MS = 30_000;
const STOP_MS = 5000;

/** Test runners kill their processes without a word, so weir has one that stays until its input ends. */
const GUARD = `
const [, folder, command, ...args] = process.argv;
const weir = require('node:child_process').spawn(command, args, { stdio: ['ignore', 'ignore', 'inherit'] });
weir.once('error', ({ message }) => { console.error(message); process.exit(127); });
weir.once('exit', (code) => process.exit(code ?? 1));
process.on('exit', () => require('node:fs').rmSync(folder, { recursive: true, force: true }));
const end = () => { weir.kill('SIGTERM'); setTimeout(() => weir.kill('SIGKILL'), ${STOP_MS}).unref(); };
process.stdin.resume().once('end', end).once('error', end);
`;

/** A weir that runs one filter, between a port of its own and the test's servers. */
export class LiveProxy {
  readonly url: URL;
  readonly #child: ChildProcess;

  private constructor(url: URL, child: ChildProcess) {
    this.url = url;
    this.#child = child;
  }

  /**
   * @param upstreams by name, with their ports; `origin` is where requests go
   * @throws Error with what weir said, where it refuses the filter or its configuration
   */
  static async start(
    { bytes, sourceMap }: ModuleBytes,
    options: FilterOptions,
    upstreams: ReadonlyMap<string, number>,
  ): Promise<LiveProxy> {
    const folder = await mkdtemp(join(tmpdir(), 'weir-live-'));
    const [port, admin] = [await freePort(), await freePort()];
    await writeFile(join(folder, 'filter.wasm'), bytes);
    if (sourceMap !== null) await writeFile(join(folder, 'filter.wasm.map'), sourceMap);
    const documents = configurationOf(options, port, upstreams);
    await writeFile(join(folder, 'weir.yaml'), documents.map((each) => JSON.stringify(each)).join('\n---\n'));
    const args = ['run', '-f', join(folder, 'weir.yaml'), '--workers', '1', '--admin', `127.0.0.1:${admin}`];
    const child = spawn(process.execPath, ['-e', GUARD, folder, ...weirProgram(), ...args], {
      stdio: ['pipe', 'ignore', 'pipe'],
    });
    let said = '';
    child.stdin!.on('error', () => undefined);
    child.stderr!.setEncoding('utf8').on('data', (text: string) => (said = (said + text).slice(-100_000)));
    const ended = new Promise<string>((resolve) => {
      child.once('error', ({ message }) => resolve(message));
      child.once('close', () => resolve(said));
    });
    const proxy = new LiveProxy(new URL(`http://127.0.0.1:${port}`), child);
    const refusal = await Promise.race([ended, ready(admin)]);
    if (refusal === null) return proxy;
    await proxy.close();
    throw new Error(`the filter does not start: ${refusal || said}`);
  }

  async close(): Promise<void> {
    const child = this.#child;
    if (child.exitCode !== null || child.signalCode !== null) return;
    const gone = new Promise((resolve) => child.once('exit', resolve));
    child.stdin!.end();
    await gone;
  }
}

/** @returns null once it serves, or why not */
async function ready(admin: number): Promise<string | null> {
  for (const until = Date.now() + READY_MS; Date.now() < until;) {
    const status = await fetch(`http://127.0.0.1:${admin}/ready`).then(
      (answer) => answer.status,
      () => 0,
    );
    if (status === 200) return null;
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  return `weir was not ready within ${READY_MS} ms`;
}

/** `WEIR_BIN`, the one of the project, the one beside the SDK, the one on the path. */
function weirProgram(): string[] {
  const named = process.env['WEIR_BIN'];
  if (named !== undefined) return [process.execPath, named];
  const beside = fileURLToPath(new URL('../../bin/weir', import.meta.url));
  try {
    const manifest = createRequire(join(process.cwd(), 'test.js')).resolve('weir/package.json');
    return [process.execPath, join(manifest, '../bin/weir')];
  } catch {
    return existsSync(beside) ? [process.execPath, beside] : ['weir'];
  }
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => resolve(port));
    });
  });
}

const NAMESPACE = 'test';
const POLICY = 'policy.weir/v1alpha1';
const GATEWAY = 'gateway.networking.k8s.io/v1';

function configurationOf(
  options: FilterOptions,
  port: number,
  upstreams: ReadonlyMap<string, number>,
): object[] {
  const { name = 'filter', limits = {}, environment = {} } = options;
  const object = (apiVersion: string, kind: string, label: string, spec: object): object => ({
    apiVersion,
    kind,
    metadata: { name: label, namespace: NAMESPACE },
    spec,
  });
  // Names of calls may be anything, those of objects not.
  const names = [...upstreams.keys()];
  const label = (upstream: string): string =>
    upstream === ORIGIN ? ORIGIN : `call-${names.indexOf(upstream)}`;
  const ms = (value: number | undefined): string | undefined =>
    value === undefined ? undefined : `${value}ms`;
  return [
    object(GATEWAY, 'Gateway', 'edge', {
      gatewayClassName: 'weir',
      listeners: [{ name: 'http', port, protocol: 'HTTP' }],
    }),
    object(GATEWAY, 'HTTPRoute', 'all', {
      parentRefs: [{ name: 'edge' }],
      rules: [{ backendRefs: [{ group: 'policy.weir', kind: 'Upstream', name: ORIGIN }] }],
    }),
    ...[...upstreams].map(([upstream, at]) =>
      object(POLICY, 'Upstream', label(upstream), {
        endpoints: { static: [{ address: '127.0.0.1', port: at }] },
      }),
    ),
    object(POLICY, 'Module', 'filter', {
      source: { file: 'filter.wasm' },
      ...(options.capabilities === undefined ? {} : { capabilities: options.capabilities }),
      limits: {
        ...(limits.memoryBytes === undefined ? {} : { memory: limits.memoryBytes }),
        cpuPerCall: ms(limits.perCallMs),
        cpuPerRequest: ms(limits.perRequestMs),
        cpuPerStart: ms(limits.perStartMs),
        callDepth: limits.frames,
      },
      vm: {
        id: options.vmId ?? '',
        configuration: options.vmConfig,
        env: Object.entries(environment).map(([variable, value]) => ({ name: variable, value })),
      },
    }),
    object(POLICY, 'FilterChain', 'chain', {
      targetRefs: [{ kind: 'Gateway', name: 'edge' }],
      filters: [
        {
          name,
          use: 'module/filter',
          config: options.config,
          rootId: options.rootId,
          onError: options.onError === 'skip' ? 'Skip' : 'Deny',
          properties: options.properties === 'text' ? 'Text' : 'Envoy',
          callouts: names.filter((each) => each !== ORIGIN).map((as) => ({ as, name: label(as) })),
          body: {
            buffer: options.bodyBufferBytes,
            onOverflow: options.onBodyOverflow === 'stream' ? 'Stream' : 'Reject',
            whileHeadHeld: options.bodyWhileHeld === true ? 'Show' : 'Keep',
          },
        },
      ],
    }),
  ];
}

/** The upstream that requests go to. */
export const ORIGIN = 'origin';
