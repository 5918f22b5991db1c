// What the kit plays around a filter: clock, servers, shared data, other filters, connections.
import { describe, expect, test } from 'vitest';
import { everySplit, openFilter } from '../../../filters-sdk/testing/kit.ts';
import type { GrpcCall } from '../../../filters-sdk/testing/testing.d.ts';
import { filterBytes } from '../../support/filter.ts';
import { pluginBytes } from '../../support/plugin.ts';

const KIT = pluginBytes('sdk-kit');
const GRPC = pluginBytes('sdk-grpc');

const messages = (lines: readonly { readonly message: string }[]): string[] =>
  lines.map(({ message }) => message);

describe('time', () => {
  test('comes when the test says so: ticks, calls from the root context', async () => {
    const filter = await openFilter(KIT, { config: 'tick', upstreams: { auth: () => ({ status: 204 }) } });
    await filter.clock.advance(4);
    expect(messages(filter.logs)).not.toContain('tick true');
    await filter.clock.advance(1);
    expect(messages(filter.logs)).toEqual(expect.arrayContaining(['tick true', 'root got 204']));
    await filter.tick();
    expect(messages(filter.logs).filter((line) => line === 'tick true')).toHaveLength(2);
  });

  test('is what guests read and limits are kept by', async () => {
    const filter = await openFilter(KIT, { clock: new Date('2026-01-01T00:00:00Z') });
    const take = async (): Promise<string> =>
      (await filter.exchange({ request: { path: '/limit' } })).upstream!.headers['x-limit']!.slice(0, 3);
    // State and what remains, of two a second.
    expect([await take(), await take(), await take()]).toEqual(['1 1', '1 0', '0 0']);
    await filter.clock.advance(500);
    expect(await take()).toBe('1 0');
    expect(filter.clock.now).toBe(Date.parse('2026-01-01T00:00:00.500Z'));
    expect(messages(filter.logs).at(-1)).toBe('deleted');
  });

  test('brings the next instance after a trap, and the one after later', async () => {
    const filter = await openFilter(KIT);
    const status = async (path: string): Promise<number> =>
      (await filter.exchange({ request: { path } })).answer.status;
    expect(await status('/abort')).toBe(500);
    await filter.clock.advance(0);
    expect(await status('/abort')).toBe(500);
    await filter.clock.advance(0);
    expect(await status('/')).toBe(500);
    await filter.clock.advance(60_000);
    expect(await status('/')).toBe(200);
    expect(filter.traps).toBe(2);
  });
});

describe('servers', () => {
  test('fail as a filter knows it', async () => {
    const filter = await openFilter(KIT, { upstreams: ['auth'] });
    filter.onCall('auth', [{ fail: 'reset' }, { fail: 'unavailable' }]);
    const reset = await filter.exchange({ request: { path: '/call' } });
    expect(reset.answer).toMatchObject({ status: 503, body: 'failed: reset13true' });
    const unavailable = await filter.exchange({ request: { path: '/call' } });
    expect(unavailable.calls[0]?.outcome).toBe('unavailable');
    expect(() => filter.onCall('nobody', [])).toThrow("upstreams: ['nobody']");
  });

  test('answer gRPC calls, whole or message by message', async () => {
    const filter = await openFilter(GRPC, { upstreams: ['echo'] });
    filter.onGrpc('echo', ({ method, messages: [hello] }) => ({
      initialMetadata: { 'x-from': method },
      messages: [`${Buffer.from(hello!).toString()} back`],
    }));
    const unary = await filter.exchange({ request: { path: '/unary' } });
    expect(unary.upstream?.headers['x-reply']).toBe('hello back');
    expect(unary.grpcCalls[0]).toMatchObject({ service: 'test.Echo', method: 'Unary', timeoutMs: 300 });

    filter.onGrpc('echo', () => ({ status: 16, message: 'nobody' }));
    const refused = await filter.exchange({ request: { path: '/fail' } });
    expect(refused.answer).toMatchObject({ status: 403, body: '16 nobody' });

    let call: GrpcCall | undefined;
    filter.onGrpc('echo', (opened) => void (call = opened));
    const chat = await filter.exchange({ request: { path: '/chat' } });
    expect(chat.state).toBe('waiting');
    call!.sendInitialMetadata({ 'x-a': '1' });
    call!.send('eins');
    await chat.settle();
    expect(call!.messages.map((bytes) => Buffer.from(bytes).toString())).toEqual(['one', 'two']);
    call!.send('zwei');
    await chat.settle();
    expect(call!.ended).toBe(true);
    call!.close(0, '', { 'x-heard': '2' });
    await chat.settle();
    expect(chat.upstream?.headers['x-chat']).toBe('head true eins zwei heard 2');
  });

  test('that never answer a gRPC call let its time run out', async () => {
    const filter = await openFilter(GRPC, { upstreams: ['echo'] });
    const slow = await filter.exchange({ request: { path: '/slow' } });
    await filter.clock.advance(299);
    expect(slow.state).toBe('waiting');
    await filter.clock.advance(1);
    expect(slow.answer.status).toBe(403);
  });
});

test('shared data and queues are there to be set and to be read', async () => {
  const filter = await openFilter(KIT);
  filter.shared.set('hits', '41');
  const exchange = await filter.exchange({ request: { path: '/shared' } });
  expect(exchange.upstream?.headers['x-shared']).toMatch(/^41 true/);
  expect(filter.shared.get('hits')).toBe('42');
  expect(filter.shared.keys('h')).toEqual(['hits']);
  filter.shared.enqueue('jobs', 'mine');
  await exchange.settle();
  expect(messages(filter.logs)).toEqual(expect.arrayContaining(['queue job 41', 'queue mine']));
});

test('metrics are known by the names that the filter gave them', async () => {
  const filter = await openFilter(KIT);
  await filter.exchange({ request: { path: '/metrics' } });
  expect(filter.metric('seen_total{route="a=b",class="2xx"}')).toBe(3);
  expect(filter.metric('level')).toBe(7);
  expect(filter.metric('none')).toBeUndefined();
  expect(filter.histogram('size')).toEqual({ values: [42], sum: 42 });
});

test('attributes are those of the test where it gives some', async () => {
  const filter = await openFilter(KIT);
  const { upstream } = await filter.exchange({
    request: { path: '/properties' },
    properties: {
      'metadata\0filter_metadata\0envoy.lb\0canary': 'on',
      'source.port': { int: 4711 },
      'connection.mtls': true,
      'kit.ratio': 0.5,
    },
  });
  expect(upstream?.headers['x-properties']).toBe('true yes on 4711 -1 true 0.5');
});

test('capabilities and budgets are those of a weir that serves', async () => {
  const request = { path: '/bytes', headers: { 'x-value': '1' } };
  const mute = await openFilter(KIT, { capabilities: [] });
  const exchange = await mute.exchange({ request });
  expect(exchange.requestChanges).toEqual([]);
  const credentials = { 'x-api-key': 'k', authorization: 'Bearer k' };
  const config = { from: [{ header: 'authorization', scheme: 'Bearer' }], keys: [{ name: 'ann', key: 'k' }] };
  const bytes = filterBytes('api-key');
  const blind = await openFilter(bytes, { config });
  expect((await blind.exchange({ request: { headers: credentials } })).answer.status).toBe(401);
  const seeing = await openFilter(bytes, { config, capabilities: ['default', 'secrets'] });
  expect((await seeing.exchange({ request: { headers: credentials } })).answer.status).toBe(200);
});

test('a body comes out the same wherever it is cut', async () => {
  const filter = await openFilter(KIT);
  for (const body of everySplit('a body')) {
    const { upstream } = await filter.exchange({ request: { path: '/', method: 'PUT', body } });
    expect(upstream?.body).toBe('<{a body:6]>');
  }
});

test('a body larger than the filter may hold is refused', async () => {
  const filter = await openFilter(KIT, { bodyBufferBytes: 4 });
  const { answer } = await filter.exchange({ request: { path: '/', method: 'PUT', body: ['abcdef', 'g'] } });
  expect(answer).toMatchObject({ status: 413, from: 'weir', details: 'filter_body_too_large{filter}' });
});

test('an exchange goes step by step, and ends where the client leaves', async () => {
  const filter = await openFilter(KIT);
  const exchange = filter.stream();
  exchange.requestHeaders({ method: 'PUT', path: '/' }, false);
  exchange.requestBody('one ');
  expect(exchange.callbacks.map(({ callback, action }) => `${callback} ${action}`)).toEqual([
    'proxy_on_request_headers Continue',
    'proxy_on_request_body StopIterationAndBuffer',
  ]);
  expect(exchange.upstream).toBeNull();
  exchange.requestBody('two', true);
  expect(exchange.pauses).toEqual([
    {
      callback: 'proxy_on_request_body',
      action: 'StopIterationAndBuffer',
      resumedBy: 'proxy_on_request_body',
    },
  ]);
  expect(exchange.upstream?.body).toBe('<{one two:7]>');
  expect(() => exchange.answer).toThrow('the upstream has not answered yet');
  exchange.responseHeaders({ status: 200 }, false);
  exchange.disconnect();
  expect(exchange.state).toBe('reset');
  expect(messages(exchange.logs).at(-1)).toBe('deleted');
});

test('a stream that the filter resets has no answer', async () => {
  const filter = await openFilter(KIT);
  const exchange = await filter.exchange({ request: { path: '/reset' } });
  expect(exchange.state).toBe('reset');
  expect(() => exchange.answer).toThrow('the stream was reset (filter_closed_stream)');
});

test('filters of one worker make a chain, and share what filters share', async () => {
  const key = await openFilter(filterBytes('api-key'), {
    name: 'key',
    config: { from: [{ header: 'x-api-key' }], keys: [{ name: 'ann', key: 'k' }] },
  });
  const kit = await key.open(KIT, { name: 'kit' });
  const chain = key.chain(kit);
  const refused = await chain.exchange();
  expect(refused.answer.status).toBe(401);
  expect(refused.logs).toEqual([]);
  const admitted = await chain.exchange({ request: { path: '/shared', headers: { 'x-api-key': 'k' } } });
  expect(admitted.upstream?.headers).toMatchObject({ 'x-shared': '0 true false true' });
  expect(key.shared.get('hits')).toBe('1');
  expect(admitted.transcript()).toContain('\n  key proxy_on_request_headers = Continue\n');
});

describe('a TCP connection', () => {
  const LINES = pluginBytes('line-guard');

  test('carries bytes both ways, held as long as the filter holds them', async () => {
    const filter = await openFilter(LINES, { config: 'drop' });
    const connection = filter.tcp();
    expect(connection.state).toBe('open');
    connection.fromClient('hel');
    expect(connection.toUpstream).toHaveLength(0);
    connection.fromClient('lo\n');
    expect(Buffer.from(connection.toUpstream).toString()).toBe('hello\n');
    connection.fromUpstream('hi');
    expect(Buffer.from(connection.toClient).toString()).toBe('> hi');
    connection.close();
    expect(messages(connection.logs)).toEqual(['from 127.0.0.1:50000', 'the client left', 'seen 6']);
    expect(filter.metric('lines_total')).toBe(1);
  });

  test('is closed by the filter', async () => {
    const filter = await openFilter(LINES, { config: 'drop' });
    const connection = filter.tcp({ properties: { 'source.address': '10.0.0.7:1' } });
    connection.fromClient('drop it\n');
    expect(connection.state).toBe('closed');
    expect(connection.toUpstream).toHaveLength(0);
    expect(messages(connection.logs).slice(0, 2)).toEqual(['from 10.0.0.7:1', 'weir closed']);
  });
});
