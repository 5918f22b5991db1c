/** Bytes that a worker allocates for each proxied request, with a ceiling. Exact: nothing is collected meanwhile. */
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { FakeUpstream, reply } from '../../test/support/fake-upstream.ts';
import { load } from '../../test/support/load.ts';
import { freePort } from '../../test/support/ports.ts';
import { ROOT } from '../../test/support/process.ts';
import { type PolicyName, policiesOn } from '../policies.ts';
import { spread } from '../stats.ts';
import type { Sample, Site } from './worker.ts';

export interface AllocResult {
  readonly name: string;
  readonly heapBytes: number;
  readonly externalBytes: number;
  /** Both. */
  readonly bytes: number;
  readonly ceiling: number;
  /** Bytes per request for each place that allocates, where a profile was asked for. By sampling, so about. */
  readonly sites: Site[];
}

/** More than its ceiling fails. */
const CASES: readonly { name: string; policies: PolicyName; ceiling: number }[] = [
  { name: 'GET 1 KiB, no filter', policies: 'plain', ceiling: 2048 },
  { name: 'GET 1 KiB, chain of 3', policies: 'chain-3', ceiling: 4096 },
];

const WARMUP = 30_000;
const BATCH = 5_000;
const BATCHES = 5;
const KEY = 'bench-key-0123456789abcdef';

export interface AllocOptions {
  /** The program to run the worker with. */
  readonly node: string;
  /** Also tell where memory is allocated. */
  readonly profile: boolean;
  /** Of `plain` and `chain-3`; empty: both. */
  readonly which: readonly string[];
}

export async function benchAlloc({ node, profile, which }: AllocOptions): Promise<AllocResult[]> {
  // A bundle as it is shipped: a loader that transforms on the fly adds allocations of its own.
  const script = join(ROOT, 'dist/bench/alloc-worker.js');
  await build({
    entryPoints: [fileURLToPath(new URL('worker.ts', import.meta.url))],
    outfile: script,
    bundle: true,
    packages: 'external',
    platform: 'node',
    format: 'esm',
    target: 'node20',
    logLevel: 'warning',
  });
  const upstream = await FakeUpstream.start({
    discard: true,
    behaviour: reply(200, [['Content-Type', 'text/plain']], Buffer.alloc(1024, 'x')),
  });
  const shared = { upstream: upstream.port, node, script, profile };
  const results: AllocResult[] = [];
  try {
    for (const { name, policies, ceiling } of CASES) {
      if (which.length === 0 || which.includes(policies))
        results.push(await measure({ name, policies, ceiling, ...shared }));
    }
    return results;
  } finally {
    await upstream.stop();
  }
}

interface Run {
  readonly name: string;
  readonly policies: PolicyName;
  readonly ceiling: number;
  readonly upstream: number;
  readonly node: string;
  readonly script: string;
  readonly profile: boolean;
}

async function measure(run: Run): Promise<AllocResult> {
  const { name, ceiling } = run;
  const port = await freePort();
  const file = await policiesOn(run.policies, port, run.upstream);
  const worker = new Worker(
    fork(run.script, [file], {
      execPath: run.node,
      execArgv: ['--expose-gc', '--min-semi-space-size=128', '--max-semi-space-size=128'],
    }),
  );
  try {
    await worker.answer();
    await serve(port, WARMUP);
    await worker.ask('collect');
    const heap: number[] = [];
    const external: number[] = [];
    for (let i = 0; i < BATCHES; i++) {
      const before = await worker.ask('sample');
      await serve(port, BATCH);
      const after = await worker.ask('sample');
      if (after.collections !== before.collections)
        throw new Error(`${name}: garbage was collected during the measurement`);
      heap.push((after.heapBytes - before.heapBytes) / BATCH);
      external.push((after.externalBytes - before.externalBytes) / BATCH);
    }
    const [heapBytes, externalBytes] = [spread(heap).median, spread(external).median];
    const sites = run.profile ? await worker.sites(() => serve(port, BATCH)) : [];
    return { name, heapBytes, externalBytes, bytes: heapBytes + externalBytes, ceiling, sites };
  } finally {
    await worker.end();
  }
}

async function serve(port: number, requests: number): Promise<void> {
  const request = `GET /1k HTTP/1.1\r\nHost: bench.test\r\nUser-Agent: bench\r\nAccept: */*\r\nX-Api-Key: ${KEY}\r\n\r\n`;
  const result = await load({
    port,
    connections: 8,
    requests,
    request: () => request,
    check: ({ status, body }) => (status === 200 && body.length === 1024 ? null : `status ${status}`),
  });
  if (result.failed > 0)
    throw new Error(`${result.failed} requests failed: ${[...result.failures.keys()].join(', ')}`);
}

/** The worker's answers to questions, or its end. */
class Worker {
  readonly #child: ChildProcess;
  readonly #ended: Promise<never>;

  constructor(child: ChildProcess) {
    this.#child = child;
    this.#ended = once(child, 'exit').then(([code]) => {
      throw new Error(`the worker ended (${String(code)})`);
    });
    this.#ended.catch(() => undefined);
  }

  async ask(question: 'collect' | 'sample'): Promise<Sample> {
    this.#child.send(question);
    return (await this.answer()) as Sample;
  }

  /** Where it allocates while `work` runs, in bytes per request. */
  async sites(work: () => Promise<void>): Promise<Site[]> {
    this.#child.send('profile');
    await this.answer();
    await work();
    this.#child.send('profile');
    const sites = (await this.answer()) as Site[];
    return sites.map(([place, bytes]) => [place, bytes / BATCH]);
  }

  async answer(): Promise<unknown> {
    const [message] = (await Promise.race([once(this.#child, 'message'), this.#ended])) as [unknown];
    return message;
  }

  async end(): Promise<void> {
    if (this.#child.connected) this.#child.disconnect();
    await this.#ended.catch(() => undefined);
  }
}
