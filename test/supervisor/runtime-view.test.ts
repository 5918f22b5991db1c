import { describe, expect, test } from 'vitest';
import type { RuntimeStatus } from '../../src/runtime/runtime.ts';
import type { ClusterSpec, Snapshot } from '../../src/runtime/snapshot.ts';
import { clustersText, mergePlugins, moduleStates } from '../../src/supervisor/runtime-view.ts';

function status(health: 'healthy' | 'tripped', active: number): RuntimeStatus {
  return {
    version: 'v',
    streams: 0,
    connections: 0,
    snapshots: 1,
    plugins: [
      {
        name: 'shop/chain#risk',
        module: 'shop/risk',
        digest: 'd',
        instances: 1,
        heapBytes: 100,
        traps: active,
        health,
        usage: { fuel: 10, cpuSeconds: 0.5, callouts: 1, hostCalls: { log: 1, [health]: 2 } },
      },
    ],
    clusters: [{ name: 'shop/a', requests: active, endpoints: [{ address: '127.0.0.1:9001', active }] }],
  };
}

const cluster: ClusterSpec = {
  name: 'shop/a',
  metadata: [],
  source: 'a.yaml:1:1',
  balance: 'round-robin',
  endpoints: [
    { address: '127.0.0.1', port: 9001, weight: 3 },
    { address: '::1', port: 9002, weight: 1 },
  ],
  dns: null,
  tls: null,
  connectTimeoutMs: 1,
  firstByteTimeoutMs: 1,
  idleTimeoutMs: 1,
  maxConnections: 10,
  maxRequests: 20,
  maxPending: 30,
};

test('a plugin is summed over the workers, and as healthy as where it is worst', () => {
  expect(mergePlugins([status('healthy', 2), status('tripped', 3)])).toEqual([
    {
      name: 'shop/chain#risk',
      module: 'shop/risk',
      digest: 'd',
      instances: 2,
      heapBytes: 200,
      traps: 5,
      health: 'tripped',
      usage: { fuel: 20, cpuSeconds: 1, callouts: 2, hostCalls: { log: 2, healthy: 2, tripped: 2 } },
    },
  ]);
});

test('clusters are told as Envoy tells them', () => {
  const snapshot = { clusters: [cluster] } as unknown as Snapshot;
  expect(clustersText(snapshot, [status('healthy', 2), status('healthy', 3)]).split('\n')).toEqual([
    'shop/a::lb_policy::round-robin',
    'shop/a::source::a.yaml:1:1',
    'shop/a::default_priority::max_connections::10',
    'shop/a::default_priority::max_pending_requests::30',
    'shop/a::default_priority::max_requests::20',
    'shop/a::rq_active::5',
    'shop/a::127.0.0.1:9001::rq_active::5',
    'shop/a::127.0.0.1:9001::weight::3',
    'shop/a::[::1]:9002::weight::1',
    '',
  ]);
  expect(clustersText(null, [])).toBe('');
});

describe('the state of a Module', () => {
  const snapshot = { modules: [{ name: 'shop/risk', digest: 'd1' }] } as unknown as Snapshot;
  const failure = { module: 'shop/risk', digest: 'd2', plugin: 'p', reason: 'r', at: 1_000_000 };

  test.each([
    ['serving, where nothing failed', [], 0, 'serving', false],
    ['rolled back, however long ago', [{ ...failure, servedBy: 'd1' }], 10_000_000, 'rolled-back', true],
    [
      'tripped, while the digest before is on its way',
      [{ ...failure, servedBy: 'd0' }],
      1_000_001,
      'tripped',
      true,
    ],
    ['tripped, while the breaker pauses it', [{ ...failure, servedBy: null }], 1_059_999, 'tripped', true],
    [
      'serving again after that, with what failed',
      [{ ...failure, servedBy: null }],
      1_060_000,
      'serving',
      true,
    ],
  ])('is %s', (_, failures, now, state, tellsFailure) => {
    const [module] = moduleStates(snapshot, failures, now);
    expect(module).toMatchObject({ name: 'shop/risk', digest: 'd1', state });
    expect(module!.failed !== null).toBe(tellsFailure);
  });
});
