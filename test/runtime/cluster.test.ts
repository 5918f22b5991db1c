import { describe, expect, test } from 'vitest';
import { Random } from '../../src/runtime/balance.ts';
import { Cluster, type ClusterDeps, ClusterSet, type Endpoint } from '../../src/runtime/cluster.ts';
import type { Resolution, Resolver } from '../../src/runtime/resolver.ts';
import type { ClusterSpec } from '../../src/runtime/snapshot.ts';

const SPEC: ClusterSpec = {
  name: 'shop/checkout',
  metadata: [],
  source: 'upstream.yaml:1:1',
  balance: 'round-robin',
  endpoints: [
    { address: '127.0.0.1', port: 9001, weight: 1 },
    { address: '::1', port: 9002, weight: 1 },
  ],
  dns: null,
  tls: null,
  connectTimeoutMs: 2000,
  firstByteTimeoutMs: 60_000,
  idleTimeoutMs: 30_000,
  maxConnections: 100,
  maxRequests: 2,
  maxPending: 1,
};

/** A name server with one table, and a clock that only `pass` moves. */
class World implements Resolver {
  readonly names = new Map<string, Resolution | Error>();
  readonly gone: string[] = [];
  readonly #waiting: { at: number; callback: () => void }[] = [];
  #now = 0;

  readonly deps: ClusterDeps = {
    resolver: this,
    onEndpointGone: (endpoint: Endpoint) => this.gone.push(endpoint.text),
    scheduler: {
      after: (delayMs, callback) => {
        const entry = { at: this.#now + delayMs, callback };
        this.#waiting.push(entry);
        return () => void this.#waiting.splice(this.#waiting.indexOf(entry), 1);
      },
    },
    random: new Random(1),
  };

  resolve(name: string): Promise<Resolution> {
    const known = this.names.get(name) ?? new Error(`ENOTFOUND ${name}`);
    return known instanceof Error ? Promise.reject(known) : Promise.resolve(known);
  }

  get timers(): number {
    return this.#waiting.length;
  }

  async pass(ms: number): Promise<void> {
    this.#now += ms;
    const due = this.#waiting.filter(({ at }) => at <= this.#now);
    for (const entry of due) {
      this.#waiting.splice(this.#waiting.indexOf(entry), 1);
      entry.callback();
    }
    await settled();
  }
}

/** Lets promises that are already decided run their course. */
async function settled(): Promise<void> {
  for (let i = 0; i < 10; i++) await Promise.resolve();
}

const texts = (cluster: Cluster): string[] => cluster.endpoints.map((endpoint) => endpoint.text).sort();

describe('Cluster', () => {
  test('literal addresses are endpoints at once', () => {
    const cluster = new Cluster(SPEC, new World().deps);
    expect(texts(cluster)).toEqual(['127.0.0.1:9001', '[::1]:9002']);
    const picks = Array.from({ length: 4 }, () => cluster.pick(null)!.text);
    expect(new Set(picks)).toEqual(new Set(['127.0.0.1:9001', '[::1]:9002']));
    expect(picks.slice(0, 2)).toEqual(picks.slice(2));
  });

  test('a retry goes to another endpoint', () => {
    for (const balance of ['round-robin', 'least-request'] as const) {
      const cluster = new Cluster({ ...SPEC, balance }, new World().deps);
      for (let i = 0; i < 10; i++) {
        const first = cluster.pick(null)!;
        expect(cluster.pick(first)).not.toBe(first);
      }
    }
  });

  test('names resolve, are asked for again when their time is over, and keep endpoints that stay', async () => {
    const world = new World();
    world.names.set('a.test', { addresses: ['10.0.0.1', '10.0.0.2'], ttlMs: 5000 });
    const cluster = new Cluster(
      { ...SPEC, endpoints: [], dns: { name: 'a.test', port: 80, refreshMs: 30_000 } },
      world.deps,
    );
    expect(cluster.pick(null)).toBe(null);
    await cluster.ready;
    expect(texts(cluster)).toEqual(['10.0.0.1:80', '10.0.0.2:80']);
    const kept = cluster.endpoints.find((endpoint) => endpoint.address === '10.0.0.2')!;
    kept.active = 3;

    world.names.set('a.test', { addresses: ['10.0.0.2', '10.0.0.3'], ttlMs: 5000 });
    await world.pass(4999);
    expect(texts(cluster)).toEqual(['10.0.0.1:80', '10.0.0.2:80']);
    await world.pass(1);
    expect(texts(cluster)).toEqual(['10.0.0.2:80', '10.0.0.3:80']);
    expect(cluster.endpoints).toContain(kept);
    expect(world.gone).toEqual(['10.0.0.1:80']);
  });

  test('after a failure the last addresses stay, and the name is asked for with a growing delay', async () => {
    const world = new World();
    world.names.set('a.test', { addresses: ['10.0.0.1'], ttlMs: Infinity });
    const cluster = new Cluster(
      { ...SPEC, endpoints: [{ address: 'a.test', port: 80, weight: 1 }] },
      world.deps,
    );
    await cluster.ready;
    world.names.set('a.test', new Error('SERVFAIL'));
    await world.pass(30_000);
    expect(cluster.failure).toBe('SERVFAIL');
    expect(texts(cluster)).toEqual(['10.0.0.1:80']);
    await world.pass(1000);
    world.names.set('a.test', { addresses: ['10.0.0.9'], ttlMs: Infinity });
    await world.pass(1999);
    expect(texts(cluster)).toEqual(['10.0.0.1:80']);
    await world.pass(1);
    expect(texts(cluster)).toEqual(['10.0.0.9:80']);
    expect(cluster.failure).toBe(null);
  });

  test('is ready even where a name does not resolve, and the others serve', async () => {
    const world = new World();
    const cluster = new Cluster(
      { ...SPEC, endpoints: [...SPEC.endpoints, { address: 'nobody.test', port: 1, weight: 1 }] },
      world.deps,
    );
    await cluster.ready;
    expect(cluster.failure).toContain('nobody.test');
    expect(cluster.endpoints).toHaveLength(2);
  });

  test('counts requests and waiters up to its limits', () => {
    const cluster = new Cluster(SPEC, new World().deps);
    expect([cluster.admit(), cluster.admit(), cluster.admit()]).toEqual([true, true, false]);
    cluster.finish();
    expect(cluster.admit()).toBe(true);
    expect([cluster.enqueue(), cluster.enqueue()]).toEqual([true, false]);
    cluster.dequeue();
    expect(cluster.enqueue()).toBe(true);
  });

  test('an address given twice is one endpoint', () => {
    const cluster = new Cluster(
      { ...SPEC, endpoints: [SPEC.endpoints[0]!, SPEC.endpoints[0]!] },
      new World().deps,
    );
    expect(texts(cluster)).toEqual(['127.0.0.1:9001']);
  });
});

describe('ClusterSet', () => {
  test('a cluster that did not change is the same object in the next snapshot', () => {
    const world = new World();
    const set = new ClusterSet(world.deps);
    const first = set.acquire([SPEC]);
    const second = set.acquire([
      { ...SPEC, source: 'moved.yaml:9:9' },
      { ...SPEC, name: 'shop/other' },
    ]);
    expect(second[0]).toBe(first[0]);
    set.release(first);
    expect(world.gone).toEqual([]);
    set.release(second);
    expect(world.gone).toHaveLength(4);
    expect(set.all).toEqual([]);
  });

  test('one that changed is a new object; the old one goes with its last snapshot', () => {
    const world = new World();
    const set = new ClusterSet(world.deps);
    const first = set.acquire([SPEC]);
    const second = set.acquire([{ ...SPEC, maxRequests: 3 }]);
    expect(second[0]).not.toBe(first[0]);
    const endpoint = first[0]!.endpoints[0]!;
    set.release(first);
    expect(endpoint.gone).toBe(true);
    expect(second[0]!.endpoints.every(({ gone }) => !gone)).toBe(true);
  });

  test('a disposed cluster asks for no name again', async () => {
    const world = new World();
    world.names.set('a.test', { addresses: ['10.0.0.1'], ttlMs: 1000 });
    const set = new ClusterSet(world.deps);
    const spec = { ...SPEC, dns: { name: 'a.test', port: 80, refreshMs: 30_000 } };
    const clusters = set.acquire([spec]);
    set.release(clusters);
    await settled();
    expect(world.timers).toBe(0);
    expect(clusters[0]!.endpoints).toEqual([]);
  });
});
