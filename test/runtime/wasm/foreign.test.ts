import { generateKeyPairSync } from 'node:crypto';
import { deflateSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { Status } from '../../../src/runtime/wasm/abi.ts';
import { protobufBytes } from '../../../src/runtime/wasm/protobuf.ts';
import type { Script } from '../../support/wasm-guest.ts';
import { TestHost } from '../../support/wasm-host.ts';
import { runScript } from '../../support/wasm-run.ts';

/** `weir.limit_take`'s arguments, as its documentation lays them out. */
function take(
  algorithm: number,
  scope: number,
  numbers: [number, number, number, number],
  key = 'k',
): Uint8Array {
  const head = Buffer.alloc(20);
  head[0] = algorithm;
  head[1] = scope;
  numbers.forEach((number, i) => head.writeUInt32LE(number, 4 + 4 * i));
  return Buffer.concat([head, Buffer.from(key)]);
}

const call = (s: Script, name: string, args: Uint8Array | string): Script =>
  s.call('proxy_call_foreign_function', s.text(name), s.text(args), s.out(0), s.out(1));

const words = (bytes: string): number[] => {
  const data = Buffer.from(bytes, 'latin1');
  return [0, 4, 8, 12, 16].map((at) => data.readUInt32LE(at));
};

describe('foreign functions', () => {
  test('clear_route_cache happens when the callback returned', async () => {
    const run = await runScript((s) => call(s, 'clear_route_cache', ''));
    expect(run.results(1)).toEqual([Status.Ok]);
    expect(run.stream.routeCacheClears).toBe(1);
  });

  test('an unknown one is NotFound, and the log says so', async () => {
    const run = await runScript((s) => call(s, 'compress_with_magic', 'x'));
    expect(run.results(1)).toEqual([Status.NotFound]);
    expect(run.host.messages).toEqual([
      'proxy_call_foreign_function: there is no function "compress_with_magic"',
    ]);
  });

  test('out pointers of 0 mean that the result is not wanted', async () => {
    const run = await runScript((s) =>
      s.call(
        'proxy_call_foreign_function',
        s.text('weir.limit_take'),
        s.text(take(0, 1, [1, 1, 1, 1])),
        0,
        0,
      ),
    );
    expect(run.results(1)).toEqual([Status.Ok]);
  });
});

describe('the time that a foreign function takes is the guest’s', () => {
  const bomb = deflateSync(Buffer.alloc(1024 * 1024));
  const key = generateKeyPairSync('rsa', { modulusLength: 4096 }).privateKey;
  const signing = Buffer.concat([
    protobufBytes(1, 'sha256'),
    protobufBytes(2, key.export({ type: 'pkcs8', format: 'der' })),
  ]);
  const heavy = `[${'1,'.repeat(100)}1].all(a, [${'1,'.repeat(100)}1].all(b, a == b))`;

  test.each<[string, string | Uint8Array]>([
    ['uncompress', bomb],
    ['sign', signing],
    ['expr_create', heavy],
    ['expr_evaluate', Uint8Array.of(0, 0, 0, 0)],
  ])('a loop of %s is stopped when the budget is used up', async (name, args) => {
    const begin = performance.now();
    const run = await runScript((s) => {
      s.call('proxy_call_foreign_function', s.text('expr_create'), s.text(heavy), 0, 0);
      // loop … br 0 end
      s.run([0x03, 0x40]);
      s.call('proxy_call_foreign_function', s.text(name), s.text(args), 0, 0);
      s.run([0x0c, 0x00], [0x0b]);
    });
    expect(run.plugin.traps).toBe(1);
    expect(run.host.messages.at(-1)).toContain('CPU budget');
    // 10 ms, and what start and compilation take.
    expect(performance.now() - begin).toBeLessThan(200);
  });
});

describe('weir.limit_take', () => {
  test('asks the ledger, and hands on what it decides', async () => {
    const run = await runScript((s) => call(s, 'weir.limit_take', take(1, 1, [10, 1000, 5, 2], 'user-7')));
    const [asked] = run.host.ledger.taken;
    expect(asked).toMatchObject({
      key: 'test/chain#filter\0user-7',
      cost: 2,
      limit: { algorithm: 'gcra', requests: 10, periodMs: 1000, burst: 5 },
    });
    expect(words(run.given())).toEqual([1, 9, 10, 500, 0]);
  });

  test('a refusal says when to come again', async () => {
    const host = new TestHost();
    host.ledger.decision = { allowed: false, remaining: 0, limit: 10, resetMs: 900, retryAfterMs: 90.5 };
    const run = await runScript((s) => call(s, 'weir.limit_take', take(0, 1, [10, 1000, 5, 1])), { host });
    expect(words(run.given())).toEqual([0, 0, 10, 900, 91]);
  });

  test('a limit of this worker has keys of its own', async () => {
    const run = await runScript((s) => call(s, 'weir.limit_take', take(0, 0, [1, 1, 1, 1])));
    expect(run.host.ledger.taken[0]!.key).toBe('test/chain#filter\x003\0k');
  });

  test.each([
    ['too few bytes', take(0, 1, [1, 1, 1, 1], '').subarray(0, 19)],
    ['no key', take(0, 1, [1, 1, 1, 1], '')],
    ['another algorithm', take(2, 1, [1, 1, 1, 1])],
    ['another scope', take(0, 2, [1, 1, 1, 1])],
    ['no request', take(0, 1, [0, 1, 1, 1])],
    ['no period', take(0, 1, [1, 0, 1, 1])],
  ])('%s is BadArgument', async (_name, args) => {
    const run = await runScript((s) => call(s, 'weir.limit_take', args));
    expect(run.results(1)).toEqual([Status.BadArgument]);
    expect(run.host.ledger.taken).toEqual([]);
  });

  describe('where the answer comes later', () => {
    const pending = async (): Promise<Awaited<ReturnType<typeof runScript>>> => {
      const host = new TestHost();
      host.ledger.decision = null;
      return runScript((s) => call(s, 'weir.limit_take', take(0, 1, [10, 1000, 5, 1])).return(1), {
        host,
        scripts: {
          proxy_on_foreign_function: (s) =>
            s
              .call('proxy_log', 2, s.text('late'))
              .call('proxy_get_buffer_bytes', 8, 0, 100, s.out(2), s.out(3))
              .call('proxy_continue_stream', 0),
        },
      });
    };
    const decision = { allowed: true, remaining: 4, limit: 5, resetMs: 1, retryAfterMs: 0 };

    test('the guest has a ticket, and its stream goes on with the answer, once', async () => {
      const run = await pending();
      expect(words(run.given())).toEqual([2, 1, 0, 0, 0]);
      run.host.ledger.taken[0]!.done(decision);
      run.host.ledger.taken[0]!.done(decision);
      expect(words(run.given(2))).toEqual([1, 4, 5, 1, 0]);
      expect(run.stream.resumed).toEqual([0]);
      expect(run.host.messages).toEqual(['late']);
    });

    test('an answer for a stream that is over is dropped', async () => {
      const run = await pending();
      run.context.finish();
      run.host.ledger.taken[0]!.done(decision);
      expect(run.host.messages).toEqual([]);
    });
  });
});
