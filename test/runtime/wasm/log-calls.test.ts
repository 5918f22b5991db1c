import { describe, expect, test } from 'vitest';
import { LogLevel, Status } from '../../../src/runtime/wasm/abi.ts';
import { TestHost } from '../../support/wasm-host.ts';
import { runScript } from '../../support/wasm-run.ts';
import { ArrayStream } from '../../support/wasm-stream.ts';

describe('logs', () => {
  test('carry level, plugin and text', async () => {
    const run = await runScript((s) =>
      s
        .call('proxy_log', 0, s.text('trace'))
        .call('proxy_log', 5, s.text('critical'))
        .call('proxy_log', 6, s.text('none')),
    );
    expect(run.results(3)).toEqual([Status.Ok, Status.Ok, Status.BadArgument]);
    expect(run.host.lines).toEqual([
      { level: LogLevel.Trace, plugin: 'test/chain#filter', message: 'trace' },
      { level: LogLevel.Critical, plugin: 'test/chain#filter', message: 'critical' },
    ]);
  });

  test('below the level of the host they are not made; the guest can ask for it', async () => {
    const run = await runScript(
      (s) =>
        s
          .call('proxy_get_log_level', s.out(0))
          .call('proxy_log', 2, s.text('info'))
          .call('proxy_log', 3, s.text('warn')),
      { host: new TestHost({ logLevel: LogLevel.Warn }) },
    );
    expect(run.word(0)).toBe(LogLevel.Warn);
    expect(run.host.messages).toEqual(['warn']);
  });

  test('a line is cut to 1 KiB', async () => {
    const run = await runScript((s) => s.call('proxy_log', 2, s.text('x'.repeat(2000))));
    expect(run.host.messages[0]).toHaveLength(1024);
  });

  test('100 lines a second are kept, then it is said how many were not', async () => {
    const run = await runScript(
      (s) => {
        for (let i = 0; i < 150; i++) s.call('proxy_log', 2, s.text('line'));
        return s;
      },
      { scripts: { proxy_on_request_body: (s) => s.call('proxy_log', 2, s.text('next second')) } },
    );
    expect(run.host.lines).toHaveLength(100);
    run.host.now += 1000;
    run.context.onRequestBody(0, true);
    expect(run.host.messages.slice(100)).toEqual([
      '50 log lines were dropped: at most 100 a second',
      'next second',
    ]);
  });
});

describe('the clock', () => {
  test('is in nanoseconds since 1970, in steps of a millisecond', async () => {
    const host = new TestHost();
    host.now = 1_700_000_000_123.9;
    const run = await runScript((s) => s.call('proxy_get_current_time_nanoseconds', s.out(0)), { host });
    expect(BigInt(run.word(1)) * 2n ** 32n + BigInt(run.word(0))).toBe(1_700_000_000_123_000_000n);
  });
});

describe('WASI', () => {
  const iovs = (...parts: [number, number][]): Uint8Array =>
    new Uint8Array(Uint32Array.from(parts.flat()).buffer);

  test('descriptor 1 logs at info, 2 at error, without the line end; others do not exist', async () => {
    const run = await runScript((s) => {
      const hello = s.text('hello ');
      const world = s.text('world\n');
      const list = s.text(iovs(hello, world))[0];
      return s
        .call('fd_write', 1, list, 2, s.out(0))
        .call('fd_write', 2, list, 2, s.out(1))
        .call('fd_write', 3, list, 2, s.out(2));
    });
    expect(run.results(3)).toEqual([0, 0, 8]);
    expect(run.word(0)).toBe(12);
    expect(run.host.lines.map(({ level, message }) => [level, message])).toEqual([
      [LogLevel.Info, 'hello world'],
      [LogLevel.Error, 'hello world'],
    ]);
  });

  test('there are no files, arguments or variables', async () => {
    const run = await runScript((s) =>
      s
        .call('fd_prestat_get', 3, s.out(0))
        .call('path_open', 3, 0, s.text('/etc/passwd'), 0, 0n, 0n, 0, s.out(0))
        .call('fd_read', 0, s.out(0), 1, s.out(1))
        .call('args_sizes_get', s.out(2), s.out(3))
        .call('environ_sizes_get', s.out(4), s.out(5))
        .call('poll_oneoff', 0, 0, 1, s.out(6))
        .call('sched_yield')
        .call('fd_fdstat_get', 1, s.out(8))
        .call('fd_fdstat_get', 3, s.out(0)),
    );
    expect(run.results(9)).toEqual([8, 44, 52, 0, 0, 0, 0, 0, 8]);
    expect([2, 3, 4, 5, 6].map((i) => run.word(i))).toEqual([0, 0, 0, 0, 0]);
  });

  test('clocks 0 and 1 tell the time, both never 0', async () => {
    const run = await runScript((s) =>
      s
        .call('clock_time_get', 0, 0n, s.out(0))
        .call('clock_time_get', 1, 0n, s.out(2))
        .call('clock_time_get', 2, 0n, s.out(4))
        .call('clock_res_get', 0, s.out(4)),
    );
    expect(run.results(4)).toEqual([0, 0, 58, 0]);
    expect(run.word(0) + run.word(1)).toBeGreaterThan(0);
    expect(run.word(2) + run.word(3)).toBeGreaterThan(0);
    expect(run.word(4)).toBe(1_000_000);
  });

  test('random bytes come from the system, 64 KiB a call at most', async () => {
    const run = await runScript((s) => s.call('random_get', s.out(0), 16).call('random_get', 0, 65_537), {
      stream: new ArrayStream(),
    });
    expect(run.results(2)).toEqual([0, 28]);
    expect(new Set([0, 1, 2, 3].map((i) => run.word(i))).size).toBeGreaterThan(1);
  });
});
