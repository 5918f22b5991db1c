import { describe, expect, test } from 'vitest';
import { LogLevel, Status } from '../../../src/runtime/wasm/abi.ts';
import { logCalls } from '../../../src/runtime/wasm/log-calls.ts';
import { BareHost } from '../../support/bare-host.ts';
import { runScript } from '../../support/bare-run.ts';

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
      { host: new BareHost({ logLevel: LogLevel.Warn }) },
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
    const host = new BareHost();
    host.now = 1_700_000_000_123.9;
    const run = await runScript((s) => s.call('proxy_get_current_time_nanoseconds', s.out(0)), { host });
    expect(BigInt(run.word(1)) * 2n ** 32n + BigInt(run.word(0))).toBe(1_700_000_000_123_000_000n);
  });
});

describe('what runtimes of compilers import beside the ABI', () => {
  test('emscripten_notify_memory_growth does nothing, pthread_equal compares', async () => {
    const run = await runScript((s) =>
      s.call('emscripten_notify_memory_growth', 0).call('pthread_equal', 7, 7).call('pthread_equal', 7, 8),
    );
    expect(run.results(2)).toEqual([1, 0]);
  });

  test('seed is a whole number that differs', async () => {
    const { context } = await runScript((s) => s.return(0));
    const { seed } = logCalls(context.vm) as { seed: () => number };
    const seeds = Array.from({ length: 3 }, seed);
    expect(new Set(seeds).size).toBe(3);
    expect(seeds.every(Number.isSafeInteger)).toBe(true);
  });

  test('abort ends the instance, with its message and place in the log', async () => {
    const utf16 = (text: string): Buffer => {
      const body = Buffer.from(text, 'utf16le');
      const size = Buffer.alloc(4);
      size.writeUInt32LE(body.length);
      return Buffer.concat([size, body]);
    };
    const run = await runScript((s) => {
      const at = (text: string): number => s.text(utf16(text))[0] + 4;
      s.call('abort', at('no more'), at('filter.ts'), 12, 3);
    });
    expect(run.plugin.traps).toBe(1);
    expect(run.host.messages).toContain('abort: no more at filter.ts:12:3');
  });
});
