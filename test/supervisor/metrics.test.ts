import { describe, expect, test } from 'vitest';
import type { MetricFamily } from '../../src/runtime/metrics.ts';
import { exposition, MetricsBoard } from '../../src/supervisor/metrics.ts';
import { family } from '../../src/worker/metric-family.ts';
import type { WorkerDump } from '../../src/worker/protocol.ts';

const requests = (value: number): MetricFamily =>
  family('counter', 'weir_requests_total', 'Requests.', [[{ route: 'shop/a' }, value]]);
const streams = (value: number): MetricFamily => family('gauge', 'weir_streams', 'Streams.', [[{}, value]]);

function dump(...families: MetricFamily[]): WorkerDump {
  return {
    families,
    status: { version: 'v', streams: 0, connections: 0, snapshots: 1, plugins: [], clusters: [] },
    process: { cpuSeconds: 1, residentBytes: 2, heapBytes: 3 },
  };
}

describe('exposition', () => {
  test('writes counters, gauges and histograms as Prometheus reads them', async () => {
    const text = await exposition([
      requests(3),
      {
        name: 'weir_latency_seconds',
        help: 'Latency.',
        type: 'histogram',
        bounds: [0.1, 1],
        series: [{ labels: { route: 'shop/a' }, values: [2, 1, 1, 4.5] }],
      },
    ]);
    expect(text.trim().split('\n')).toEqual([
      '# HELP weir_requests_total Requests.',
      '# TYPE weir_requests_total counter',
      'weir_requests_total{route="shop/a"} 3',
      '',
      '# HELP weir_latency_seconds Latency.',
      '# TYPE weir_latency_seconds histogram',
      'weir_latency_seconds_bucket{route="shop/a",le="0.1"} 2',
      'weir_latency_seconds_bucket{route="shop/a",le="1"} 3',
      'weir_latency_seconds_bucket{route="shop/a",le="+Inf"} 4',
      'weir_latency_seconds_sum{route="shop/a"} 4.5',
      'weir_latency_seconds_count{route="shop/a"} 4',
    ]);
  });

  test('escapes what a label may hold', async () => {
    const text = await exposition([family('gauge', 'g', 'G.', [[{ path: 'a"b\\c\nd' }, 1]])]);
    expect(text).toContain('g{path="a\\"b\\\\c\\nd"} 1');
  });
});

describe('MetricsBoard', () => {
  test('sums the workers', async () => {
    const board = new MetricsBoard();
    const text = await board.text(
      [
        { slot: 1, dump: dump(requests(3), streams(2)) },
        { slot: 2, dump: dump(requests(4), streams(5)) },
      ],
      [family('gauge', 'weir_workers', 'Workers.', [[{}, 2]])],
    );
    expect(text).toContain('weir_requests_total{route="shop/a"} 7\n');
    expect(text).toContain('weir_streams 7\n');
    expect(text).toContain('weir_workers 2\n');
    expect(text).toContain('weir_worker_cpu_seconds{worker="2"} 1\n');
  });

  test('counters of a worker that exited stay, gauges go', async () => {
    const board = new MetricsBoard();
    board.retire(dump(requests(10), streams(9)));
    const text = await board.text([{ slot: 1, dump: dump(requests(1), streams(1)) }], []);
    expect(text).toContain('weir_requests_total{route="shop/a"} 11\n');
    expect(text).toContain('weir_streams 1\n');
  });
});
