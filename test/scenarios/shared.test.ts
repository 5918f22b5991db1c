import { existsSync, readdirSync, readlinkSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { beforeAll, describe, expect, test } from 'vitest';
import { FakeUpstream } from '../support/fake-upstream.ts';
import { Load } from '../support/load.ts';
import { pluginBytes } from '../support/plugin.ts';
import { freePort } from '../support/ports.ts';
import { Weir } from '../support/process.ts';
import { exchange, getRequest } from '../support/raw-client.ts';
import { metricOf, policies, until } from '../support/scenario.ts';

let upstream: FakeUpstream;
beforeAll(async () => {
  upstream = await FakeUpstream.start({ discard: true });
});

/** A module with the VM id `receiver` that takes items, and one that sends them and counts. */
function files(port: number, instances = '{}', label = 'one'): Record<string, string | Uint8Array> {
  const yaml = `${policies({ port, upstreamPort: upstream.port, module: null, policy: label })}---
apiVersion: policy.weir/v1alpha1
kind: Module
metadata: {name: receiver, namespace: shop}
spec:
  source: {file: shared.wasm}
  vm: {id: receiver}
---
apiVersion: policy.weir/v1alpha1
kind: Module
metadata: {name: sender, namespace: shop}
spec:
  source: {file: shared.wasm}
  vm: {id: receiver}
  instances: ${instances}
---
apiVersion: policy.weir/v1alpha1
kind: FilterChain
metadata: {name: chain, namespace: shop}
spec:
  targetRefs: [{kind: Gateway, name: edge}]
  filters:
  - {name: sender, use: module/sender, config: sender}
  - {name: receiver, use: module/receiver, config: receiver}
`;
  return { 'edge.yaml': yaml, 'shared.wasm': pluginBytes('shared') };
}

async function start(workers: number, instances?: string): Promise<{ weir: Weir; port: number }> {
  const port = await freePort();
  return { weir: await Weir.start({ files: files(port, instances), workers }), port };
}

async function get(port: number, path: string): Promise<string> {
  return (await exchange({ port }, getRequest(path, 'example.test', 'Connection: close'))).text;
}

/** Requests over many connections, so that every worker gets some. */
async function flood(port: number, requests: number, path: (n: number) => string): Promise<void> {
  const load = new Load({
    port,
    connections: 24,
    requests,
    request: (n) => getRequest(path(n), 'example.test'),
    check: ({ status }) => (status === 200 ? null : String(status)),
  });
  const { failures } = await load.done;
  expect([...failures]).toEqual([]);
}

/** Waits until each of the first `count` items has been taken as often as `times` says. */
async function taken(port: number, count: number, times: string): Promise<void> {
  for (let n = 0; n < count; n++)
    await expect.poll(() => get(port, `/job/${n}`), { timeout: 10_000, interval: 20 }).toBe(times);
}

describe('shared data over three workers', () => {
  test('loses no increment, over restarts of workers and new configurations', async () => {
    const { weir, port } = await start(3);
    await flood(port, 1500, () => '/count');
    expect(await get(port, '/count')).toBe('1501');
    expect(await metricOf(weir, 'weir_shared_writes_total')).toBeGreaterThan(1501);

    // A worker that comes later knows what the others do.
    const { workers } = await until(weir, 'serving', ({ workers }) => workers.every((each) => each.serving));
    process.kill(workers[0]!.pid!, 'SIGKILL');
    await until(weir, 'restarted', ({ workers }) => workers[0]!.restarts === 1 && workers[0]!.serving);
    await flood(port, 300, () => '/count');
    expect(await get(port, '/count')).toBe('1802');

    await weir.write('edge.yaml', files(port, '{recycleAfter: 50}', 'two')['edge.yaml']!);
    await until(weir, 'applied', ({ configuration }) => configuration.applied === 2);
    await flood(port, 300, () => '/count');
    expect(await get(port, '/count')).toBe('2103');
    expect(await metricOf(weir, 'weir_shared_failures_total')).toBe(0);
    await weir.stop();
  });

  test('is the same with one worker, and with an instance for each request', async () => {
    const { weir, port } = await start(1, '{isolation: Stream}');
    await flood(port, 300, () => '/count');
    expect(await get(port, '/count')).toBe('301');
    await weir.stop();
  });
});

describe('a shared queue over three workers', () => {
  test('gives each item to one consumer, whichever worker it was sent from', async () => {
    const { weir, port } = await start(3);
    await flood(port, 300, (n) => `/send/${n}`);
    await taken(port, 300, '1');
    await weir.stop();
  });

  test('goes on when the worker that takes them dies', async () => {
    const { weir, port } = await start(3);
    await flood(port, 20, (n) => `/send/${n}`);
    await taken(port, 20, '1');
    const { workers } = await until(weir, 'serving', ({ workers }) => workers.every((each) => each.serving));
    // Whichever it was: one is left, and then those that took the place of the two.
    for (const { pid } of workers.slice(0, 2)) process.kill(pid!, 'SIGKILL');
    await sleep(50);
    await until(weir, 'restarted', ({ workers }) => workers.every((each) => each.serving));
    await flood(port, 20, (n) => `/send/${n + 100}`);
    for (let n = 100; n < 120; n++)
      await expect.poll(() => get(port, `/job/${n}`), { timeout: 10_000, interval: 20 }).toBe('1');
    await weir.stop();
  });
});

describe('the folder of what workers share', () => {
  /** Of a worker's open files. */
  function folderOf(pid: number): string {
    const files = readdirSync(`/proc/${pid}/fd`).map((fd) => {
      try {
        return readlinkSync(`/proc/${pid}/fd/${fd}`);
      } catch {
        return '';
      }
    });
    return (
      /^.*\/weir-\w+(?=\/log\.\d+$)/.exec(files.find((file) => /\/log\.\d+$/.test(file)) ?? '')?.[0] ?? ''
    );
  }

  test.each(['SIGTERM', 'SIGKILL'] as const)('is gone when the supervisor ended by %s', async (signal) => {
    const { weir } = await start(2);
    const { workers } = await until(weir, 'serving', ({ workers }) => workers.every((each) => each.serving));
    const folder = folderOf(workers[0]!.pid!);
    expect(existsSync(folder)).toBe(true);
    expect(folderOf(workers[1]!.pid!)).toBe(folder);
    process.kill(weir.pid, signal);
    await weir.exited;
    await expect.poll(() => existsSync(folder), { timeout: 10_000, interval: 20 }).toBe(false);
  });
});
