import { describe, expect, test } from 'vitest';
import { LogLevel } from '../../../src/runtime/wasm/abi.ts';
import { runScript } from '../../support/bare-run.ts';
import { BareStream } from '../../support/bare-stream.ts';

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

  test('of more than 1024 pieces nothing is written', async () => {
    const run = await runScript((s) =>
      s.call('fd_write', 1, 0x9000, 1024, s.out(0)).call('fd_write', 1, 0x9000, 1025, s.out(1)),
    );
    expect(run.results(2)).toEqual([0, 28]);
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
      stream: new BareStream(),
    });
    expect(run.results(2)).toEqual([0, 28]);
    expect(new Set([0, 1, 2, 3].map((i) => run.word(i))).size).toBeGreaterThan(1);
  });

  test('writing at an offset is writing', async () => {
    const run = await runScript((s) =>
      s.call('fd_pwrite', 1, s.text(iovs(s.text('line\n')))[0], 1, 99n, s.out(0)),
    );
    expect(run.results(1)).toEqual([0]);
    expect(run.word(0)).toBe(5);
    expect(run.host.messages).toEqual(['line']);
  });

  // Numbers of WASI preview 1: 0 success, 8 badf, 44 noent, 52 nosys.
  test.each<[string, (number | bigint)[], number]>([
    ['fd_read', [0, 0, 0, 0], 52],
    ['fd_pread', [0, 0, 0, 0n, 0], 52],
    ['fd_seek', [1, 0n, 0, 0], 0],
    ['fd_close', [1], 0],
    ['fd_fdstat_set_flags', [1, 0], 52],
    ['fd_prestat_get', [3, 0], 8],
    ['fd_prestat_dir_name', [3, 0, 0], 52],
    ['fd_filestat_get', [1, 0], 8],
    ['path_open', [3, 0, 0, 0, 0, 0n, 0n, 0, 0], 44],
    ['args_get', [0, 0], 0],
    ['sched_yield', [], 0],
  ])('%s answers what it should', async (name, values, errno) => {
    expect((await runScript((s) => s.call(name, ...values))).results(1)).toEqual([errno]);
  });

  test('the variables of the Module are handed over, each with its name', async () => {
    const environment = [
      { name: 'A', value: '1' },
      { name: 'BC', value: '23' },
    ];
    const run = await runScript(
      (s) => s.call('environ_sizes_get', s.out(0), s.out(1)).call('environ_get', s.out(2), s.out(4)),
      { spec: { environment } },
    );
    expect(run.results(2)).toEqual([0, 0]);
    expect([run.word(0), run.word(1)]).toEqual([2, 10]);
    const at = [run.word(2), run.word(3)] as const;
    const text = Buffer.from(run.context.vm.view().slice(at[0], at[0] + 10)).toString();
    expect(text).toBe('A=1\0BC=23\0');
    expect(at[1] - at[0]).toBe(4);
  });

  test('proc_exit within a callback ends the instance', async () => {
    const run = await runScript((s) => s.call('proc_exit', 3));
    expect(run.plugin.traps).toBe(1);
  });
});
