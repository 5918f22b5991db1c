import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { everySplit, openFilter } from '../../../filters-sdk/testing/kit.ts';
import type { ExchangeSpec, Filter } from '../../../filters-sdk/testing/testing.d.ts';
import { filterBytes } from '../../support/filter.ts';

const bytes = filterBytes('quota');
const { 'x-weir-capabilities': capabilities } = JSON.parse(
  readFileSync('src/filters/quota/schema.json', 'utf8'),
) as { 'x-weir-capabilities': string[] };

const CALLS = { name: 'calls', limit: 3, window: 'day' };
const NOON = Date.parse('2026-03-05T12:00:00Z');

const open = (config: object, clock = NOON): Promise<Filter> =>
  openFilter(bytes, { config: { key: ['consumer.name'], ...config }, capabilities, clock });
const as = (consumer: string, rest: ExchangeSpec = {}): ExchangeSpec => ({
  ...rest,
  properties: { 'consumer.name': consumer, ...rest.properties },
});
const statuses = async (filter: Filter, count: number, spec = as('acme')): Promise<number[]> => {
  const answers: number[] = [];
  for (let i = 0; i < count; i++) answers.push((await filter.exchange(spec)).answer.status);
  return answers;
};
/** What a consumer has left, asked by a request that costs nothing. */
const left = async (filter: Filter, consumer = 'acme'): Promise<string> =>
  /r=(\d+)/.exec((await filter.exchange(as(consumer))).answer.headers['ratelimit'] ?? '')?.[1] ?? 'none';

describe('a quota', () => {
  test('lets its limit through for each key, and then answers 429 until the window ends', async () => {
    const filter = await open({ quotas: [CALLS] });
    expect(await statuses(filter, 4)).toEqual([200, 200, 200, 429]);
    expect(await statuses(filter, 1, as('other'))).toEqual([200]);
    await filter.clock.advance(12 * 3_600_000 - 1000);
    expect(await statuses(filter, 1)).toEqual([429]);
    await filter.clock.advance(1000);
    expect(await statuses(filter, 1)).toEqual([200]);
  });

  test('tells what is left in the fields of the RateLimit draft, and what to wait', async () => {
    const filter = await open({ quotas: [CALLS, { ...CALLS, name: 'all', limit: 9, window: 'month' }] });
    const { answer } = await filter.exchange(as('acme'));
    expect(answer.headers).toMatchObject({
      'ratelimit-policy': '"calls";q=3;w=86400, "all";q=9;w=2678400',
      ratelimit: '"calls";r=2;t=43200, "all";r=8;t=2289600',
    });
    await statuses(filter, 2);
    const refused = await filter.exchange(as('acme'));
    expect(refused.upstream).toBeNull();
    expect(refused.answer).toMatchObject({
      status: 429,
      details: 'quota_exceeded',
      headers: {
        'content-type': 'application/problem+json',
        'retry-after': '43200',
        'ratelimit-policy': '"calls";q=3;w=86400, "all";q=9;w=2678400',
        ratelimit: '"calls";r=0;t=43200, "all";r=6;t=2289600',
      },
    });
    expect(refused.answer.json()).toMatchObject({ status: 429, detail: 'the quota calls is used up' });
  });

  test('says nothing of itself where it is told so', async () => {
    const filter = await open({ quotas: [{ ...CALLS, soft: 1 }], headers: false, warningHeader: '' });
    expect((await filter.exchange(as('acme'))).answer.fields).toEqual([]);
  });

  test('warns from the soft limit on, and beyond the limit', async () => {
    const filter = await open({ quotas: [{ ...CALLS, soft: '60%', grace: '33%' }] });
    const warnings: (string | undefined)[] = [];
    for (let i = 0; i < 5; i++)
      warnings.push((await filter.exchange(as('acme'))).answer.headers['x-quota-warning']);
    expect(warnings).toEqual([
      undefined,
      '"calls";remaining=1',
      '"calls";remaining=0',
      '"calls";exceeded',
      undefined,
    ]);
  });

  test('counts a repeated idempotency key once', async () => {
    const filter = await open({ quotas: [CALLS], idempotencyKey: 'request.headers.idempotency-key' });
    const spec = as('acme', { request: { headers: { 'idempotency-key': 'a' } } });
    expect(await statuses(filter, 6, spec)).toEqual([200, 200, 200, 200, 200, 200]);
    expect(await statuses(filter, 3)).toEqual([200, 200, 429]);
  });

  test('with a condition on the request is asked of those alone that it holds for', async () => {
    const filter = await open({ quotas: [CALLS], charge: { when: 'request.method != "GET"' } });
    expect(await statuses(filter, 5)).toEqual([200, 200, 200, 200, 200]);
    expect(await statuses(filter, 4, as('acme', { request: { method: 'POST' } }))).toEqual([
      200, 200, 200, 429,
    ]);
  });

  test('takes an attribute for the amount, and one where it is no number', async () => {
    const filter = await open({
      quotas: [{ ...CALLS, limit: 10 }],
      charge: { amount: { attribute: 'request.headers.x-cost' } },
    });
    await filter.exchange(as('acme', { request: { headers: { 'x-cost': '6' } } }));
    await filter.exchange(as('acme', { request: { headers: { 'x-cost': '-6' } } }));
    expect(await left(filter)).toBe('2');
    expect(await statuses(filter, 1, as('acme', { request: { headers: { 'x-cost': '3' } } }))).toEqual([429]);
  });

  test('refuses nobody for the query of a path', async () => {
    const filter = await open({ key: ['request.path'], quotas: [CALLS] });
    const path = (path: string): ExchangeSpec => ({ request: { path } });
    for (const query of ['?1', '?2', '?3']) await filter.exchange(path(`/a${query}`));
    expect(await statuses(filter, 1, path('/a?4'))).toEqual([429]);
    expect(await statuses(filter, 1, path('/b'))).toEqual([200]);
  });
});

describe('charged with the answer', () => {
  const onResponse = (charge: object, limit = 100): object => ({
    quotas: [{ ...CALLS, limit }],
    charge: { on: 'response', ...charge },
  });
  /** What is left after one such answer, out of 100; the request that asks keeps one back. */
  const after = async (config: object, response: ExchangeSpec['response']): Promise<number> => {
    const filter = await open(config);
    await filter.exchange(as('acme', { response: response! }));
    return 99 - Number(await left(filter));
  };

  test('a request that failed is not charged', async () => {
    expect(await after(onResponse({}), { status: 503 })).toBe(0);
    expect(await after(onResponse({}), { status: 404 })).toBe(1);
    const strict = onResponse({ when: 'response.code < 400' });
    expect(await after(strict, { status: 404 })).toBe(0);
  });

  test('one whose client went away before an answer is not charged', async () => {
    const filter = await open(onResponse({}));
    const stream = filter.stream({ properties: { 'consumer.name': 'acme' } });
    stream.requestHeaders({}, true);
    expect(await left(filter)).toBe('98');
    stream.disconnect();
    expect(await left(filter)).toBe('98');
  });

  test('what is under way is kept back, so that no more is let in than there is', async () => {
    const filter = await open(onResponse({ amount: 40 }));
    const streams = [1, 2, 3].map(() => filter.stream({ properties: { 'consumer.name': 'acme' } }));
    for (const stream of streams) stream.requestHeaders({}, true);
    expect(streams.map(({ state }) => state)).toEqual(['waiting', 'waiting', 'answered']);
    expect(streams[2]!.answer.status).toBe(429);
    streams[0]!.responseHeaders({ status: 500 }, true);
    expect(await statuses(filter, 1)).toEqual([200]);
  });

  test.each([
    ['a field', [['x-tokens', '30']], 30],
    [
      'a field that is there twice',
      [
        ['x-tokens', '30'],
        ['X-Tokens', ' 12 '],
      ],
      42,
    ],
    ['a field that is no number', [['x-tokens', '3o']], 5],
    [
      'two fields of which one is no number',
      [
        ['x-tokens', '30'],
        ['x-tokens', 'x'],
      ],
      5,
    ],
    ['no field', [], 5],
  ] as const)('%s of the answer', async (_what, headers, charged) => {
    const config = onResponse({ amount: { header: 'X-Tokens' }, reserve: 5 });
    const filter = await open(config);
    await filter.exchange(as('acme', { response: { headers } }));
    expect(95 - Number(await left(filter))).toBe(charged);
  });

  test('bytes of the body', async () => {
    expect(await after(onResponse({ amount: { body: 'bytes' } }), { body: ['abc', 'de'] })).toBe(5);
    expect(await after(onResponse({ amount: { body: 'bytes' } }), {})).toBe(0);
  });

  const JSON_HEAD = { 'content-type': 'application/json' };
  const TOKENS = onResponse({ amount: { json: 'usage.total_tokens' } });

  test.each([
    ['{"usage":{"total_tokens":42}}', 42],
    ['{"id":"x","usage":{"prompt":1,"total_tokens" : 42 , "details":{"total_tokens":7}},"n":[1,2]}', 42],
    // Only along the path, and not in text.
    ['{"total_tokens":9,"usage":{"total_tokens":42},"other":{"usage":{"total_tokens":7}}}', 42],
    ['{"text":"\\"usage\\":{\\"total_tokens\\":9}","usage":{"total_tokens":42}}', 42],
    ['{"a":[{"usage":{"total_tokens":9}}],"usage":{"total_tokens":42}}', 42],
    ['{"usage":{"total_tokens":41.2}}', 42],
    ['{"usage":{"total_tokens":42.0}}', 42],
    // Not there, or not read: what was kept back.
    ['{"usage":{"total":42}}', 1],
    ['{"usage":{"total_tokens":"42"}}', 1],
    ['{"usage":{"total_tokens":-42}}', 1],
    ['{"usage":{"total_tokens":4e2}}', 1],
    ['{"usage":[{"total_tokens":42}]}', 1],
    ['[{"usage":{"total_tokens":42}}]', 1],
    ['}}]{"usage":{"total_tokens":42', 42],
    ['', 1],
  ] as const)('a number of JSON: %s', async (body, charged) => {
    expect(await after(TOKENS, { headers: JSON_HEAD, body })).toBe(charged);
  });

  test('JSON that comes in two pieces, wherever it is cut', async () => {
    const filter = await open(onResponse({ amount: { json: 'usage.total_tokens' } }, 1_000_000));
    const body = '{"x":"a\\"b","usage":{"total_tokens":42}}';
    let before = 0;
    for (const pieces of everySplit(body)) {
      const { answer } = await filter.exchange(
        as('acme', { response: { headers: JSON_HEAD, body: pieces } }),
      );
      expect(answer.body).toBe(body);
      before += 42;
    }
    expect(await left(filter)).toBe(String(1_000_000 - before - 1));
  });

  test('the last event of a stream that says it', async () => {
    const events = [
      'data: {"choices":[{"delta":{"content":"usage"}}],"usage":null}\n\n',
      'event: message\r\ndata: {"usage":{"total_tokens":10}}\r\n\r\n',
      ': {"usage":{"total_tokens":77}}\n\n',
      'data: {"usage":{"to\n\n',
      'data: {"usage":\ndata: {"total_tokens":42}}\n\n',
      'data: [DONE]\n\n',
    ];
    const headers = { 'content-type': 'text/event-stream; charset=utf-8' };
    expect(await after(TOKENS, { headers, body: events })).toBe(42);
    const text = events.join('');
    expect(await after(TOKENS, { headers, body: [...text] })).toBe(42);
  });

  test('a stream that is cut off is charged what was kept back, or what it has said', async () => {
    const filter = await open(onResponse({ amount: { json: 'usage.total_tokens' }, reserve: 10 }));
    for (const [first, leftThen] of [
      ['data: {"delta":"a"}\n\n', '80'],
      ['data: {"usage":{"total_tokens":30}}\n\n', '40'],
    ] as const) {
      const stream = filter.stream({ properties: { 'consumer.name': 'acme' } });
      stream.requestHeaders({}, true);
      stream.responseHeaders({ headers: { 'content-type': 'text/event-stream' } }, false);
      stream.responseBody(first);
      stream.disconnect();
      // The request that asks keeps ten back itself, and is charged them.
      expect(await left(filter)).toBe(leftThen);
    }
  });

  test('JSON cannot be read compressed: clients do not get to ask for it, and the rest is what was kept back', async () => {
    const filter = await open(TOKENS);
    const exchange = await filter.exchange(
      as('acme', {
        request: { headers: { 'accept-encoding': 'gzip' } },
        response: { headers: { 'content-encoding': 'gzip' }, body: '{"usage":{"total_tokens":42}}' },
      }),
    );
    expect(exchange.upstream!.headers).not.toHaveProperty('accept-encoding');
    expect(await left(filter)).toBe('98');
  });

  test('more than there was: what follows waits until the window ends', async () => {
    const filter = await open(TOKENS);
    const response = { headers: JSON_HEAD, body: '{"usage":{"total_tokens":5000}}' };
    expect(await statuses(filter, 2, as('acme', { response }))).toEqual([200, 429]);
    await filter.clock.advance(12 * 3_600_000);
    expect(await statuses(filter, 1)).toEqual([200]);
  });
});

describe('plans', () => {
  const plans = { gold: { quotas: [CALLS] }, free: { quotas: [{ ...CALLS, limit: 1 }] } };
  const on = (plan: string, consumer = plan): ExchangeSpec =>
    as(consumer, { properties: { 'consumer.plan': plan } });

  test('the consumer has the quotas of its plan', async () => {
    const filter = await open({ plan: 'from-consumer', plans });
    expect(await statuses(filter, 4, on('gold'))).toEqual([200, 200, 200, 429]);
    expect(await statuses(filter, 2, on('free'))).toEqual([200, 429]);
  });

  test('who changes to another plan keeps what was used', async () => {
    const filter = await open({ plan: 'from-consumer', plans });
    expect(await statuses(filter, 2, on('free', 'acme'))).toEqual([200, 429]);
    expect(await statuses(filter, 3, on('gold', 'acme'))).toEqual([200, 200, 429]);
  });

  test('without one, or with one that is not here, nobody passes', async () => {
    const filter = await open({ plan: 'from-consumer', plans });
    for (const spec of [as('acme'), on('silver')]) {
      const { answer, upstream } = await filter.exchange(spec);
      expect([answer.status, answer.details, upstream]).toEqual([403, 'quota_no_plan', null]);
    }
  });

  test('who is refused learns by which quota of which plan, and so does the log', async () => {
    const odd = { 'go"ld': { quotas: [{ ...CALLS, limit: 0 }] } };
    const filter = await open({ plan: 'from-consumer', plans: { ...plans, ...odd } });
    await statuses(filter, 1, on('free'));
    const ask = async (plan: string) => {
      const stream = filter.stream(on(plan));
      stream.requestHeaders({}, true);
      await stream.settle();
      return stream;
    };
    const refused = await ask('free');
    expect(refused.answer!.json()).toMatchObject({
      detail: 'the quota calls of the plan free is used up',
      quota: 'calls',
      plan: 'free',
    });
    expect(refused.property('quota.refused_by')).toBe('free#calls');
    expect((await ask('go"ld')).answer!.json()).toMatchObject({ plan: 'go"ld', quota: 'calls' });
    const admitted = await ask('gold');
    expect(admitted.explanation()).toBe('plan gold: "calls";r=2;t=43200');
    expect(admitted.property('quota.refused_by')).toBeUndefined();
    const unknown = await ask('sil\\ver');
    expect(unknown.answer!.json()).toMatchObject({
      status: 403,
      detail: 'the plan of the consumer is not known here',
      plan: 'sil\\ver',
    });
    const none = (await filter.exchange(as('acme'))).answer;
    expect(none.json()).toEqual({
      type: 'about:blank',
      title: 'Forbidden',
      status: 403,
      detail: 'the consumer has no plan',
    });
  });

  test('a quota without a plan is named alone', async () => {
    const filter = await open({ quotas: [{ ...CALLS, limit: 0 }] });
    const stream = filter.stream({ properties: { 'consumer.name': 'acme' } });
    stream.requestHeaders({}, true);
    await stream.settle();
    expect(stream.answer!.json()).toMatchObject({ detail: 'the quota calls is used up', quota: 'calls' });
    expect(stream.answer!.json()).not.toHaveProperty('plan');
    expect(stream.property('quota.refused_by')).toBe('calls');
  });

  test('unless a plan is there for them', async () => {
    const filter = await open({ plan: 'from-consumer', plans, withoutPlan: 'free' });
    expect(await statuses(filter, 2, on('silver'))).toEqual([200, 429]);
  });

  test('a plan may be that of all', async () => {
    const filter = await open({ plan: 'gold', plans });
    expect(await statuses(filter, 4, on('free'))).toEqual([200, 200, 200, 429]);
  });
});

describe('a configuration', () => {
  test.each([
    [{}, 'either "quotas" or "plan" is required'],
    [{ quotas: [CALLS], plan: 'gold' }, 'either "quotas" or "plan" is required'],
    [{ quotas: [CALLS, CALLS] }, 'a quota of this name is here already'],
    [{ quotas: [{ ...CALLS, name: 'a"b' }] }, 'printable characters'],
    [{ quotas: [{ ...CALLS, soft: '80' }] }, 'percentage'],
    [{ quotas: [{ ...CALLS, window: 'minute' }] }, 'expected one of'],
    [{ quotas: [CALLS], key: ['request.headers.Authorization'] }, 'a credential'],
    [{ quotas: [CALLS], key: ['response.code'] }, 'not known yet'],
    [{ quotas: [CALLS], charge: { amount: { body: 'bytes' } } }, 'needs "on": "response"'],
    [{ quotas: [CALLS], charge: { amount: { attribute: 'response.size' } } }, 'not known yet'],
    [{ quotas: [CALLS], charge: { when: 'response.code <' } }, 'not a CEL expression'],
    [{ quotas: [CALLS], charge: { reserve: 2 } }, '"on": "response"'],
    [{ plan: 'a', plans: { 'a\tb': { quotas: [CALLS] } } }, 'a control character'],
    [{ plan: 'silver', plans: { gold: { quotas: [CALLS] } } }, 'no plan of this name'],
  ])('%j is refused', async (config, reason) => {
    await expect(open(config)).rejects.toThrow(reason);
  });
});
