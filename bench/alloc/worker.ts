/**
 * The runtime of one worker, without supervisor or admin, for `alloc.ts`: serves the configuration given and
 * tells on request how much of the heap is used. Started with a young generation so large that nothing is
 * collected while a batch of requests is served; what was allocated is then the difference.
 */
import { Session } from 'node:inspector/promises';
import { PerformanceObserver } from 'node:perf_hooks';
import { getHeapStatistics } from 'node:v8';
import { pino } from 'pino';
import { loadConfiguration } from '../../src/control/load.ts';
import { formatDiagnostics } from '../../src/control/diagnostic.ts';
import { LocalLedger } from '../../src/runtime/ledger.ts';
import { LocalQuotas } from '../../src/runtime/quota/local.ts';
import { LocalSharedState } from '../../src/runtime/wasm/shared.ts';
import { Runtime } from '../../src/runtime/runtime.ts';

/** What the worker answers to `sample`. */
export interface Sample {
  readonly heapBytes: number;
  /** Memory of array buffers, which is not on the heap. */
  readonly externalBytes: number;
  readonly collections: number;
}

/** What the worker answers to the second `profile`: where memory was allocated since the first, most first. */
export type Site = [place: string, bytes: number];

let collections = 0;
new PerformanceObserver((list) => {
  collections += list.getEntries().length;
}).observe({ entryTypes: ['gc'] });

const loaded = await loadConfiguration([process.argv[2]!], {});
if (loaded.snapshot === null) throw new Error(formatDiagnostics(loaded.diagnostics, { color: false }));
const runtime = new Runtime({
  workerId: 0,
  ledger: new LocalLedger(),
  quotas: new LocalQuotas(() => Date.now()),
  shared: new LocalSharedState(),
  log: pino({ level: 'silent' }),
});
runtime.swap(await runtime.stage(loaded.snapshot, loaded.code));

process.on('message', (question) => {
  if (question === 'profile') {
    void profile();
    return;
  }
  if (question === 'collect') (globalThis as { gc?: () => void }).gc?.();
  // The observer is told of collections a moment after them.
  setTimeout(() => {
    const { used_heap_size: heapBytes } = getHeapStatistics();
    const { arrayBuffers: externalBytes } = process.memoryUsage();
    process.send!({ heapBytes, externalBytes, collections } satisfies Sample);
  }, 50);
});
process.once('disconnect', () => process.exit(0));
process.send!('ready');

let session: Session | null = null;

/** Starts sampling allocations; the next time, ends it and tells. */
async function profile(): Promise<void> {
  if (session === null) {
    session = new Session();
    session.connect();
    await session.post('HeapProfiler.startSampling', {
      samplingInterval: 256,
      // Garbage is what is looked for.
      includeObjectsCollectedByMajorGC: true,
      includeObjectsCollectedByMinorGC: true,
    });
    process.send!('profiling');
    return;
  }
  const { profile: found } = await session.post('HeapProfiler.stopSampling');
  session.disconnect();
  session = null;
  const sites = new Map<string, number>();
  const visit = (node: typeof found.head, path: string): void => {
    const { functionName, url, lineNumber } = node.callFrame;
    const place = `${functionName || '(anonymous)'} ${url.slice(url.lastIndexOf('/') + 1)}:${lineNumber + 1}`;
    if (node.selfSize > 0)
      sites.set(`${place} < ${path}`, (sites.get(`${place} < ${path}`) ?? 0) + node.selfSize);
    for (const child of node.children) visit(child, place);
  };
  visit(found.head, '');
  process.send!([...sites].sort(([, a], [, b]) => b - a) satisfies Site[]);
}
