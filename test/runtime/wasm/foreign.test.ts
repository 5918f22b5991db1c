import { generateKeyPairSync } from 'node:crypto';
import { deflateSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { Status } from '../../../src/runtime/wasm/abi.ts';
import { protobufBytes } from '../../../src/runtime/wasm/protobuf.ts';
import { LocalLedger } from '../../../src/runtime/ledger.ts';
import type { Script } from '../../support/wasm-guest.ts';
import type { Ledger, Stores } from '../../../src/runtime/ledger.ts';
import { LocalQuotas } from '../../../src/runtime/quota/local.ts';
import { ManualLedger, BareHost } from '../../support/bare-host.ts';
import { runScript } from '../../support/bare-run.ts';
import { CLOSELY_TIMED, stopwatch } from '../../support/timing.ts';
import { storeSpec } from '../../support/store-spec.ts';

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

function storesOf(limits: Ledger): Stores {
  return { acquire: () => ({ limits, quotas: new LocalQuotas(() => 0) }), release: () => undefined };
}

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

describe('the time that a foreign function takes is the guest’s', CLOSELY_TIMED, () => {
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
    const elapsed = stopwatch();
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
    expect(elapsed()).toBeLessThan(200);
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
    const host = new BareHost();
    host.ledger.decision = { allowed: false, remaining: 0, limit: 10, resetMs: 900, retryAfterMs: 90.5 };
    const run = await runScript((s) => call(s, 'weir.limit_take', take(0, 1, [10, 1000, 5, 1])), { host });
    expect(words(run.given())).toEqual([0, 0, 10, 900, 91]);
  });

  test('a key of more than 128 bytes counts under its digest, so that no client fills the ledger', async () => {
    const keyOf = async (key: string): Promise<string> => {
      const run = await runScript((s) => call(s, 'weir.limit_take', take(1, 1, [10, 1000, 5, 2], key)));
      return run.host.ledger.taken[0]!.key;
    };
    expect(await keyOf('k'.repeat(128))).toBe(`test/chain#filter\0${'k'.repeat(128)}`);
    const long = await keyOf('k'.repeat(129));
    expect(long.length).toBeLessThan(64);
    expect(await keyOf('k'.repeat(129))).toBe(long);
    expect(await keyOf('k'.repeat(130))).not.toBe(long);
    expect((await keyOf('k'.repeat(8000))).length).toBe(long.length);
  });

  test('a limit of this worker has keys of its own', async () => {
    const run = await runScript((s) => call(s, 'weir.limit_take', take(0, 0, [1, 1, 1, 1])));
    expect(run.host.ledger.taken[0]!.key).toBe('test/chain#filter\x003\0k');
  });

  test.each([
    ['too few bytes', take(0, 1, [1, 1, 1, 1], '').subarray(0, 19)],
    ['no key', take(0, 1, [1, 1, 1, 1], '')],
    ['another algorithm', take(5, 1, [1, 1, 1, 1])],
    ['a burst of a window', take(2, 1, [1, 1, 1, 1])],
    ['a period of concurrency', take(4, 1, [1, 2, 0, 1])],
    ['numbers that are not exact any more', take(0, 1, [0xffff_ffff, 0xffff_ffff, 0, 1])],
    ['another scope', take(0, 3, [1, 1, 1, 1])],
    ['a scope that has no Store', take(0, 2, [1, 1, 1, 1])],
    ['no request', take(0, 1, [0, 1, 1, 1])],
    ['no period', take(0, 1, [1, 0, 1, 1])],
  ])('%s is BadArgument', async (_name, args) => {
    const run = await runScript((s) => call(s, 'weir.limit_take', args));
    expect(run.results(1)).toEqual([Status.BadArgument]);
    expect(run.host.ledger.taken).toEqual([]);
  });

  describe('where the answer comes later', () => {
    const pending = async (): Promise<Awaited<ReturnType<typeof runScript>>> => {
      const host = new BareHost();
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

describe('weir.limits_take', () => {
  const several = (...limits: Uint8Array[]): Uint8Array =>
    Buffer.concat(
      limits.flatMap((limit) => {
        const size = Buffer.alloc(4);
        size.writeUInt32LE(limit.length);
        return [size, limit];
      }),
    );
  const counting = (): BareHost => new BareHost({ ledger: new LocalLedger(() => 0) });
  const two = take(0, 1, [2, 1000, 0, 1], 'two');
  const one = take(2, 1, [1, 1000, 0, 1], 'one');
  const running = take(4, 1, [1, 1, 0, 1], 'running');

  /** Calls it so many times in one stream, and returns the last answer. */
  const asked = async (host: BareHost, times: number, ...limits: Uint8Array[]) =>
    runScript(
      (s) => {
        for (let i = 0; i < times; i++) call(s, 'weir.limits_take', several(...limits));
      },
      { host },
    );
  const state = (bytes: string): number => bytes.charCodeAt(0);

  test('takes from all, and answers for each', async () => {
    const run = await asked(counting(), 1, two, one);
    const data = Buffer.from(run.given(), 'latin1');
    expect(data.length).toBe(36);
    expect([state(run.given()), data.readUInt32LE(4), data.readUInt32LE(20)]).toEqual([1, 1, 0]);
  });

  test('one that refuses costs the others nothing', async () => {
    const host = counting();
    // `one` is used up by the first; the second and third would use `two` up.
    expect(state((await asked(host, 3, two, one)).given())).toBe(0);
    expect(state((await asked(host, 1, two)).given())).toBe(1);
    expect(state((await asked(host, 1, two)).given())).toBe(0);
  });

  test('more than fit in a short answer', async () => {
    const limits = Array.from({ length: 8 }, (_, i) => take(0, 1, [i + 1, 1000, 0, 1], `k${i}`));
    const run = await asked(counting(), 1, ...limits);
    const data = Buffer.from(run.given(), 'latin1');
    expect(limits.map((_, i) => data.readUInt32LE(4 + 16 * i))).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
    expect((await asked(counting(), 1, ...limits, two)).results(1)).toEqual([Status.BadArgument]);
  });

  test.each([
    ['none', new Uint8Array(0)],
    ['a size beyond the end', several(two).subarray(0, 10)],
    ['bytes behind the last', Buffer.concat([several(two), Buffer.alloc(2)])],
  ])('%s is BadArgument', async (_name, args) => {
    const run = await runScript((s) => call(s, 'weir.limits_take', args));
    expect(run.results(1)).toEqual([Status.BadArgument]);
  });

  test('what is under way is given back when its stream is over, also where the guest trapped', async () => {
    const host = counting();
    const first = await asked(host, 1, running);
    expect(state((await asked(host, 1, running)).given())).toBe(0);
    first.context.finish();
    const trapped = await runScript(
      (s) => {
        call(s, 'weir.limits_take', several(running));
        s.run([0x00]);
      },
      { host },
    );
    expect(trapped.plugin.traps).toBe(1);
    expect(state((await asked(host, 1, running)).given())).toBe(0);
    trapped.context.finish();
    expect(state((await asked(host, 1, running)).given())).toBe(1);
  });

  test('charges what is not there, and answers by what is left from then on', async () => {
    const host = counting();
    const charge = Buffer.from(take(0, 1, [2, 1000, 0, 5], 'two'));
    charge[2] = 2;
    expect(state((await asked(host, 1, charge)).given())).toBe(1);
    const peek = Buffer.from(two);
    peek[2] = 1;
    expect(state((await asked(host, 1, peek)).given())).toBe(0);
  });

  describe('where answers come later', () => {
    const waiting = async (): Promise<Awaited<ReturnType<typeof runScript>>> => {
      const host = new BareHost();
      host.ledger.decision = null;
      return runScript((s) => call(s, 'weir.limits_take', several(two, running)).return(1), {
        host,
        scripts: {
          proxy_on_foreign_function: (s) =>
            s
              .call('proxy_log', 2, s.text('told'))
              .call('proxy_get_buffer_bytes', 8, 0, 100, s.out(2), s.out(3)),
        },
      });
    };
    const yes = { allowed: true, remaining: 4, limit: 5, resetMs: 1, retryAfterMs: 0, at: 77 };
    const no = { ...yes, allowed: false, remaining: 0, retryAfterMs: 9 };

    test('the guest is told once, when all are there', async () => {
      const run = await waiting();
      const [first, second] = run.host.ledger.taken;
      second!.done(yes);
      expect(run.host.messages).toEqual([]);
      first!.done(yes);
      expect(run.host.messages).toEqual(['told']);
      expect(state(run.given(2))).toBe(1);
      expect(run.host.ledger.givenBack).toEqual([]);
      run.context.finish();
      expect(run.host.ledger.givenBack).toEqual([
        { key: 'test/chain#filter\0running', cost: 1, takenAt: 77 },
      ]);
    });

    test('a refusal is told at once, and what the others admit then or later is given back', async () => {
      for (const order of [
        [yes, no],
        [no, yes],
      ]) {
        const run = await waiting();
        run.host.ledger.taken.forEach(({ done }, i) => done(order[i]!));
        expect(run.host.messages).toEqual(['told']);
        expect(state(run.given(2))).toBe(0);
        expect(run.host.ledger.givenBack).toHaveLength(1);
        run.context.finish();
        expect(run.host.ledger.givenBack).toHaveLength(1);
      }
    });

    test('a stream that is over holds nothing that comes later', async () => {
      const run = await waiting();
      run.context.finish();
      for (const { done } of run.host.ledger.taken) done(yes);
      expect(run.host.messages).toEqual([]);
      expect(run.host.ledger.givenBack).toMatchObject([{ key: 'test/chain#filter\0running' }]);
    });

    test('nobody to ask: unavailable, or as the guest wants it', async () => {
      const host = new BareHost();
      host.ledger.decision = { ...no, failed: true };
      const allow = Buffer.from(two);
      allow[3] = 1;
      expect(state((await asked(host, 1, two)).given())).toBe(3);
      expect(state((await asked(host, 1, allow)).given())).toBe(1);
    });
  });

  describe('in a Store', () => {
    const STORE = storeSpec(6379);
    const inStore = (key: string, onFailure: number): Uint8Array => {
      const bytes = Buffer.from(take(0, 2, [2, 1000, 0, 1], key));
      bytes[3] = onFailure;
      return bytes;
    };

    test('a limit of the cluster is counted there, and nowhere without one', async () => {
      const ledger = new ManualLedger();
      const host = new BareHost({
        stores: storesOf(ledger),
      });
      const script = (s: Script): void => void call(s, 'weir.limits_take', several(inStore('k', 0)));
      const run = await runScript(script, { host, spec: { store: STORE } });
      expect(state(run.given())).toBe(1);
      expect([ledger.taken.length, host.ledger.taken.length]).toEqual([1, 0]);
      const without = await runScript(script, { host });
      expect(without.results(1)).toEqual([Status.BadArgument]);
      expect(host.messages.join()).toContain('needs a Store');
    });

    test('where it fails: unavailable, allowed, or counted by the machine', async () => {
      const ledger = new ManualLedger();
      const failed = { allowed: false, failed: true, remaining: 0, limit: 2, resetMs: 0, retryAfterMs: 1 };
      for (const late of [false, true]) {
        for (const [onFailure, expected] of [
          [0, 3],
          [1, 1],
          [2, 1],
        ] as const) {
          const host = new BareHost({
            stores: storesOf(ledger),
          });
          ledger.decision = late ? null : failed;
          const run = await runScript(
            (s) => call(s, 'weir.limits_take', several(two, inStore('k', onFailure))).return(1),
            {
              host,
              spec: { store: STORE },
              scripts: {
                proxy_on_foreign_function: (s) =>
                  s.call('proxy_get_buffer_bytes', 8, 0, 100, s.out(2), s.out(3)),
              },
            },
          );
          if (late) ledger.taken.at(-1)!.done(failed);
          expect(state(run.given(late ? 2 : 0))).toBe(expected);
          // Of the node: the first limit, and the second in place of the store.
          expect(host.ledger.taken).toHaveLength(onFailure === 2 ? 2 : 1);
          expect(host.ledger.givenBack).toHaveLength(onFailure === 0 ? 1 : 0);
        }
      }
    });
  });
});
