import { deflateSync, inflateSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { Status } from '../../../src/runtime/wasm/abi.ts';
import { callForeign } from '../../support/foreign.ts';
import { runScript } from '../../support/bare-run.ts';

const TEXT = 'hello world! '.repeat(50);

describe('compress', () => {
  test('answers zlib format', async () => {
    const run = await runScript((s) => callForeign(s, 'compress', TEXT));
    expect(run.results(1)).toEqual([Status.Ok]);
    const packed = Buffer.from(run.given(), 'latin1');
    expect(packed.subarray(0, 2).toString('hex')).toBe('789c');
    expect(inflateSync(packed).toString()).toBe(TEXT);
  });

  test('nothing becomes the empty zlib stream', async () => {
    const run = await runScript((s) => callForeign(s, 'compress', ''));
    expect(inflateSync(Buffer.from(run.given(), 'latin1'))).toHaveLength(0);
  });

  test('takes 256 KiB, and says so where it is asked for more', async () => {
    const run = await runScript(
      (s) => {
        const [name, size] = s.text('compress');
        for (const length of [256 * 1024, 256 * 1024 + 1])
          s.call('proxy_call_foreign_function', name, size, 0x8000, length, 0, 0);
      },
      { pages: 8 },
    );
    expect(run.results(2)).toEqual([Status.Ok, Status.BadArgument]);
    expect(run.host.messages).toEqual(['compress: more than 262144 bytes']);
  });
});

describe('uncompress', () => {
  test('undoes it', async () => {
    const run = await runScript((s) => callForeign(s, 'uncompress', deflateSync(TEXT)));
    expect(run.results(1)).toEqual([Status.Ok]);
    expect(run.given()).toBe(TEXT);
  });

  test('gives nothing for what holds nothing', async () => {
    const run = await runScript((s) => callForeign(s, 'uncompress', deflateSync('')));
    expect([run.results(1), run.word(1)]).toEqual([[Status.Ok], 0]);
  });

  test.each([
    ['text', Buffer.from('no zlib at all')],
    ['nothing', Buffer.alloc(0)],
    ['a stream that is cut', deflateSync(TEXT).subarray(0, 10)],
    ['a stream with a wrong sum', Buffer.concat([deflateSync(TEXT).subarray(0, -1), Buffer.from('x')])],
  ])('%s is SerializationFailure', async (_name, bytes) => {
    const run = await runScript((s) => callForeign(s, 'uncompress', bytes));
    expect(run.results(1)).toEqual([Status.SerializationFailure]);
    expect(run.plugin.traps).toBe(0);
  });

  test('stops at 1 MiB, however small the bytes are', async () => {
    const bomb = deflateSync(Buffer.alloc(1024 * 1024 + 1));
    const fits = deflateSync(Buffer.alloc(1024 * 1024));
    const run = await runScript(
      (s) => {
        callForeign(s, 'uncompress', bomb);
        callForeign(s, 'uncompress', fits);
      },
      { pages: 40 },
    );
    expect(run.results(2)).toEqual([Status.SerializationFailure, Status.Ok]);
    expect(run.word(1)).toBe(1024 * 1024);
    expect(run.host.messages).toEqual(['uncompress: more than 1048576 bytes']);
  });
});
