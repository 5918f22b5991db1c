import { describe, expect, test } from 'vitest';
import { Status } from '../../../src/runtime/wasm/abi.ts';
import { runScript } from '../../support/bare-run.ts';
import type { Script } from '../../support/wasm-guest.ts';
import { BareStream } from '../../support/bare-stream.ts';

const NONE: [number, number] = [0, 0];
const pair = (name: string, value: string): Uint8Array =>
  Buffer.concat([
    Buffer.from(Uint32Array.of(1, name.length, value.length).buffer),
    Buffer.from(`${name}\0${value}\0`),
  ]);

describe('a local reply', () => {
  test('carries status, details, body, headers and gRPC status; white space in details is replaced', async () => {
    const run = await runScript((s) =>
      s.call(
        'proxy_send_local_response',
        429,
        s.text('too many\tnow'),
        s.text('slow down'),
        s.text(pair('Retry-After', '3')),
        8,
      ),
    );
    const [reply] = run.stream.replies;
    expect(reply).toMatchObject({ status: 429, details: 'too_many_now', grpcStatus: 8 });
    expect(Buffer.from(reply!.body).toString()).toBe('slow down');
    expect(reply!.headers.map(([name, value]) => `${Buffer.from(name)}=${Buffer.from(value)}`)).toEqual([
      'retry-after=3',
    ]);
  });

  test('the callback stops the stream even where it says Continue', async () => {
    const reply = (s: Script): Script =>
      s.call('proxy_send_local_response', 403, NONE, NONE, NONE, -1).return(0);
    const run = await runScript(reply, {
      scripts: { proxy_on_request_body: reply, proxy_on_request_trailers: reply },
    });
    expect(run.action).toBe(4);
    expect(run.context.onRequestBody(0, true)).toBe(3);
    expect(run.context.onRequestTrailers(0)).toBe(1);
    expect(run.stream.replies).toHaveLength(3);
  });

  test('of two in one callback the first stands', async () => {
    const run = await runScript((s) =>
      s
        .call('proxy_send_local_response', 401, NONE, NONE, NONE, -1)
        .call('proxy_send_local_response', 500, NONE, NONE, NONE, -1),
    );
    expect(run.results(2)).toEqual([Status.Ok, Status.Ok]);
    expect(run.stream.replies.map(({ status }) => status)).toEqual([401]);
  });

  test.each([
    ['a status of 99', 99, NONE[0]],
    ['a status of 101', 101, NONE[0]],
    ['a status of 600', 600, NONE[0]],
  ])('%s is refused', async (_name, status) => {
    const run = await runScript((s) => s.call('proxy_send_local_response', status, NONE, NONE, NONE, -1));
    expect(run.results(1)).toEqual([Status.BadArgument]);
    expect(run.stream.replies).toEqual([]);
    expect(run.action).toBe(0);
  });

  test.each([
    [':status', '200'],
    ['content-length', '5'],
    ['transfer-encoding', 'chunked'],
    ['connection', 'close'],
  ])('its header %s is left out', async (name, value) => {
    const run = await runScript((s) =>
      s.call('proxy_send_local_response', 200, NONE, NONE, s.text(pair(name, value)), -1),
    );
    expect(run.stream.replies[0]!.headers).toEqual([]);
  });

  test('a header with a line break refuses it', async () => {
    const run = await runScript((s) =>
      s.call('proxy_send_local_response', 200, NONE, NONE, s.text(pair('a', 'b\r\nc: d')), -1),
    );
    expect(run.results(1)).toEqual([Status.BadArgument]);
  });

  test('a gRPC status beyond 16 is none', async () => {
    const run = await runScript((s) => s.call('proxy_send_local_response', 200, NONE, NONE, NONE, 17));
    expect(run.stream.replies[0]!.grpcStatus).toBe(-1);
  });

  test('a root context has nothing to answer', async () => {
    const run = await runScript(() => {}, {
      scripts: {
        proxy_on_configure: (s) => s.call('proxy_send_local_response', 200, NONE, NONE, NONE, -1).return(1),
      },
    });
    expect(run.results(1)).toEqual([Status.BadArgument]);
  });
});

describe('resuming and resetting', () => {
  test('reach the stream after the callback, before its action is known; twice does no harm', async () => {
    const order: string[] = [];
    const stream = new BareStream();
    stream.onResume = (type) => order.push(`resume ${type}`);
    const run = await runScript(
      (s) =>
        s
          .call('proxy_continue_stream', 0)
          .call('proxy_continue_stream', 0)
          .call('proxy_continue_stream', 1)
          .call('proxy_close_stream', 1)
          .return(1),
      { stream },
    );
    order.push(`action ${run.action}`);
    expect(run.results(4)).toEqual([0, 0, 0, 0]);
    expect(order).toEqual(['resume 0', 'resume 0', 'resume 1', 'action 1']);
    expect(stream.closed).toEqual([1]);
  });

  test.each([
    [2, Status.Ok],
    [3, Status.Ok],
    [4, Status.BadArgument],
    [0xffff_ffff, Status.BadArgument],
  ])('stream type %i is no part of an HTTP stream: continuing answers %i', async (type, expected) => {
    const run = await runScript((s) =>
      s.call('proxy_continue_stream', type).call('proxy_close_stream', type),
    );
    expect(run.results(2)).toEqual([expected, Status.BadArgument]);
    expect(run.stream.resumed).toEqual([]);
    expect(run.stream.closed).toEqual([]);
  });

  test('0.1.0 has its own names', async () => {
    const run = await runScript(
      (s) => s.call('proxy_continue_request').call('proxy_continue_response').call('proxy_clear_route_cache'),
      { abi: '0.1.0' },
    );
    expect(run.stream.resumed).toEqual([0, 1]);
    expect(run.stream.routeCacheClears).toBe(1);
  });
});

describe('actions', () => {
  test.each([
    // returned, read as headers, body, trailers action
    [0, 0, 0, 0],
    [1, 1, 1, 1],
    [2, 2, 2, 1],
    [3, 3, 3, 1],
    [4, 4, 3, 1],
    [99, 4, 3, 1],
    [-1, 4, 3, 1],
    [-2, 4, 3, 1],
  ])('%i is read per phase as %i, %i, %i', async (returned, headers, body, trailers) => {
    const returns = (s: Script): Script => s.return(returned);
    const run = await runScript(returns, {
      scripts: {
        proxy_on_request_body: returns,
        proxy_on_request_trailers: returns,
        proxy_on_response_headers: returns,
        proxy_on_response_body: returns,
        proxy_on_response_trailers: returns,
      },
    });
    expect(run.action).toBe(headers);
    expect(run.context.onRequestBody(1, false)).toBe(body);
    expect(run.context.onRequestTrailers(1)).toBe(trailers);
    expect(run.context.onResponseHeaders(1, false)).toBe(headers);
    expect(run.context.onResponseBody(1, false)).toBe(body);
    expect(run.context.onResponseTrailers(1)).toBe(trailers);
  });
});
