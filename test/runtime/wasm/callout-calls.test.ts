import { describe, expect, test } from 'vitest';
import { HeaderBlock, MessageKind } from '../../../src/runtime/http/headers.ts';
import { Status } from '../../../src/runtime/wasm/abi.ts';
import { pairs } from '../../support/pairs.ts';
import type { Script, Scripts } from '../../support/wasm-guest.ts';
import { runScript, type Run, type RunOptions } from '../../support/bare-run.ts';
import { BareHost } from '../../support/bare-host.ts';

const HEAD: [string, string][] = [
  [':method', 'POST'],
  [':path', '/check'],
  [':authority', 'auth.test'],
  ['X-Token', 't'],
];

const send = (s: Script, timeoutMs = 250, name = 'auth', head = HEAD): Script =>
  s.call(
    'proxy_http_call',
    s.text(name),
    s.text(pairs(...head)),
    s.text('body'),
    s.text(pairs(['end', '1'])),
    timeoutMs,
    s.out(0),
  );

/** Logs, and leaves head, body, trailers and status of the answer in the out area. */
const READS: Scripts = {
  proxy_on_http_call_response: (s) =>
    s
      .call('proxy_log', 2, s.text('answered'))
      .call('proxy_get_header_map_value', 6, s.text(':status'), s.out(0), s.out(1))
      .call('proxy_get_buffer_bytes', 4, 0, 100, s.out(2), s.out(3))
      .call('proxy_get_header_map_value', 7, s.text('end'), s.out(4), s.out(5))
      .call('proxy_get_status', s.out(6), s.out(6), s.out(7)),
};

const run = (script: (s: Script) => Script, options: RunOptions = {}): Promise<Run> =>
  runScript(script, { scripts: READS, ...options });

function answer(kind: MessageKind, fields: [string, string][]): HeaderBlock {
  const block = new HeaderBlock();
  block.reset(kind);
  for (const [name, value] of fields) {
    if (name === ':status') block.setValue(0, Buffer.from(value), 0, value.length);
    else block.appendText(name, value);
  }
  return block;
}

describe('sending', () => {
  test('the transport gets cluster, head, body, trailers and time limit; the guest an id', async () => {
    const ran = await run((s) => send(s));
    expect(ran.results(1)).toEqual([Status.Ok]);
    expect(ran.word(0)).toBe(1);
    expect(ran.host.callouts.sent).toMatchObject([
      {
        cluster: 7,
        head: [...HEAD.slice(0, 3), [':scheme', 'http'], ['x-token', 't']],
        body: 'body',
        trailers: [['end', '1']],
        timeoutMs: 250,
      },
    ]);
  });

  test.each([
    [0, 5000],
    [60_000, 5000],
    [20, 20],
  ])('a time limit of %i ms becomes %i', async (asked, expected) => {
    expect((await run((s) => send(s, asked))).host.callouts.sent[0]!.timeoutMs).toBe(expected);
  });

  test.each<[string, (s: Script) => Script, RegExp]>([
    [
      'an unknown upstream',
      (s) => send(s, 1, 'nobody'),
      /no upstream is named "nobody"; this filter may call: auth/,
    ],
    [
      'no path',
      (s) =>
        send(s, 1, 'auth', [
          [':method', 'GET'],
          [':authority', 'a'],
        ]),
      /:path is missing/,
    ],
    ['a negative time limit', (s) => send(s, -1), /the time limit is negative/],
    [
      'a header with a line break',
      (s) => send(s, 1, 'auth', [...HEAD, ['a', 'b\n']]),
      /a header is not valid/,
    ],
  ])('%s is BadArgument, and the log says why', async (_name, script, why) => {
    const ran = await run(script);
    expect(ran.results(1)).toEqual([Status.BadArgument]);
    expect(ran.host.callouts.sent).toEqual([]);
    expect(ran.host.messages[0]).toMatch(why);
  });

  test('what the transport does not take is InternalFailure', async () => {
    const host = new BareHost();
    host.callouts.refuses = true;
    expect((await run((s) => send(s), { host })).results(1)).toEqual([Status.InternalFailure]);
  });

  test('a stream has ten under way at most', async () => {
    const ran = await run((s) => {
      for (let i = 0; i < 11; i++) send(s);
      return s;
    });
    expect(ran.results(11)).toEqual([...Array<number>(10).fill(Status.Ok), Status.InternalFailure]);
    ran.host.callouts.sent[0]!.sink.onFailure(1000, 'reset');
    expect(ran.context.outstanding).toBe(9);
  });
});

describe('the answer', () => {
  test('is delivered once, readable within the callback only', async () => {
    const ran = await run((s) => send(s));
    const [{ sink, token }] = ran.host.callouts.sent as [Run['host']['callouts']['sent'][number]];
    const head = answer(MessageKind.Response, [[':status', '204']]);
    const trailers = answer(MessageKind.Trailers, [['end', 'yes']]);
    sink.onResponse(token, head, Buffer.from('hello'), trailers);
    sink.onResponse(token, head, Buffer.from('again'), null);
    expect(ran.host.messages).toEqual(['answered']);
    expect([ran.given(0), ran.given(2), ran.given(4)]).toEqual(['204', 'hello', 'yes']);
    expect(ran.plugin.traps).toBe(0);
  });

  test.each([
    ['timeout', '504'],
    ['unavailable', '503'],
  ])('%s looks like %s, as in Envoy', async (reason, status) => {
    const ran = await run((s) => send(s));
    ran.host.callouts.sent[0]!.sink.onFailure(1000, reason);
    expect(ran.given(0)).toBe(status);
    expect(ran.given(6)).toBe(reason);
  });

  test('a reset has no head, and its status says why', async () => {
    const ran = await runScript((s) => send(s), {
      scripts: {
        proxy_on_http_call_response: (s) =>
          s
            .call('proxy_get_header_map_pairs', 6, s.out(0), s.out(1))
            .call('proxy_get_status', s.out(2), s.out(3), s.out(4)),
      },
    });
    ran.host.callouts.sent[0]!.sink.onFailure(1000, 'reset');
    expect(ran.given(0)).toBe('\0\0\0\0');
    expect(ran.word(2)).toBe(11);
    expect(ran.given(3)).toBe('reset');
  });

  test('is delivered when its stream is over, and not when its plugin is', async () => {
    const ran = await run((s) => send(send(s)));
    ran.context.finish();
    ran.host.callouts.sent[0]!.sink.onFailure(1000, 'reset');
    expect(ran.host.messages).toEqual(['answered']);
    await ran.plugin.retire();
    expect(ran.host.callouts.cancelled).toEqual([1001]);
    ran.host.callouts.sent[1]!.sink.onFailure(1001, 'reset');
    expect(ran.host.messages).toEqual(['answered']);
  });

  test('resumes the stream that is made effective; its maps stay readable', async () => {
    const ran = await runScript((s) => send(s).return(1), {
      scripts: {
        proxy_on_http_call_response: (s) =>
          s
            .call('proxy_set_effective_context', 2)
            .call('proxy_get_header_map_value', 6, s.text(':status'), s.out(0), s.out(1))
            .call('proxy_replace_header_map_value', 0, s.text('x-auth'), s.text('ok'))
            .call('proxy_continue_stream', 0),
      },
    });
    const head = answer(MessageKind.Response, [[':status', '200']]);
    ran.host.callouts.sent[0]!.sink.onResponse(1000, head, Buffer.alloc(0), null);
    expect(ran.given(0)).toBe('200');
    expect(ran.stream.headerMap(0)!.get('x-auth')).toBe('ok');
    expect(ran.stream.resumed).toEqual([0]);
  });
});
