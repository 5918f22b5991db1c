/** Swaps of modules and policies under load, and the judgement of every answer in between. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { FakeUpstream } from './fake-upstream.ts';
import { Load, type LoadResult } from './load.ts';
import { freePort } from './ports.ts';
import { Weir } from './process.ts';
import { getRequest } from './raw-client.ts';
import { detailOf, labelFilter, metricOf, policies, until } from './scenario.ts';

export interface SwapOptions {
  readonly upstream: FakeUpstream;
  readonly connections: number;
  /** Of each kind; they alternate. */
  readonly swaps: number;
  /** From one save to the next, at least. */
  readonly everyMs: number;
  readonly workers: number;
}

export interface SwapReport {
  readonly result: LoadResult;
  readonly tookMs: number;
  /** From the save until every worker serves it. */
  readonly liveMs: number[];
  readonly before: Usage;
  /** After half of the swaps. */
  readonly middle: Usage;
  readonly after: Usage;
  readonly rejected: number;
  readonly applied: number;
}

export interface Usage {
  readonly instances: number;
  readonly guestBytes: number;
  readonly residentBytes: number;
  readonly snapshots: number;
}

/** One configuration: when it was saved, and from when on all workers served it. */
interface Version {
  readonly label: string;
  savedAt: number;
  liveAt: number;
}

/**
 * Alternates a new module and a new policy under load. Each answer carries both in its fields, so it
 * tells which configuration served it; it must be one that could be in force while it was served.
 */
export async function swapUnderLoad(options: SwapOptions): Promise<SwapReport> {
  const { upstream, connections, swaps, everyMs, workers } = options;
  const port = await freePort();
  const yaml = (policy: number) => policies({ port, upstreamPort: upstream.port, policy: `p${policy}` });
  const files = { 'edge.yaml': yaml(0), 'filter.wasm': labelFilter('m0') };
  const weir = await Weir.start({ files, workers });

  const versions: Version[] = [{ label: 'p0 m0', savedAt: -Infinity, liveAt: -Infinity }];
  const indexOf = new Map([['p0 m0', 0]]);
  const pace = new Load({
    port,
    connections,
    request: () => getRequest('/'),
    check: ({ status, headers, sentAt, tookMs }) => {
      const label = `${headers.get('x-policy')} ${headers.get('x-module')}`;
      const index = indexOf.get(label);
      if (status !== 200) return `status ${status}`;
      if (index === undefined) return `a mixture: ${label}`;
      // Too early: it was not saved when the answer was complete. Too late: the next one was everywhere
      // before the request was sent.
      if (sentAt + tookMs < versions[index]!.savedAt) return `${label} before it was saved`;
      const next = versions[index + 1];
      if (next !== undefined && sentAt > next.liveAt) return `${label} after ${next.label} was live`;
      return null;
    },
  });
  await sleep(500);
  const before = await usageOf(weir);
  let middle = before;
  const startedAt = performance.now();
  const liveMs: number[] = [];
  for (let i = 1; i <= 2 * swaps; i++) {
    const [policy, module] = [Math.floor(i / 2), Math.ceil(i / 2)];
    const version: Version = { label: `p${policy} m${module}`, savedAt: performance.now(), liveAt: Infinity };
    versions.push(version);
    indexOf.set(version.label, i);
    if (i % 2 === 1) await weir.write('filter.wasm', labelFilter(`m${module}`));
    else await weir.write('edge.yaml', yaml(policy));
    await until(
      weir,
      `serves ${version.label}`,
      ({ state, snapshot }) => state === 'LIVE' && snapshot?.number === i + 1,
      15_000,
    );
    version.liveAt = performance.now();
    liveMs.push(version.liveAt - version.savedAt);
    if (i === swaps) middle = await usageOf(weir);
    await sleep(Math.max(0, version.savedAt + everyMs - version.liveAt));
  }
  const tookMs = performance.now() - startedAt;
  await sleep(500);
  pace.stop();
  const result = await pace.done;
  await until(weir, 'lets old snapshots go', (detail) =>
    detail.workers.every(({ snapshots }) => snapshots === 1),
  );
  const after = await usageOf(weir);
  const { configuration } = await detailOf(weir);
  await weir.stop();
  return {
    result,
    tookMs,
    liveMs,
    before,
    middle,
    after,
    rejected: configuration.rejected,
    applied: configuration.applied,
  };
}

async function usageOf(weir: Weir): Promise<Usage> {
  const { plugins, workers } = await detailOf(weir);
  const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);
  return {
    instances: sum(plugins.map(({ instances }) => instances)),
    guestBytes: sum(plugins.map(({ heapBytes }) => heapBytes)),
    residentBytes: await metricOf(weir, 'weir_worker_resident_memory_bytes'),
    snapshots: sum(workers.map(({ snapshots }) => snapshots ?? 0)),
  };
}

export function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)]!;
}
