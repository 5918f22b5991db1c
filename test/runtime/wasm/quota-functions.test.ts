import { expect, test } from 'vitest';
import { Status } from '../../../src/runtime/wasm/abi.ts';
import { QUOTA_KEY_BYTES } from '../../../src/runtime/wasm/limits.ts';
import { BareHost } from '../../support/bare-host.ts';
import { runScript, type Run } from '../../support/bare-run.ts';
import { callForeign } from '../../support/foreign.ts';

const CALLS = 'calls\t10\t8\t0\tday\tUTC';

interface Ask {
  readonly quotas?: string;
  readonly key?: string;
  readonly id?: string;
  readonly amount?: number;
  readonly hold?: boolean;
}

function reserve({ quotas = CALLS, key = 'mira', id = '', amount = 1, hold = false }: Ask): Buffer {
  const head = Buffer.alloc(24);
  head.writeUInt32LE(hold ? 1 : 0, 0);
  [quotas, key, id].forEach((text, i) => head.writeUInt32LE(Buffer.byteLength(text), 4 + 4 * i));
  head.writeBigUInt64LE(BigInt(amount), 16);
  return Buffer.concat([head, Buffer.from(quotas + key + id)]);
}

function commit(reservation: number, amount: number): Buffer {
  const args = Buffer.alloc(16);
  args.writeUInt32LE(reservation, 0);
  args.writeBigUInt64LE(BigInt(amount), 8);
  return args;
}

const call = (host: BareHost, name: string, args: Uint8Array): Promise<Run> =>
  runScript((s) => callForeign(s, `weir.${name}`, args), { host });

/** State, whether the id was known, the quota that refuses, reservation, what is left of the first quota. */
async function ask(
  host: BareHost,
  what: Ask,
): Promise<readonly [state: number, known: number, refuser: number, left: bigint]> {
  const run = await call(host, 'quota_reserve', reserve(what));
  expect(run.results(1)).toEqual([Status.Ok]);
  const given = Buffer.from(run.given(), 'latin1');
  return [given[0]!, given[1]!, given[2]!, given.readBigInt64LE(16)];
}

test('weir.quota_reserve charges while there is something left, and refuses whole amounts', async () => {
  const host = new BareHost();
  expect(await ask(host, { amount: 7 })).toEqual([1, 0, 255, 3n]);
  expect(await ask(host, { amount: 4 })).toEqual([0, 0, 0, 3n]);
  expect(await ask(host, { amount: 3 })).toEqual([1, 0, 255, 0n]);
  expect(await ask(host, { amount: 1 })).toEqual([0, 0, 0, 0n]);
  expect(await ask(host, { key: 'another', amount: 10 })).toEqual([1, 0, 255, 0n]);
});

test('an id is charged once', async () => {
  const host = new BareHost();
  expect(await ask(host, { amount: 2, id: 'order-1' })).toEqual([1, 0, 255, 8n]);
  expect((await ask(host, { amount: 2, id: 'order-1' })).slice(0, 3)).toEqual([1, 1, 255]);
  expect(await ask(host, { amount: 0 })).toEqual([1, 0, 255, 8n]);
});

test('of several quotas all admit or none is charged', async () => {
  const host = new BareHost();
  const both = `${CALLS}\nfew\t1\t0\t0\thour\tUTC`;
  expect((await ask(host, { quotas: both }))[0]).toBe(1);
  expect((await ask(host, { quotas: both })).slice(0, 3)).toEqual([0, 0, 1]);
  expect((await ask(host, { amount: 0 }))[3]).toBe(9n);
});

test('weir.quota_commit charges what was kept back with what it came to, weir.quota_release gives it back; each once', async () => {
  const host = new BareHost();
  const run = await runScript(
    (s) => {
      callForeign(s, 'weir.quota_reserve', reserve({ amount: 5, hold: true }));
      callForeign(s, 'weir.quota_commit', commit(1, 2));
      callForeign(s, 'weir.quota_commit', commit(1, 2));
      callForeign(s, 'weir.quota_reserve', reserve({ amount: 5, hold: true }));
      callForeign(s, 'weir.quota_release', commit(2, 0).subarray(0, 4));
      callForeign(s, 'weir.quota_release', commit(2, 0).subarray(0, 4));
      callForeign(s, 'weir.quota_commit', commit(77, 1));
    },
    { host },
  );
  const { Ok, NotFound } = Status;
  expect(run.results(7)).toEqual([Ok, Ok, NotFound, Ok, Ok, NotFound, NotFound]);
  expect((await ask(host, { amount: 0 }))[3]).toBe(8n);
});

test.each<[string, Uint8Array]>([
  ['nothing', Buffer.alloc(0)],
  ['sizes beyond what there is', reserve({}).subarray(0, -1)],
  ['a quota without a window', reserve({ quotas: 'calls\t10\t0\t0' })],
  ['a window that is none', reserve({ quotas: CALLS.replace('day', 'fortnight') })],
  ['a time zone that is none', reserve({ quotas: CALLS.replace('UTC', 'Mars/Olympus') })],
  ['a key that is too long', reserve({ key: 'x'.repeat(QUOTA_KEY_BYTES + 1) })],
])('refuses %s', async (_name, args) => {
  expect((await call(new BareHost(), 'quota_reserve', args)).results(1)).toEqual([Status.BadArgument]);
});
