import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { CloseType, Status } from '../../../src/runtime/wasm/abi.ts';
import { TRAPPED, type StreamContext } from '../../../src/runtime/wasm/context.ts';
import type { Plugin } from '../../../src/runtime/wasm/plugin.ts';
import { op } from '../../support/wasm-encoder.ts';
import { given, guest, results, type Script, type Scripts } from '../../support/wasm-guest.ts';
import { BareHost } from '../../support/bare-host.ts';
import { BareStream } from '../../support/bare-stream.ts';

class BareTcpStream extends BareStream {
  override protocol = 'tcp' as const;
}

/** Logs its name and a parameter, which is one digit. */
const trace =
  (name: string, parameter = 0) =>
  (script: Script): void => {
    const [at, size] = script.text(`${name} #`);
    script.run(op.i32(at + size - 1), op.localGet(parameter), op.i32(48), op.add, [0x3a, 0, 0]);
    script.call('proxy_log', 2, at, size);
  };

async function open(
  scripts: Scripts,
): Promise<{ host: BareHost; plugin: Plugin; stream: BareTcpStream; context: StreamContext }> {
  const host = new BareHost();
  const plugin = await host.start(guest(scripts));
  const stream = new BareTcpStream();
  return { host, plugin, stream, context: plugin.createContext(stream)! };
}

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

describe('the life of a TCP context', () => {
  test('create, connection, data, closes, then done, log and delete', async () => {
    const { host, context } = await open({
      proxy_on_context_create: trace('create'),
      proxy_on_new_connection: trace('new'),
      proxy_on_downstream_data: trace('down', 1),
      proxy_on_upstream_data: trace('up', 2),
      proxy_on_upstream_connection_close: trace('upstream closed by', 1),
      proxy_on_downstream_connection_close: trace('downstream closed by', 1),
      proxy_on_done: trace('done'),
      proxy_on_log: trace('log'),
      proxy_on_delete: trace('delete'),
    });
    context.onNewConnection();
    context.onDownstreamData(7, false);
    context.onUpstreamData(0, true);
    context.onUpstreamClose(CloseType.Remote);
    context.onDownstreamClose(CloseType.Local);
    context.finish();
    expect(host.messages).toEqual([
      'create 1',
      'create 2',
      'new 2',
      'down 7',
      'up 1',
      'upstream closed by 2',
      'downstream closed by 1',
      'done 2',
      'log 2',
      'delete 2',
    ]);
  });

  test('a filter whose only callback for TCP is the log gets a context at the end', async () => {
    const logs = await open({ proxy_on_request_headers: (s) => s, proxy_on_log: trace('log') });
    logs.context.finish();
    expect(logs.host.messages).toEqual(['log 2']);
  });

  test('a filter that saw nothing of the connection is told nothing of its end', async () => {
    const unseen = await open({ proxy_on_new_connection: trace('new'), proxy_on_log: trace('log') });
    unseen.context.finish();
    expect(unseen.host.messages).toEqual([]);
  });

  test('a trap fails the context; the end is not told to the instance that is gone', async () => {
    const { host, plugin, context } = await open({
      proxy_on_downstream_data: (s) => s.trap(),
      proxy_on_downstream_connection_close: trace('closed'),
      proxy_on_log: trace('log'),
    });
    expect(context.onDownstreamData(1, false)).toBe(TRAPPED);
    context.onDownstreamClose(CloseType.Remote);
    context.finish();
    expect(plugin.traps).toBe(1);
    expect(host.messages.filter((message) => /^(closed|log)/.test(message))).toEqual([]);
  });
});

describe('actions of TCP callbacks', () => {
  test.each([
    [0, 0],
    [1, 1],
    [2, 1],
    [-1, 1],
    [-2, 1],
  ])('%i is read as %i', async (returned, action) => {
    const returns = (s: Script): Script => s.return(returned);
    const { context } = await open({
      proxy_on_new_connection: returns,
      proxy_on_downstream_data: returns,
      proxy_on_upstream_data: returns,
    });
    expect(context.onNewConnection()).toBe(action);
    expect(context.onDownstreamData(1, false)).toBe(action);
    expect(context.onUpstreamData(1, false)).toBe(action);
  });

  test('a callback that is not exported lets pass', async () => {
    const { context } = await open({});
    expect([
      context.onNewConnection(),
      context.onDownstreamData(1, true),
      context.onUpstreamData(1, true),
    ]).toEqual([0, 0, 0]);
  });
});

describe('data of a TCP stream', () => {
  const read = (type: number) => (s: Script) =>
    s
      .call('proxy_get_buffer_bytes', type, 1, 3, s.out(0), s.out(1))
      .call('proxy_get_buffer_status', type, s.out(2), s.out(3))
      .call('proxy_set_buffer_bytes', type, 0, 2, s.text('AB-'));

  test.each([
    ['downstream', 2, 'onDownstreamData'],
    ['upstream', 3, 'onUpstreamData'],
  ] as const)('%s data is read and spliced', async (name, type, callback) => {
    const { stream, context } = await open({ [`proxy_on_${name}_data`]: read(type) });
    stream.setBody(type, 'xyz123');
    context[callback](6, false);
    expect(results(context.vm, 3)).toEqual([0, 0, 0]);
    expect(given(context).toString()).toBe('yz1');
    expect(stream.bodyText(type)).toBe('AB-z123');
  });

  test('a trap undoes the splice', async () => {
    const { stream, context } = await open({ proxy_on_downstream_data: (s) => read(2)(s).trap() });
    stream.setBody(2, 'xyz123');
    expect(context.onDownstreamData(6, false)).toBe(TRAPPED);
    expect(stream.bodyText(2)).toBe('xyz123');
  });

  test('buffers of the other protocol, and those that hold nothing now, are not found', async () => {
    const ask = (type: number) => (s: Script) =>
      s
        .call('proxy_get_buffer_bytes', type, 0, 9, s.out(0), s.out(1))
        .call('proxy_set_buffer_bytes', type, 0, 0, s.text('!'));
    const tcp = await open({ proxy_on_new_connection: (s) => ask(3)(ask(0)(s)) });
    tcp.stream.setBody(0, 'not a request');
    tcp.context.onNewConnection();
    expect(results(tcp.context.vm, 4)).toEqual(Array(4).fill(Status.NotFound));
    const http = await new BareHost().start(guest({ proxy_on_request_headers: ask(2) }));
    const stream = new BareStream();
    stream.setBody(2, 'not a connection');
    const context = http.createContext(stream)!;
    context.onRequestHeaders(stream.request().count, true);
    expect(results(context.vm, 2)).toEqual([Status.NotFound, Status.NotFound]);
    expect([tcp.stream.bodyText(0), stream.bodyText(2)]).toEqual(['not a request', 'not a connection']);
  });
});

describe('what a TCP context asks for', () => {
  test('continuing and closing reach both sides, those of HTTP none', async () => {
    const { stream, context } = await open({
      proxy_on_new_connection: (s) => {
        for (const type of [2, 3, 0, 1]) s.call('proxy_continue_stream', type);
        for (const type of [2, 3, 0, 1]) s.call('proxy_close_stream', type);
      },
    });
    context.onNewConnection();
    expect(results(context.vm, 8)).toEqual([0, 0, 0, 0, 0, 0, Status.BadArgument, Status.BadArgument]);
    expect(stream.resumed).toEqual([2, 3]);
    expect(stream.closed).toEqual([2, 3]);
  });

  test('there are no maps to read or write, and no local reply', async () => {
    const { host, stream, context } = await open({
      proxy_on_new_connection: (s) =>
        s
          .call('proxy_send_local_response', 403, s.text(''), s.text('no'), s.text(''), -1)
          .call('proxy_get_header_map_value', 0, s.text('x'), s.out(0), s.out(1))
          .call('proxy_add_header_map_value', 0, s.text('x'), s.text('y')),
    });
    context.onNewConnection();
    expect(results(context.vm, 3)).toEqual([2, 2, 2]);
    expect(stream.replies).toEqual([]);
    expect(host.messages).toContain('proxy_send_local_response: a TCP stream has no response');
  });
});
