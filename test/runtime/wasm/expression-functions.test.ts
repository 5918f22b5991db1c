import { describe, expect, test } from 'vitest';
import { Status } from '../../../src/runtime/wasm/abi.ts';
import { callForeign } from '../../support/foreign.ts';
import type { Script } from '../../support/wasm-guest.ts';
import { runScript, type Run } from '../../support/bare-run.ts';
import { BareStream } from '../../support/bare-stream.ts';

const token = (value: number): Uint8Array => Uint8Array.of(value, 0, 0, 0);

/** Creates an expression and evaluates it: the first has token 0. */
function evaluated(text: string, stream = new BareStream(), spec = {}): Promise<Run> {
  stream.attributes.set('request', { type: 'group' });
  return runScript(
    (s) => {
      callForeign(s, 'expr_create', Buffer.from(text));
      callForeign(s, 'expr_evaluate', token(0));
    },
    { stream, spec },
  );
}

describe('expr_create and expr_evaluate', () => {
  test.each([
    ['plugin_name', Buffer.from('test/chain#filter').toString('hex')],
    ['1 + 2', '0300000000000000'],
    ['1u', '0100000000000000'],
    ['1.5', '000000000000f83f'],
    ['true', '01'],
    ['duration("1s")', '00ca9a3b00000000'],
    ['b"\\x00\\xff"', '00ff'],
    ['"é"', 'c3a9'],
    ['[1]', '01000000' + '0800000000000000' + '010000000000000000' + '00'],
    ['{"a": true}', '01000000' + '0100000001000000' + '6100' + '0100'],
  ])('%s is %s', async (text, expected) => {
    const run = await evaluated(text);
    expect(run.results(2)).toEqual([Status.Ok, Status.Ok]);
    expect(Buffer.from(run.given(), 'latin1').toString('hex')).toBe(expected);
  });

  test('values are text for filters that ask for it', async () => {
    expect((await evaluated('1 + 2', undefined, { properties: 'text' })).given()).toBe('3');
  });

  test('reads what the stream has, and what other filters have set', async () => {
    const stream = new BareStream();
    stream.attributes.set('request\0path', { type: 'string', value: '/cart' });
    await runScript(
      (s) => {
        s.call('proxy_set_property', s.text('tier'), s.text('gold'));
        callForeign(s, 'weir.set_metadata', 'auth\0user\0anna');
      },
      { stream },
    );
    const run = await evaluated(
      'request.path + " " + string(tier) + " " + metadata.filter_metadata["auth"].user + " " + string(filter_state["wasm.tier"])',
      stream,
    );
    expect(run.given()).toBe('/cart gold anna gold');
  });

  test('does not see credentials without the capability', async () => {
    const stream = new BareStream();
    stream.attributes.set('request\0headers', {
      type: 'map',
      value: [
        ['cookie', { type: 'string', value: 'c' }],
        ['x', { type: 'string', value: 'y' }],
      ],
    });
    const text = 'request.headers.map(name, name)';
    const blind = await evaluated(text, stream, { capabilities: ['foreign', 'properties'] });
    expect(blind.given()).not.toContain('cookie');
    expect((await evaluated(text, stream)).given()).toContain('cookie');
    const none = await evaluated('1', stream, { capabilities: ['foreign'] });
    expect(none.results(2)).toEqual([Status.InternalFailure, Status.InternalFailure]);
  });

  test.each([
    ['1 +', [Status.BadArgument, Status.NotFound]],
    ['nothing(1)', [Status.BadArgument, Status.NotFound]],
    ['request.nothing', [Status.Ok, Status.InternalFailure]],
    ['1 / 0', [Status.Ok, Status.InternalFailure]],
    ['null', [Status.Ok, Status.SerializationFailure]],
    ['request', [Status.Ok, Status.SerializationFailure]],
  ])('%s answers %j', async (text, expected) => {
    const run = await evaluated(text);
    expect(run.results(2)).toEqual(expected);
    if (expected[1] !== Status.SerializationFailure) expect(run.host.messages.length).toBe(1);
    expect(run.plugin.traps).toBe(0);
  });

  test('each has a token of its own, good until it is deleted, and for every stream', async () => {
    const run = await runScript(
      (s) => {
        s.call('proxy_call_foreign_function', s.text('expr_evaluate'), s.text(token(1)), s.out(4), s.out(5));
        callForeign(s, 'expr_delete', token(1));
        callForeign(s, 'expr_delete', token(1));
        s.call('proxy_call_foreign_function', s.text('expr_evaluate'), s.text(token(1)), s.out(2), s.out(3));
      },
      {
        scripts: {
          proxy_on_vm_start: (s): Script => {
            callForeign(s, 'expr_create', '"first"');
            return callForeign(s, 'expr_create', '"second"').return(1);
          },
        },
      },
    );
    expect(run.results(6)).toEqual([Status.Ok, Status.Ok, Status.Ok, Status.NotFound, Status.Ok, Status.Ok]);
    expect(run.given(4)).toBe('second');
  });

  test.each(['expr_evaluate', 'expr_delete'])('%s takes four bytes', async (name) => {
    const run = await runScript((s) => callForeign(s, name, 'abc'));
    expect(run.results(1)).toEqual([Status.BadArgument]);
  });

  test('256 may be there at a time', async () => {
    const run = await runScript((s) => {
      for (let i = 0; i < 257; i++) callForeign(s, 'expr_create', '1');
      callForeign(s, 'expr_delete', token(3));
      callForeign(s, 'expr_create', '1');
    });
    const results = run.results(259);
    expect(results.slice(0, 256)).toEqual(Array(256).fill(Status.Ok));
    expect(results.slice(256)).toEqual([Status.InternalFailure, Status.Ok, Status.Ok]);
  });
});
