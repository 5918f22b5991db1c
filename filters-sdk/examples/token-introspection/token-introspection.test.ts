import { beforeEach, expect, test, vi } from 'vitest';
import { openFilter, type CallAnswer, type HttpCall } from '@weir/filters-sdk/testing';

const asks = vi.fn((call: HttpCall): CallAnswer => ({
  body: call.body === 'token=good' ? '{"active":true,"sub":"ann"}' : '{"active":false}',
}));

async function open() {
  return openFilter(`${import.meta.dirname}/index.ts`, {
    config: { upstream: 'identity', remember: '10s' },
    capabilities: ['default', 'secrets'],
    upstreams: { identity: asks },
  });
}
const bearer = (token: string) => ({
  request: { headers: { authorization: `Bearer ${token}`, 'x-user': 'root' } },
});

beforeEach(() => {
  asks.mockClear();
});

test('tells the upstream whose token it is', async () => {
  const filter = await open();
  const exchange = await filter.exchange(bearer('good'));
  expect(exchange.upstream?.headers['x-user']).toBe('ann');
  expect(exchange.calls).toMatchObject([{ method: 'POST', path: '/introspect', body: 'token=good' }]);
  expect(exchange.pauses).toMatchObject([{ callback: 'proxy_on_request_headers' }]);
});

test('remembers a good token for as long as it was told', async () => {
  const filter = await open();
  await filter.exchange(bearer('good'));
  expect((await filter.exchange(bearer('good'))).upstream?.headers['x-user']).toBe('ann');
  expect(asks).toHaveBeenCalledTimes(1);
  await filter.clock.advance(10_001);
  await filter.exchange(bearer('good'));
  expect(asks).toHaveBeenCalledTimes(2);
});

test('refuses a bad token each time, one that no form can hold, and none', async () => {
  const filter = await open();
  for (const token of ['bad', 'bad', 'good&token=x']) {
    const { answer, upstream } = await filter.exchange(bearer(token));
    expect(answer).toMatchObject({ status: 401, details: 'token_inactive' });
    expect(upstream).toBeNull();
  }
  expect(asks).toHaveBeenCalledTimes(2);
  expect((await filter.exchange()).answer.details).toBe('token_missing');
});

test.each<CallAnswer>([{ fail: 'unavailable' }, { status: 500 }, { body: 'no JSON' }])(
  'refuses everybody while the server answers %o',
  async (failure) => {
    const filter = await open();
    filter.onCall('identity', () => failure);
    const { answer, logs } = await filter.exchange(bearer('good'));
    expect(answer).toMatchObject({ status: 503, details: 'introspection_failed' });
    expect(logs.some(({ level }) => level === 'warn')).toBe(true);
  },
);
