import { describe, expect, test } from 'vitest';
import type { Filter, RequestSpec } from '../../filters-sdk/testing/testing.d.ts';
import { linesOf, openBuiltIn, refusalOf } from '../support/filter.ts';
import {
  decodeQuestion,
  encodeVerdict,
  lineOf,
  status,
  type LimitVerdict,
} from '../support/rate-limit-server.ts';

const USER = { key: 'user', attribute: 'request.headers.x-user' };
const ann = (more: Record<string, string> = {}): RequestSpec => ({ headers: { 'x-user': 'ann', ...more } });

/** The filter before a service that says the same to everybody. */
async function start(
  verdict: LimitVerdict | 'fails' | 'hangs',
  config: object = {},
): Promise<{ filter: Filter; asked: string[] }> {
  const filter = await openBuiltIn(
    'rate-limit-service',
    { upstream: 'limits', domain: 'shop', descriptors: [{ entries: [USER] }], ...config },
    { upstreams: ['limits'] },
  );
  const asked: string[] = [];
  filter.onGrpc('limits', (call) => {
    expect([call.service, call.method]).toEqual([
      'envoy.service.ratelimit.v3.RateLimitService',
      'ShouldRateLimit',
    ]);
    asked.push(lineOf(decodeQuestion(call.messages[0]!)));
    if (verdict === 'hangs') return null;
    return verdict === 'fails' ? { status: 13 } : { messages: [encodeVerdict(verdict)] };
  });
  return { filter, asked };
}

const OK: LimitVerdict = { overall_code: 'OK' };

describe('what the service is asked', () => {
  test('entries of attributes, texts and expressions, in order', async () => {
    const { filter, asked } = await start(OK, {
      descriptors: [
        { entries: [USER, { key: 'path', attribute: 'request.path' }] },
        { entries: [{ value: 'checkout' }, { key: 'm', cel: 'request.method' }] },
      ],
    });
    const { answer } = await filter.exchange({ request: { ...ann(), path: '/a?b=c' } });
    expect(answer.status).toBe(200);
    expect(asked).toEqual(['shop[user=ann path=/a][generic_key=checkout m=GET]']);
  });

  test('a descriptor that a request has no value for is left out, and without any nobody is asked', async () => {
    const { filter, asked } = await start(OK, {
      descriptors: [
        {
          entries: [
            { key: 'a', value: 'b' },
            { key: 'role', attribute: 'request.headers.x-role' },
          ],
        },
        { entries: [USER] },
      ],
    });
    await filter.exchange({ request: ann() });
    expect((await filter.exchange()).answer.status).toBe(200);
    expect(asked).toEqual(['shop[user=ann]']);
    const other = await start(OK, { descriptors: [{ entries: [{ ...USER, default: 'nobody' }] }] });
    await other.filter.exchange();
    expect(other.asked).toEqual(['shop[user=nobody]']);
  });

  test('hits of the request and of a descriptor', async () => {
    const cost = 'request.headers.x-cost';
    const { filter, asked } = await start(OK, {
      cost,
      descriptors: [{ entries: [USER] }, { entries: [{ value: 'a' }], cost: 7 }],
    });
    await filter.exchange({ request: ann({ 'x-cost': '5' }) });
    await filter.exchange({ request: ann({ 'x-cost': '0' }) });
    await filter.exchange({ request: ann() });
    expect(asked).toEqual([5, 1, 1].map((hits) => `shop[user=ann][generic_key=a *7] *${hits}`));
  });

  test('all values of a field', async () => {
    const { filter, asked } = await start(OK);
    await filter.exchange({
      request: {
        headers: [
          ['x-user', 'a'],
          ['x-user', 'b'],
        ],
      },
    });
    expect(asked).toEqual(['shop[user=a,b]']);
  });
});

describe('within the limits', () => {
  const verdict: LimitVerdict = {
    overall_code: 'OK',
    statuses: [status('OK', 7, { name: 'per-user' }), { code: 'OK' }],
    request_headers_to_add: [
      { key: 'X-Tier', value: 'gold' },
      { key: 'connection', value: 'close' },
    ],
    response_headers_to_add: [{ key: 'x-served-by', value: 'limits' }],
  };

  test('upstream and client get what the service adds, and the client what is left', async () => {
    const { filter } = await start(verdict);
    const { answer, upstream } = await filter.exchange({ request: ann() });
    expect(linesOf(upstream!)).toContain('x-tier: gold');
    expect(linesOf(upstream!).some((line) => line.startsWith('connection'))).toBe(false);
    expect(linesOf(answer)).toEqual([
      'ratelimit-policy: "per-user";q=10;w=60',
      'ratelimit: "per-user";r=7;t=31',
      'x-served-by: limits',
    ]);
    expect(filter.metric('rate_limit_service_calls{outcome="allowed"}')).toBe(1);
  });

  test('a limit without a name has that of its descriptor; X-RateLimit tells of the tightest', async () => {
    const { filter } = await start(
      { overall_code: 'OK', statuses: [status('OK', 7), status('OK', 3, { unit: 'WEEK', name: 'w' })] },
      {
        headers: false,
        xHeaders: true,
        descriptors: [{ entries: [USER, { value: 'a' }] }, { entries: [{ value: 'b' }] }],
      },
    );
    const { answer } = await filter.exchange({ request: ann() });
    expect(linesOf(answer)).toEqual([
      'x-ratelimit-limit: 10, 10;w=60, 10;w=604800;name="w"',
      'x-ratelimit-remaining: 3',
      'x-ratelimit-reset: 30',
    ]);
    const plain = await start({ overall_code: 'OK', statuses: [status('OK', 7)] });
    expect(linesOf((await plain.filter.exchange({ request: ann() })).answer)[0]).toContain('"user";q=10');
  });

  test('nothing is told where no limit is for the request', async () => {
    const { filter } = await start({ overall_code: 'OK', statuses: [{ code: 'OK' }] }, { xHeaders: true });
    expect(linesOf((await filter.exchange({ request: ann() })).answer)).toEqual([]);
  });
});

describe('over a limit', () => {
  const over = { overall_code: 'OVER_LIMIT', statuses: [status('OVER_LIMIT', 0)] } as const;

  test('429 with the time to wait', async () => {
    const { filter } = await start(over);
    const { answer, upstream } = await filter.exchange({ request: ann() });
    expect(upstream).toBeNull();
    expect(answer).toMatchObject({ status: 429, details: 'rate_limited' });
    expect(linesOf(answer)).toEqual(
      expect.arrayContaining([
        'content-type: application/problem+json',
        'retry-after: 31',
        'ratelimit: "user";r=0;t=31',
      ]),
    );
    expect(filter.metric('rate_limit_service_calls{outcome="denied"}')).toBe(1);
  });

  test('in the words of the service, with its fields', async () => {
    const { filter } = await start({
      ...over,
      raw_body: Buffer.from('{"slow":"down"}'),
      response_headers_to_add: [
        { key: 'content-type', value: 'application/json' },
        { key: 'x-bad', value: 'a\r\nb' },
      ],
    });
    const { answer } = await filter.exchange({ request: ann() });
    expect(answer.body).toBe('{"slow":"down"}');
    expect(linesOf(answer).filter((line) => /^(content-type|x-bad)/.test(line))).toEqual([
      'content-type: application/json',
    ]);
    const plain = await start({ ...over, raw_body: Buffer.from('slow') });
    expect(linesOf((await plain.filter.exchange({ request: ann() })).answer)).toContain(
      'content-type: text/plain',
    );
  });
});

describe('no decision', () => {
  test.each<[string, LimitVerdict | 'fails']>([
    ['the service fails', 'fails'],
    ['it does not say', { overall_code: 'UNKNOWN' }],
  ])('%s: 503, or as onServiceFailure says', async (_name, verdict) => {
    const { filter } = await start(verdict);
    expect((await filter.exchange({ request: ann() })).answer).toMatchObject({
      status: 503,
      details: 'rate_limit_unavailable',
    });
    expect(filter.metric('rate_limit_service_calls{outcome="failed"}')).toBe(1);
    const open = await start(verdict, { onServiceFailure: 'Allow' });
    expect((await open.filter.exchange({ request: ann() })).answer.status).toBe(200);
  });

  test('it takes longer than its time', async () => {
    const { filter } = await start('hangs', { timeout: '50ms' });
    const exchange = filter.exchange({ request: ann() });
    await filter.clock.advance(49);
    await filter.clock.advance(2);
    expect((await exchange).answer.status).toBe(503);
  });

  test('Local: counted here for each value, as the descriptors say', async () => {
    const { filter } = await start('fails', {
      onServiceFailure: 'Local',
      descriptors: [{ entries: [USER], local: { requests: 2, per: '1m' } }, { entries: [{ value: 'all' }] }],
    });
    const statuses = [];
    for (const user of ['ann', 'ann', 'bea', 'ann'])
      statuses.push((await filter.exchange({ request: ann({ 'x-user': user }) })).answer.status);
    expect(statuses).toEqual([200, 200, 200, 429]);
    const { answer } = await filter.exchange({ request: ann() });
    expect(linesOf(answer)).toContain('retry-after: 30');
    // Who has no value is not counted, as when the service is there.
    expect((await filter.exchange()).answer.status).toBe(200);
  });
});

test('says what is wrong with a configuration', async () => {
  const base = { upstream: 'a', domain: 'shop' };
  expect(
    await refusalOf('rate-limit-service', {
      ...base,
      descriptors: [{ entries: [{ key: 'a', attribute: 'response.code' }] }],
    }),
  ).toEqual([expect.stringContaining('descriptors[0].entries[0].attribute: not known yet')]);
  expect(
    await refusalOf('rate-limit-service', {
      ...base,
      onServiceFailure: 'Local',
      descriptors: [{ entries: [USER] }],
    }),
  ).toEqual([expect.stringContaining('Local needs a descriptor with "local"')]);
  expect(
    await refusalOf('rate-limit-service', {
      ...base,
      descriptors: [{ entries: [USER], local: { requests: 1, per: '1s' } }],
    }),
  ).toEqual([expect.stringContaining('only onServiceFailure: Local')]);
});
