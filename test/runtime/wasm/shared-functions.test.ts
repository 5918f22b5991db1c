import { describe, expect, test } from 'vitest';
import { Status } from '../../../src/runtime/wasm/abi.ts';
import { LocalSharedState, spaceOf } from '../../../src/runtime/wasm/shared.ts';
import { callForeign } from '../../support/foreign.ts';
import type { Script } from '../../support/wasm-guest.ts';
import { BareHost } from '../../support/bare-host.ts';
import { runScript, type Run } from '../../support/bare-run.ts';

const SPACE = spaceOf('test', 'vm');

const words = (...values: number[]): Buffer => {
  const bytes = Buffer.alloc(4 * values.length);
  values.forEach((value, i) => bytes.writeUInt32LE(value, 4 * i));
  return bytes;
};
const i64 = (value: bigint): Buffer => {
  const bytes = Buffer.alloc(8);
  bytes.writeBigInt64LE(value);
  return bytes;
};
const add = (delta: bigint, key: string, ttlMs = 0): Buffer =>
  Buffer.concat([i64(delta), words(ttlMs), Buffer.from(key)]);
const set = (key: string, value: string, { ttlMs = 0, cas = 0 } = {}): Buffer =>
  Buffer.concat([words(ttlMs, cas, key.length), Buffer.from(key), Buffer.from(value)]);
const remove = (key: string, cas = 0): Buffer => Buffer.concat([words(cas), Buffer.from(key)]);

/** A host whose shared data have a clock of the test's. */
function hostAt(clock: { now: number }): BareHost {
  return new BareHost({ shared: new LocalSharedState(() => clock.now) });
}

const run = (script: (s: Script) => void, host = new BareHost()): Promise<Run> => runScript(script, { host });
const number = (result: Run): bigint => Buffer.from(result.given(), 'latin1').readBigInt64LE();
const flag = (result: Run): number => Buffer.from(result.given(), 'latin1').readUInt32LE();

describe('weir.counter_add', () => {
  test('begins with 0, adds and takes away, and is shared data of eight bytes', async () => {
    const host = new BareHost();
    expect(number(await run((s) => callForeign(s, 'weir.counter_add', add(5n, 'hits')), host))).toBe(5n);
    expect(number(await run((s) => callForeign(s, 'weir.counter_add', add(-7n, 'hits')), host))).toBe(-2n);
    const read = await run(
      (s) => s.call('proxy_get_shared_data', s.text('hits'), s.out(0), s.out(1), s.out(2)),
      host,
    );
    expect(number(read)).toBe(-2n);
  });

  test('wraps at 64 bits', async () => {
    const host = new BareHost();
    await run((s) => callForeign(s, 'weir.counter_add', add(2n ** 63n - 1n, 'k')), host);
    expect(number(await run((s) => callForeign(s, 'weir.counter_add', add(1n, 'k')), host))).toBe(
      -(2n ** 63n),
    );
  });

  test('goes when its time is over, which its first addition sets', async () => {
    const clock = { now: 1000 };
    const host = hostAt(clock);
    const hit = async (ttlMs: number): Promise<bigint> =>
      number(await run((s) => callForeign(s, 'weir.counter_add', add(1n, 'window', ttlMs)), host));
    expect(await hit(100)).toBe(1n);
    clock.now = 1099;
    expect(await hit(100)).toBe(2n);
    clock.now = 1100;
    expect(await hit(0)).toBe(1n);
    clock.now = 1e9;
    expect(await hit(0)).toBe(2n);
  });

  test('a value that is no counter, and arguments without a key, are BadArgument', async () => {
    const result = await run((s) => {
      s.call('proxy_set_shared_data', s.text('text'), s.text('abc'), 0);
      callForeign(s, 'weir.counter_add', add(1n, 'text'));
      callForeign(s, 'weir.counter_add', add(1n, ''));
      callForeign(s, 'weir.counter_add', 'short');
    });
    expect(result.results(4)).toEqual([
      Status.Ok,
      Status.BadArgument,
      Status.BadArgument,
      Status.BadArgument,
    ]);
  });
});

describe('weir.shared_set', () => {
  test('is there until its time is over, and takes any version afterwards', async () => {
    const clock = { now: 1000 };
    const host = hostAt(clock);
    expect(
      flag(await run((s) => callForeign(s, 'weir.shared_set', set('k', 'v', { ttlMs: 50 })), host)),
    ).toBe(1);
    const get = (): Promise<Run> =>
      run((s) => s.call('proxy_get_shared_data', s.text('k'), s.out(0), s.out(1), s.out(2)), host);
    expect((await get()).given()).toBe('v');
    clock.now = 1050;
    expect((await get()).results(1)).toEqual([Status.NotFound]);
    expect(flag(await run((s) => callForeign(s, 'weir.shared_set', set('k', 'w', { cas: 999 })), host))).toBe(
      1,
    );
    expect((await get()).given()).toBe('w');
  });

  test('says whether the version was the one it named', async () => {
    const host = new BareHost();
    await run((s) => callForeign(s, 'weir.shared_set', set('k', 'one')), host);
    const { cas } = host.shared.get(SPACE, 'k')!;
    expect(
      flag(await run((s) => callForeign(s, 'weir.shared_set', set('k', 'two', { cas: cas + 1 })), host)),
    ).toBe(0);
    expect(flag(await run((s) => callForeign(s, 'weir.shared_set', set('k', 'two', { cas })), host))).toBe(1);
  });

  test('what is over makes room', async () => {
    const clock = { now: 1000 };
    const host = hostAt(clock);
    const fill = (count: number, from: number): Promise<Run> =>
      run((s) => {
        for (let i = 0; i < count; i++)
          s.call(
            'proxy_call_foreign_function',
            s.text('weir.shared_set'),
            s.text(set(`${from + i}`, '', { ttlMs: 50 })),
            0,
            0,
          );
      }, host);
    for (let i = 0; i < 8; i++) await fill(128, 128 * i);
    expect((await fill(1, 5000)).results(1)).toEqual([Status.InternalFailure]);
    clock.now = 1050;
    expect((await fill(1, 5000)).results(1)).toEqual([Status.Ok]);
  });

  test.each([words(0, 0), words(0, 0, 9), Buffer.concat([words(0, 0, 0xffff_ffff), Buffer.from('k')])])(
    'arguments that do not hold what they say are BadArgument',
    async (args) => {
      expect((await run((s) => callForeign(s, 'weir.shared_set', args))).results(1)).toEqual([
        Status.BadArgument,
      ]);
    },
  );
});

describe('weir.shared_delete', () => {
  test('removes a key, once, in the version that it names', async () => {
    const host = new BareHost();
    host.shared.set(SPACE, 'k', Buffer.from('v'), 0);
    const { cas } = host.shared.get(SPACE, 'k')!;
    const call = async (version: number): Promise<number> =>
      flag(await run((s) => callForeign(s, 'weir.shared_delete', remove('k', version)), host));
    expect(await call(cas + 1)).toBe(0);
    expect(await call(cas)).toBe(1);
    expect(await call(0)).toBe(0);
    expect(host.shared.get(SPACE, 'k')).toBeUndefined();
  });

  test('without a version it is BadArgument', async () => {
    expect((await run((s) => callForeign(s, 'weir.shared_delete', 'k'))).results(1)).toEqual([
      Status.BadArgument,
    ]);
  });
});

describe('weir.shared_keys', () => {
  test('lists the keys of the own space with the prefix, those that are over left out', async () => {
    const clock = { now: 1000 };
    const host = hostAt(clock);
    host.host.deps.shared.set(SPACE, 'user:a', Buffer.from('1'), 0);
    host.host.deps.shared.set(SPACE, 'user:b', Buffer.from('1'), 0, 50);
    host.host.deps.shared.set(SPACE, 'other', Buffer.from('1'), 0);
    host.host.deps.shared.set(spaceOf('test', 'else'), 'user:c', Buffer.from('1'), 0);
    const list = async (prefix: string): Promise<string> =>
      (await run((s) => callForeign(s, 'weir.shared_keys', prefix), host)).given();
    expect(await list('user:')).toBe('\x02\0\0\0\x06\0\0\0\0\0\0\0\x06\0\0\0\0\0\0\0user:a\0\0user:b\0\0');
    clock.now = 1050;
    expect(await list('user:')).toBe('\x01\0\0\0\x06\0\0\0\0\0\0\0user:a\0\0');
    expect(await list('nothing')).toBe('\0\0\0\0');
  });
});

test('without the capability of shared data none of them answers', async () => {
  const result = await runScript(
    (s) => {
      callForeign(s, 'weir.counter_add', add(1n, 'k'));
      callForeign(s, 'weir.shared_set', set('k', 'v'));
      callForeign(s, 'weir.shared_delete', remove('k'));
      callForeign(s, 'weir.shared_keys', '');
    },
    { spec: { capabilities: ['foreign'] } },
  );
  expect(result.results(4)).toEqual(Array(4).fill(Status.InternalFailure));
});
