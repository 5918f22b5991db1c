import { scryptSync } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { Status } from '../../../src/runtime/wasm/abi.ts';
import { PASSWORD_BYTES, PASSWORDS_WAITING } from '../../../src/runtime/wasm/limits.ts';
import { runScript, type Run } from '../../support/bare-run.ts';
import { callForeign } from '../../support/foreign.ts';

const SALT = Buffer.from('salt of sixteen!');
const HASH = `scrypt$1024$8$1$${SALT.toString('base64')}$${scryptSync('open sesame', SALT, 32, { N: 1024 }).toString('base64')}`;

function question(password: string, hash = HASH): Buffer {
  const size = Buffer.alloc(4);
  size.writeUInt32LE(hash.length);
  return Buffer.concat([size, Buffer.from(hash), Buffer.from(password)]);
}

/** Calls `weir.verify_password` and waits for what the guest is told. */
const ask = (args: Buffer, times = 1): Promise<Run> =>
  runScript(
    (s) => {
      for (let i = 0; i < times; i++) callForeign(s, 'weir.verify_password', args);
      s.return(1);
    },
    {
      scripts: {
        proxy_on_foreign_function: (s) =>
          s.call('proxy_log', 2, s.text('told')).call('proxy_get_buffer_bytes', 8, 0, 8, s.out(2), s.out(3)),
      },
      limits: { cpu: { perCallMs: 5000, perRequestMs: 5000 } },
    },
  );

test.each([
  ['open sesame', 1],
  ['open Sesame', 0],
  ['', 0],
])('the password %j is told to be right (1) or wrong (0), after the callback', async (password, expected) => {
  const run = await ask(question(password));
  expect(run.results(1)).toEqual([Status.Ok]);
  const given = Buffer.from(run.given(), 'latin1');
  expect([given.length, given[0], given.readUInt32LE(4) >>> 30]).toEqual([8, 2, 1]);
  expect(run.host.messages).toEqual([]);
  await expect.poll(() => run.host.messages).toEqual(['told']);
  expect(Buffer.from(run.given(2), 'latin1')[0]).toBe(expected);
});

test('a stream that is over is told nothing', async () => {
  const run = await ask(question('open sesame'));
  run.context.finish();
  await sleep(200);
  expect(run.host.messages).toEqual([]);
});

test('where too many wait the next one hears so at once', async () => {
  const run = await ask(question('open sesame'), PASSWORDS_WAITING + 1);
  expect(run.results(PASSWORDS_WAITING + 1)).toEqual(
    Array.from({ length: PASSWORDS_WAITING + 1 }, () => Status.Ok),
  );
  expect(run.given().charCodeAt(0)).toBe(3);
  await expect.poll(() => run.host.messages.length, { timeout: 30_000 }).toBe(PASSWORDS_WAITING);
});

test.each<[string, Buffer]>([
  ['a hash of another kind', question('x', '$2b$10$abcdefghijklmnopqrstuv')],
  ['a hash that costs too much', question('x', HASH.replace('1024', '1048576'))],
  ['a size beyond what there is', Buffer.from([255, 0, 0, 0, 1])],
  ['a password that is too long', question('x'.repeat(PASSWORD_BYTES + 1))],
])('%s is a BadArgument', async (_name, args) => {
  expect((await ask(args)).results(1)).toEqual([Status.BadArgument]);
});
