import { describe, expect, test } from 'vitest';
import { MetricType, Status } from '../../../src/runtime/wasm/abi.ts';
import { guest } from '../../support/wasm-guest.ts';
import { BareHost } from '../../support/bare-host.ts';
import { runScript } from '../../support/bare-run.ts';

const { Counter, Gauge, Histogram } = MetricType;

describe('metrics', () => {
  test('counters grow, gauges take a value, histograms observe', async () => {
    const run = await runScript((s) =>
      s
        .call('proxy_define_metric', Counter, s.text('requests'), s.out(0))
        .call('proxy_define_metric', Gauge, s.text('level'), s.out(1))
        .call('proxy_define_metric', Histogram, s.text('size'), s.out(2))
        .call('proxy_increment_metric', 1, 2n)
        .call('proxy_record_metric', 1, 3n)
        .call('proxy_record_metric', 2, 7n)
        .call('proxy_increment_metric', 2, -3n)
        .call('proxy_record_metric', 3, 100n)
        .call('proxy_get_metric', 1, s.out(4))
        .call('proxy_get_metric', 2, s.out(6)),
    );
    expect(run.results(10)).toEqual(Array<number>(10).fill(Status.Ok));
    expect([0, 1, 2].map((i) => run.word(i))).toEqual([1, 2, 3]);
    expect([run.word(4), run.word(6)]).toEqual([5, 4]);
    expect(run.host.metrics.observations[2]).toEqual([100]);
  });

  test('a value beyond 32 bits is read whole', async () => {
    const run = await runScript((s) =>
      s
        .call('proxy_define_metric', Gauge, s.text('big'), s.out(0))
        .call('proxy_record_metric', 1, 0x1_2345_6789n)
        .call('proxy_get_metric', 1, s.out(2)),
    );
    expect([run.word(2), run.word(3)]).toEqual([0x2345_6789, 1]);
  });

  test('what makes no sense is refused', async () => {
    const run = await runScript((s) =>
      s
        .call('proxy_define_metric', Counter, s.text('c'), s.out(0))
        .call('proxy_define_metric', Histogram, s.text('h'), s.out(1))
        .call('proxy_define_metric', 3, s.text('x'), s.out(2))
        .call('proxy_define_metric', Counter, s.text(''), s.out(2))
        .call('proxy_increment_metric', 1, 0n)
        .call('proxy_increment_metric', 1, -1n)
        .call('proxy_increment_metric', 2, 1n)
        .call('proxy_get_metric', 2, s.out(2))
        .call('proxy_increment_metric', 9, 1n)
        .call('proxy_record_metric', 9, 1n)
        .call('proxy_get_metric', 9, s.out(2)),
    );
    expect(run.results(11).slice(2)).toEqual([2, 2, 2, 2, 2, 2, 1, 1, 1]);
  });

  test('the same name is the same metric, and outlives the instance', async () => {
    const host = new BareHost();
    const code = guest({
      proxy_on_configure: (s) =>
        s
          .call('proxy_define_metric', Counter, s.text('starts'), s.out(0))
          .call('proxy_define_metric', Counter, s.text('starts'), s.out(1))
          .call('proxy_increment_metric', 1, 1n)
          .return(1),
    });
    await host.start(code);
    await host.start(code);
    expect(host.metrics.names).toEqual(['test/chain#filter/counter/starts']);
    expect(host.metrics.values).toEqual([2]);
  });

  test('a plugin does not reach the metrics of another', async () => {
    const host = new BareHost();
    await host.start(
      guest({
        proxy_on_configure: (s) => s.call('proxy_define_metric', Counter, s.text('mine'), s.out(0)).return(1),
      }),
      { name: 'other' },
    );
    const run = await runScript((s) => s.call('proxy_increment_metric', 1, 1n), { host });
    expect(run.results(1)).toEqual([Status.NotFound]);
  });
});
