import { describe, expect, test } from 'vitest';
import { everySplit, openFilter } from '../../../filters-sdk/testing/kit.ts';
import { pluginBytes } from '../../support/plugin.ts';

const KIT = pluginBytes('sdk-kit');

describe('an exchange in the test kit', () => {
  test('shows what the upstream saw and what the client got, as text too', async () => {
    const filter = await openFilter(KIT);
    const exchange = await filter.exchange({
      request: { path: '/bytes?x', headers: { 'x-value': ' 1 ' }, method: 'POST', body: 'hello' },
      response: ({ body }) => ({ status: 201, headers: { 'x-up': 'yes' }, body: `got ${body}` }),
    });
    expect(exchange.upstream).toMatchObject({
      method: 'POST',
      path: '/bytes?x',
      body: '<{hello:5]>',
      headers: { 'content-length': '11' },
    });
    expect(exchange.answer).toMatchObject({ status: 201, from: 'upstream', body: 'got <{hello:5]>15true' });
    expect(exchange.responseChanges).toEqual(['+ x-response: 3false']);
    expect(exchange.transcript()).toBe(`client → POST http://example.test/bytes?x
    x-value:  1 
    content-length: 5
  proxy_on_request_headers = Continue
client → body, the last of it: "hello"
  proxy_on_request_body = Continue
→ upstream POST http://example.test/bytes?x
    x-value: 1
    content-length: 11
    body: "<{hello:5]>"
upstream → 201
    x-up: yes
    content-length: 15
  proxy_on_response_headers = Continue
    + x-response: 3false
upstream → body, the last of it: "got <{hello:5]>"
  proxy_on_response_body = Continue
→ client 201
    x-up: yes
    x-response: 3false
    content-length: 21
    body: "got <{hello:5]>15true"
  debug: done
  info: log /bytes?x 1700000000000
  info: deleted
`);
    await filter.close();
    expect(filter.logs.map(({ message }) => message).slice(-2)).toEqual(['root done', 'root deleted']);
  });

  test('is answered by the filter', async () => {
    const filter = await openFilter(KIT);
    const { answer, upstream, callbacks } = await filter.exchange({ request: { path: '/reply' } });
    expect(upstream).toBeNull();
    expect(answer).toMatchObject({ status: 418, from: 'filter', details: 'too_short', body: 'tea3true' });
    expect(callbacks[0]).toMatchObject({
      callback: 'proxy_on_request_headers',
      action: 'Reply',
      hostCalls: { reply: 1 },
    });
  });

  test('goes on with the answer of a call, and says what let it go on', async () => {
    const filter = await openFilter(KIT, { upstreams: ['auth'] });
    filter.onCall('auth', async () => ({ status: 201, headers: { 'x-kind': 'new' }, body: 'made' }));
    const exchange = await filter.exchange({ request: { path: '/call' } });
    expect(exchange.calls).toMatchObject([
      { upstream: 'auth', method: 'POST', path: '/check', outcome: '201' },
    ]);
    expect(exchange.upstream?.headers['x-answer']).toBe('201 new made');
    expect(exchange.pauses).toEqual([
      { callback: 'proxy_on_request_headers', action: 'StopIteration', resumedBy: 'answer of auth' },
    ]);
  });

  test('waits for a call that nobody answers until its time runs out, and says so', async () => {
    const filter = await openFilter(KIT, { upstreams: { auth: [] } });
    const exchange = await filter.exchange({ request: { path: '/call' } });
    expect(exchange.state).toBe('waiting');
    expect(() => exchange.answer).toThrow(
      'proxy_on_request_headers returned StopIteration and nothing resumed it; a call waits for an answer: POST /check to auth',
    );
    await filter.clock.advance(249);
    expect(exchange.state).toBe('waiting');
    await filter.clock.advance(1);
    expect(exchange.upstream?.headers['x-answer']).toBe('504');
    expect(exchange.answer.status).toBe(200);
  });

  test('fails with the filter, whose trap names its place', { timeout: 90_000 }, async () => {
    const filter = await openFilter('test/plugins/sdk-kit.ts');
    const exchange = await filter.exchange({ request: { path: '/abort' } });
    expect(exchange.answer).toMatchObject({ status: 500, from: 'weir', details: 'filter_failed{filter}' });
    expect(exchange.logs.at(-1)?.message).toMatch(
      /^trap in proxy_on_request_headers: .* at test\/plugins\/sdk-kit\.ts:\d+/,
    );
    expect(filter.traps).toBe(1);
    await filter.clock.advance(0);
    expect((await filter.exchange()).answer.status).toBe(200);
  });

  test('tells why a filter does not start', async () => {
    await expect(openFilter(KIT, { config: 'refuse' })).rejects.toThrow('proxy_on_configure answered false');
  });
});

test('a body is cut at every place', () => {
  const plans = everySplit('abcd').map((plan) => plan.map((bytes) => Buffer.from(bytes).toString()));
  expect(plans).toEqual([['abcd'], ['a', 'bcd'], ['ab', 'cd'], ['abc', 'd'], ['a', 'b', 'c', 'd']]);
});
