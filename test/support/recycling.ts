/** A weir whose one filter gets another instance at least every 100 requests, and what that leaves behind. */
import { Load } from './load.ts';
import { freePort } from './ports.ts';
import { Weir } from './process.ts';
import { getRequest } from './raw-client.ts';
import { detailOf, metricOf, policies, until } from './scenario.ts';
import { guest } from './wasm-guest.ts';

/** An instance serves on until its successor is there: some 20 more, with 32 connections at once. */
const RECYCLE_AFTER = 80;

export interface Recycled {
  readonly failures: readonly (readonly [reason: string, count: number])[];
  readonly tookMs: number;
  /** After each tenth of the requests. */
  readonly residentBytes: readonly number[];
  readonly heapBytes: readonly number[];
  /** Instances that were made. */
  readonly starts: number;
  /** At the end, when nothing is under way. */
  readonly instances: number;
  readonly guestBytes: number;
}

/** Memory of an instance: what is lost with one that stays is seen. */
const PAGES = 16;
const replies = (): Uint8Array =>
  guest(
    {
      proxy_on_configure: (s) =>
        s
          .call('proxy_define_metric', 0, s.text('starts'), s.out(0))
          .call('proxy_increment_metric', 1, 1n)
          .return(1),
      proxy_on_request_headers: (s) =>
        s.call('proxy_send_local_response', 204, 0, 0, 0, 0, 0, 0, -1).return(1),
    },
    { pages: PAGES },
  );

export async function recycle(requests: number): Promise<Recycled> {
  const port = await freePort();
  const yaml = policies({ port, upstreamPort: 9 }).replace(
    'source: {file: filter.wasm}',
    `source: {file: filter.wasm}\n  instances: {recycleAfter: ${RECYCLE_AFTER}}`,
  );
  const files = { 'edge.yaml': `${yaml}${QUIET}`, 'filter.wasm': replies() };
  const weir = await Weir.start({ files, workers: 1 });
  const failures = new Map<string, number>();
  const [residentBytes, heapBytes]: [number[], number[]] = [[], []];
  const begun = performance.now();
  for (let tenth = 0; tenth < 10; tenth++) {
    const { failures: found } = await new Load({
      port,
      connections: 32,
      requests: requests / 10,
      request: () => getRequest('/', 'example.test'),
      check: ({ status }) => (status === 204 ? null : String(status)),
    }).done;
    for (const [reason, count] of found) failures.set(reason, (failures.get(reason) ?? 0) + count);
    residentBytes.push(await metricOf(weir, 'weir_worker_resident_memory_bytes'));
    heapBytes.push(await metricOf(weir, 'weir_worker_heap_bytes'));
  }
  const tookMs = performance.now() - begun;
  await until(weir, 'one instance', ({ plugins }) => plugins.every(({ instances }) => instances === 1));
  const { plugins } = await detailOf(weir);
  const starts = await metricOf(weir, 'wasmcustom_starts');
  await weir.stop();
  return {
    failures: [...failures],
    tookMs,
    residentBytes,
    heapBytes,
    starts,
    instances: plugins[0]!.instances,
    guestBytes: plugins[0]!.heapBytes,
  };
}

const QUIET = `---
apiVersion: policy.weir/v1alpha1
kind: Telemetry
metadata: {name: quiet, namespace: shop}
spec: {accessLog: {mode: "Off"}}
`;
