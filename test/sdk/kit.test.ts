import { describe, expect, test } from 'vitest';
import type { PluginSpec } from '../../src/runtime/snapshot.ts';
import { HeaderBlock, MessageKind } from '../../src/runtime/http/headers.ts';
import { pluginBytes } from '../support/plugin.ts';
import { BareHost } from '../support/bare-host.ts';
import { BareStream, type Fields } from '../support/bare-stream.ts';

async function start(spec: Partial<PluginSpec> = {}, host = new BareHost()) {
  const plugin = await host.start(pluginBytes('sdk-kit'), spec);
  const request = (path: string, fields: Fields = [], stream = new BareStream()) => {
    const head = stream.request([[':path', path], ...fields]);
    const context = plugin.createContext(stream)!;
    const action = context.onRequestHeaders(head.count, false);
    return { head, stream, context, action };
  };
  return { host, plugin, request };
}

const answer = (fields: Fields): HeaderBlock => {
  const block = new HeaderBlock();
  block.reset(MessageKind.Response);
  for (const [name, value] of fields) {
    const index = block.indexOf(Buffer.from(name));
    if (index >= 0) block.setValueText(index, value);
    else block.appendText(name, value);
  }
  return block;
};

describe('the SDK in the real host', () => {
  test('starts, configures, ends', async () => {
    const { host, plugin } = await start({ vmConfiguration: 'vm', configuration: 'c' });
    await plugin.retire();
    expect(host.messages).toEqual(['start vm', 'root done', 'root deleted']);
  });

  test('refuses a configuration', async () => {
    await expect(start({ configuration: 'refuse' })).rejects.toThrow('proxy_on_configure answered false');
  });

  test('looks at bytes without decoding them', async () => {
    const { request } = await start();
    const { head } = request('/bytes', [
      ['x-value', ' 12345 abc '],
      ['x-many', '1'],
      ['x-many', '2'],
    ]);
    const utf8 = (name: string) => Buffer.from(head.get(name)!, 'latin1').toString();
    expect(utf8('x-written')).toBe('12345 abc|-1|4|2|12|-9223372036854775807|é€😀');
    expect(utf8('x-text')).toBe('12345 ABC é');
    expect(['x-same', 'x-secret', 'x-ends', 'x-count', 'x-refused'].map((name) => head.get(name))).toEqual([
      'true',
      'true',
      'true',
      '2 of 12',
      'false',
    ]);
    expect(head.get('x-many')).toBeUndefined();
  });

  test('takes queries and cookies apart, every part of them', async () => {
    const { request } = await start();
    const parts = (path: string, fields: Fields = []) => request(path, fields).head.get('x-parts');
    expect(parts('/parts')).toBe('');
    expect(parts('/parts?')).toBe(':|');
    expect(parts('/parts?a=1&a=%32&c&=d&e=f=g')).toBe('a=1 a:1|a=%32 a:2|c c:|=d :d|e=f=g e:f=g|');
    expect(request('/parts?%c3%a9~-._aZ9', []).head.get('x-encoded')).toBe(
      '%25c3%25a9~-._aZ9%20%C3%A9~-._aZ9%3A%7C',
    );
    expect(parts('/parts?%61+b=x%2gy%&')).toBe('%61+b=x%2gy% a b:x%2gy%| :|');
    expect(
      parts('/parts', [
        ['cookie', 'a="b;c" ;d = "e"; f="'],
        ['cookie', 'a=""'],
      ]),
    ).toBe('a="b a:"b|c" c":|d = "e" d:e|f=" f:"|a="" a:|');
  });

  test('writes base64 and reads it again', async () => {
    const { request } = await start();
    for (const path of ['/parts', '/parts?', '/parts?a', '/parts?ab', '/parts?\u00ff\u00bf'])
      expect(request(path, []).head.get('x-base64')).toBe(
        `${Buffer.from(path, 'latin1').toString('base64')} true`,
      );
  });

  test('knows the spellings that servers take for the same field', async () => {
    const { request } = await start();
    const names = ['x-user', 'x_user', 'X.User', 'x-users', 'x-use', 'xauser'];
    const { head } = request(
      '/spelling',
      names.map((name) => [name, '1']),
    );
    expect(names.filter((name) => head.get(name) !== undefined)).toEqual(['x-users', 'x-use', 'xauser']);
  });

  test('reads and writes properties, typed', async () => {
    const { request } = await start();
    const stream = new BareStream();
    stream.attributes.set('metadata\0filter_metadata\0envoy.lb\0canary', { type: 'string', value: 'on' });
    stream.attributes.set('source\0port', { type: 'int', value: 4711n });
    stream.attributes.set('connection\0mtls', { type: 'bool', value: true });
    stream.attributes.set('kit\0ratio', { type: 'double', value: 0.5 });
    expect(request('/properties', [], stream).head.get('x-properties')).toBe('true yes on 4711 -1 true 0.5');
  });

  test('counts metrics with labels in their names', async () => {
    const { host, request } = await start();
    expect(request('/metrics').head.get('x-metrics')).toBe('3 7');
    expect(host.metrics.names).toEqual([
      'test/chain#filter/counter/seen_total{route="a=b",class="2xx"}',
      'test/chain#filter/gauge/level',
      'test/chain#filter/histogram/size',
    ]);
    expect(host.metrics.observations[2]).toEqual([42]);
  });

  test('shares data with compare-and-set, and queues', async () => {
    const { host, request } = await start();
    expect(request('/shared').head.get('x-shared')).toBe('0 true false true');
    expect(request('/shared').head.get('x-shared')).toBe('1 true false true');
    expect(request('/shared').head.get('x-shared')).toBe('2 true false true');
    await new Promise((resolve) => setImmediate(resolve));
    expect(host.messages.filter((message) => message.startsWith('queue'))).toEqual([
      'queue job 0',
      'queue job 1',
      'queue job 2',
    ]);
  });

  test('calls an upstream and goes on with its answer', async () => {
    const { host, request } = await start();
    const { head, stream, action } = request('/call');
    expect([action, head.get('x-sent')]).toEqual([1, 'true']);
    expect(host.callouts.sent).toMatchObject([{ cluster: 7, body: 'body', timeoutMs: 250 }]);
    expect(host.callouts.sent[0]!.head).toContainEqual(['x-a', 'b']);
    const { sink, token } = host.callouts.sent[0]!;
    sink.onResponse(
      token,
      answer([
        [':status', '201'],
        ['x-kind', 'new'],
      ]),
      Buffer.from('made'),
      null,
    );
    expect(head.get('x-answer')).toBe('201 new made');
    expect(stream.resumed).toEqual([0]);
  });

  test('a call that failed says why; one for a stream that is over is dropped', async () => {
    const { host, request } = await start();
    const first = request('/call');
    const second = request('/call');
    second.context.finish();
    for (const { sink, token } of host.callouts.sent) sink.onFailure(token, 'reset');
    expect(first.stream.replies[0]?.status).toBe(503);
    expect(Buffer.from(first.stream.replies[0]!.body).toString()).toBe('failed: reset');
    expect(second.stream.replies).toEqual([]);
    expect(second.stream.failed).toEqual([]);
  });

  test('ticks, and calls from the root context', async () => {
    const { host } = await start({ configuration: 'tick' });
    await expect.poll(() => host.messages).toContain('tick true');
    const { sink, token } = host.callouts.sent[0]!;
    sink.onResponse(token, answer([[':status', '204']]), Buffer.alloc(0), null);
    expect(host.messages).toContain('root got 204');
  });

  test('replaces bodies in the order of their calls, and marks every phase', async () => {
    const { request } = await start();
    const { stream, context } = request('/');
    stream.setBody(0, 'one');
    expect(context.onRequestBody(3, false)).toBe(1);
    stream.setBody(0, 'one two');
    expect(context.onRequestBody(7, true)).toBe(0);
    expect(stream.bodyText(0)).toBe('<{one two:7]>');
    const trailers = stream.requestTrailers([['a', 'b']]);
    context.onRequestTrailers(1);
    expect(trailers.get('x-trailers')).toBe('1');
    const head = stream.response();
    context.onResponseHeaders(1, false);
    expect(head.get('x-response')).toBe('1false');
    stream.setBody(1, '');
    context.onResponseBody(0, true);
    expect(stream.bodyText(1)).toBe('0true');
    const last = stream.responseTrailers([]);
    context.onResponseTrailers(0);
    expect(last.get('x-trailers')).toBe('0');
  });

  test('replies, replaces all fields, resets', async () => {
    const { request } = await start();
    expect(request('/reply').stream.replies).toMatchObject([{ status: 418, details: 'too_short' }]);
    const { head } = request('/replace', [['x-gone', '1']]);
    expect(head.get('x-gone')).toBeUndefined();
    expect(head.get('x-only')).toBe('one');
    expect(Number(head.get('x-id'))).toBeGreaterThan(1);
    expect(request('/reset').stream.closed).toEqual([0]);
  });

  test('ends a stream with done, log, delete', async () => {
    const { host, request } = await start();
    request('/bytes', [['x-value', '1']]).context.finish();
    expect(host.messages.slice(-3)).toEqual(['done', `log /bytes ${host.now}`, 'deleted']);
  });

  test('what it throws is logged with its place, and traps', async () => {
    const { host, request } = await start();
    expect(request('/abort').action).toBe(-1);
    expect(host.messages.join('\n')).toMatch(/abort: on purpose at test\/plugins\/sdk-kit\.ts:\d+:\d+/);
  });

  test('finds contexts again among many that live long', async () => {
    const { host, request } = await start();
    const kept = Array.from({ length: 500 }, () => request('/call'));
    for (let i = 0; i < 2000; i++) request('/').context.finish();
    for (const [i, { sink, token }] of host.callouts.sent.entries()) {
      sink.onResponse(
        token,
        answer([
          [':status', '200'],
          ['x-kind', String(i)],
        ]),
        Buffer.alloc(0),
        null,
      );
    }
    expect(kept.map(({ head }) => head.get('x-answer'))).toEqual(kept.map((_, i) => `200 ${i}`));
    for (const { context } of kept) context.finish();
  });
});

describe('limits', () => {
  test('are taken from the host, and late answers reach their stream', async () => {
    const { host, request } = await start();
    expect(request('/limit').head.get('x-limit')).toBe('1 9 10 500 0');
    host.ledger.decision = null;
    const { head, action, stream } = request('/limit');
    expect(action).toBe(1);
    host.ledger.taken.at(-1)!.done({ allowed: false, remaining: 4, limit: 5, resetMs: 0, retryAfterMs: 1 });
    expect(head.get('x-limit')).toBe('late false 4');
    expect(stream.resumed).toEqual([0]);
  });

  test('are counted in shared data where the host does not know them', async () => {
    // Another name, so that this host has no such function.
    const bytes = Buffer.from(pluginBytes('sdk-kit'));
    const name = Buffer.from('weir.limits_take', 'utf16le');
    const other = Buffer.from('none.limits_take', 'utf16le');
    const at = bytes.indexOf(name);
    expect(at).toBeGreaterThan(0);
    other.copy(bytes, at);
    const host = new BareHost();
    const plugin = await host.start(bytes);
    const take = (): string => {
      const stream = new BareStream();
      const head = stream.request([[':path', '/limit']]);
      plugin.createContext(stream)!.onRequestHeaders(head.count, true);
      return head.get('x-limit')!;
    };
    // Two a second: state, remaining, limit, reset, retry after.
    expect([take(), take(), take()]).toEqual(['1 1 2 500 0', '1 0 2 1000 0', '0 0 2 1000 500']);
    host.now += 499;
    expect(take()).toBe('0 0 2 501 1');
    host.now += 1;
    expect(take()).toBe('1 0 2 1000 0');
    expect(host.ledger.taken).toEqual([]);
  });
});
