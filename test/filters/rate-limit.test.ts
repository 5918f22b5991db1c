import { describe, expect, test } from 'vitest';
import type {
  Exchange,
  Filter,
  LimitDecision,
  LimitScript,
  LimitTake,
  RequestSpec,
} from '../../filters-sdk/testing/testing.d.ts';
import { Wants } from '../../src/runtime/wasm/abi.ts';
import { linesOf, openBuiltIn, refusalOf, wantsOf } from '../support/filter.ts';

const LIMIT = { requests: 3, per: '1m' };
const ALLOWED: LimitDecision = { allowed: true, remaining: 7, limit: 10, resetMs: 1, retryAfterMs: 0 };
const DENIED: LimitDecision = { allowed: false, remaining: 0, limit: 10, resetMs: 9, retryAfterMs: 1001 };

/** Counts by the clock of the test; what it takes is kept. */
async function start(
  config: object,
  decide: LimitScript = () => null,
): Promise<{ filter: Filter; takes: LimitTake[] }> {
  const filter = await openBuiltIn('rate-limit', config);
  const takes: LimitTake[] = [];
  filter.onLimit((take) => {
    takes.push(take);
    return decide(take);
  });
  return { filter, takes };
}

/** A decision that comes when the test says so, as where all workers are asked. */
function late(): { decide: LimitScript; tell: (decision: LimitDecision) => void } {
  let tell!: (decision: LimitDecision) => void;
  const decision = new Promise<LimitDecision>((resolve) => (tell = resolve));
  return { decide: () => decision, tell };
}

const ask = (filter: Filter, request: RequestSpec = {}): Promise<Exchange> => filter.exchange({ request });
const answered = async (filter: Filter): Promise<string[]> => linesOf((await ask(filter)).answer);

describe('rate-limit', () => {
  test('sees heads and the end, no bodies', async () => {
    expect(await wantsOf('rate-limit')).toBe(Wants.RequestHeaders | Wants.ResponseHeaders | Wants.End);
  });

  test('lets the limit through, tells what is left, and answers 429 from then on', async () => {
    const { filter } = await start({ limit: LIMIT, name: 'basic' });
    expect(await answered(filter)).toEqual([
      'ratelimit-policy: "basic";q=3;w=60',
      'ratelimit: "basic";r=2;t=20',
    ]);
    expect(await answered(filter)).toContain('ratelimit: "basic";r=1;t=40');
    expect(await answered(filter)).toContain('ratelimit: "basic";r=0;t=60');
    await filter.clock.advance(500);
    const { answer, upstream } = await ask(filter);
    expect(upstream).toBeNull();
    expect(answer).toMatchObject({
      status: 429,
      from: 'filter',
      details: 'rate_limited',
      body: '{"type":"about:blank","title":"Too Many Requests","status":429,"detail":"rate limit exceeded"}\n',
    });
    // Its own answer passes it once more, and is not marked twice.
    expect(linesOf(answer)).toEqual([
      'content-type: application/problem+json',
      'retry-after: 20',
      'ratelimit-policy: "basic";q=3;w=60',
      'ratelimit: "basic";r=0;t=60',
      'content-length: 95',
    ]);
    await filter.clock.advance(19_500);
    expect((await ask(filter)).answer.status).toBe(200);
    expect((await ask(filter)).answer.status).toBe(429);
  });

  test('hands the limit to the host as it was configured', async () => {
    const { filter, takes } = await start({
      limit: { requests: 100, per: '1s', burst: 20, algorithm: 'gcra' },
      cost: 5,
    });
    await ask(filter);
    expect(takes).toMatchObject([
      { cost: 5, limit: { algorithm: 'gcra', requests: 100, periodMs: 1000, burst: 20 } },
    ]);
  });

  test.each([
    ['node', false],
    ['local', true],
  ])('scope %s: the key names the worker: %s', async (scope, named) => {
    const { filter, takes } = await start({ limit: LIMIT, scope });
    await ask(filter);
    expect(takes[0]!.key.includes('\x000\0')).toBe(named);
  });

  test('counts keys apart: address without port, header, path without query, constants', async () => {
    const { filter, takes } = await start({
      limit: LIMIT,
      key: ['source.address', 'request.headers.X-User', 'request.path', 'consumer.name', { constant: 'all' }],
    });
    await filter.exchange({
      request: { path: '/a?b=c', headers: { 'x-user': 'ann' } },
      properties: { 'source.address': '10.0.0.7:4711' },
    });
    expect(takes[0]!.key.split('\0').slice(1)).toEqual(['default', 'all', '10.0.0.7', 'ann', '/a', '']);
  });

  test('the parts of a key do not run together', async () => {
    const { filter, takes } = await start({ limit: LIMIT, key: ['request.method', 'request.host'] });
    await ask(filter, { method: 'A', authority: 'BC' });
    await ask(filter, { method: 'AB', authority: 'C' });
    expect(takes[0]!.key).not.toBe(takes[1]!.key);
  });

  test('waits while all workers are asked, then goes on', async () => {
    const { decide, tell } = late();
    const { filter } = await start({ limit: LIMIT }, decide);
    const stream = filter.stream();
    stream.requestHeaders();
    expect([stream.state, stream.upstream]).toEqual(['waiting', null]);
    tell(ALLOWED);
    await stream.settle();
    expect(stream.upstream).not.toBeNull();
    stream.responseHeaders();
    expect(linesOf(stream.answer)).toContain('ratelimit: "default";r=7;t=1');
    expect(stream.pauses).toMatchObject([{ action: 'StopIteration', resumedBy: 'decision of a limit' }]);
  });

  test('waits while all workers are asked, then refuses', async () => {
    const { filter } = await start({ limit: LIMIT }, () => Promise.resolve(DENIED));
    const { answer, upstream } = await ask(filter);
    expect([answer.status, upstream]).toEqual([429, null]);
    expect(linesOf(answer)).toContain('retry-after: 2');
  });

  test('an answer for a stream that is over changes nothing', async () => {
    const { decide, tell } = late();
    const { filter } = await start({ limit: LIMIT }, decide);
    const stream = filter.stream();
    stream.requestHeaders();
    stream.disconnect();
    tell(ALLOWED);
    await stream.settle();
    expect([stream.state, stream.upstream, filter.traps]).toEqual(['reset', null, 0]);
    filter.onLimit(() => ALLOWED);
    expect((await ask(filter)).answer.status).toBe(200);
  });

  test('an object that served a stream starts the next one afresh', async () => {
    const decisions = [ALLOWED, DENIED];
    const { filter } = await start({ limit: LIMIT }, () => decisions.shift()!);
    expect(await answered(filter)).toContain('ratelimit: "default";r=7;t=1');
    expect((await answered(filter)).filter((line) => line.startsWith('ratelimit:'))).toEqual([
      'ratelimit: "default";r=0;t=1',
    ]);
  });

  test('says nothing of limits where it is told so', async () => {
    const { filter } = await start({ limit: { requests: 1, per: '1s' }, headers: false });
    expect(await answered(filter)).toEqual([]);
    expect(await answered(filter)).toEqual([
      'content-type: application/problem+json',
      'retry-after: 1',
      'content-length: 95',
    ]);
  });

  test('leaves out a window that is not in whole seconds', async () => {
    const { filter } = await start({ limit: { requests: 1, per: '1500ms' } });
    expect((await answered(filter))[0]).toBe('ratelimit-policy: "default";q=1');
  });

  test('several limits: all of them must admit, and one that refuses costs the others nothing', async () => {
    const { filter } = await start({
      limits: [
        { name: 'user', key: ['request.headers.x-user'], limit: { requests: 2, per: '1m' } },
        { name: 'all', limit: { requests: 3, per: '1h' } },
      ],
    });
    const send = async (user: string): Promise<string[]> =>
      linesOf((await ask(filter, { headers: { 'x-user': user } })).answer);
    expect(await send('a')).toEqual([
      'ratelimit-policy: "user";q=2;w=60, "all";q=3;w=3600',
      'ratelimit: "user";r=1;t=30, "all";r=2;t=1200',
    ]);
    await send('a');
    // Refused for this user: nothing is taken of what all have together.
    expect(await send('a')).toContain('ratelimit: "user";r=0;t=60');
    expect(await send('b')).toContain('ratelimit: "user";r=1;t=30, "all";r=0;t=3600');
    expect(await send('b')).toEqual([
      'content-type: application/problem+json',
      'retry-after: 1200',
      'ratelimit-policy: "user";q=2;w=60, "all";q=3;w=3600',
      'ratelimit: "all";r=0;t=3600',
      'content-length: 95',
    ]);
    await filter.clock.advance(1_200_000);
    expect(await send('b')).toContain('ratelimit: "user";r=1;t=30, "all";r=0;t=3600');
  });

  test('a fixed window is all there again when the next one begins', async () => {
    const limit = { requests: 1, per: '1h', algorithm: 'fixed-window' };
    const { filter } = await start({ limit, headers: false });
    expect((await ask(filter)).answer.status).toBe(200);
    const { answer } = await ask(filter);
    expect(answer.status).toBe(429);
    await filter.clock.advance(1000 * Number(answer.headers['retry-after']));
    expect((await ask(filter)).answer.status).toBe(200);
  });

  test('concurrency: a place is free again when its stream is over', async () => {
    const { filter } = await start({ limit: { requests: 1, algorithm: 'concurrency' }, name: 'busy' });
    const first = filter.stream();
    first.requestHeaders();
    expect(linesOf((await ask(filter)).answer)).toContain('retry-after: 1');
    first.responseHeaders();
    expect(linesOf(first.answer)).toEqual([
      'ratelimit-policy: "busy";q=1;qu="concurrent-requests"',
      'ratelimit: "busy";r=0',
    ]);
    expect((await ask(filter)).answer.status).toBe(200);
  });

  test('a cost by an attribute of the request; what is no number costs 1', async () => {
    const { filter, takes } = await start({ limit: LIMIT, cost: 'request.headers.x-cost' }, () => ALLOWED);
    for (const cost of ['7', 'many', '', '99999999999999999999'])
      await ask(filter, { headers: { 'x-cost': cost } });
    await ask(filter);
    expect(takes.map(({ cost }) => cost)).toEqual([7, 1, 1, 1, 1]);
  });

  test('a cost of the answer is charged when the stream is over, by the key that its request had', async () => {
    const { filter, takes } = await start({
      key: ['request.headers.x-user'],
      limit: LIMIT,
      cost: { response: 'response.size', per: 1024 },
    });
    await filter.exchange({
      request: { headers: { 'x-user': 'ann' } },
      properties: { 'response.size': { int: 2049 } },
    });
    expect(takes.map(({ how, cost }) => [how, cost])).toEqual([
      ['peek', 1],
      ['charge', 3],
    ]);
    expect(takes[1]!.key).toBe(takes[0]!.key);
    expect((await ask(filter, { headers: { 'x-user': 'ann' } })).answer.status).toBe(429);
    expect((await ask(filter, { headers: { 'x-user': 'bea' } })).answer.status).toBe(200);
  });

  test('a request that was refused is not charged for its answer', async () => {
    const { filter, takes } = await start(
      { limit: LIMIT, cost: { request: 2, response: 'response.code' } },
      () => DENIED,
    );
    await ask(filter);
    expect(takes.map(({ how, cost }) => [how, cost])).toEqual([['take', 2]]);
  });

  test('a key by an expression', async () => {
    const { filter, takes } = await start({
      limit: LIMIT,
      key: [{ cel: 'request.path.startsWith("/cart") ? "cart" : "other"' }, { cel: 'request.nothing' }],
    });
    await ask(filter, { path: '/cart/7' });
    await ask(filter, { path: '/' });
    expect(takes.map(({ key }) => key.split('\0').slice(2))).toEqual([
      ['cart', ''],
      ['other', ''],
    ]);
  });

  test.each([
    ['Deny', 503],
    ['Allow', 200],
  ])('nobody can be asked: %s', async (onStoreFailure, status) => {
    const failed = { ...DENIED, failed: true };
    const { filter } = await start({ limit: LIMIT, onStoreFailure }, () => failed);
    expect((await ask(filter)).answer.status).toBe(status);
    filter.onLimit(() => Promise.resolve(failed));
    expect((await ask(filter)).answer.status).toBe(status);
  });

  describe('plans', () => {
    const plans = {
      gold: {
        limits: [
          { name: 'minute', limit: { requests: 3, per: '1m' } },
          { name: 'busy', limit: { requests: 2, algorithm: 'concurrency' } },
        ],
      },
      free: { limits: [{ name: 'minute', limit: { requests: 1, per: '1m' } }] },
      house: { limits: [] },
    };
    const BY_PLAN = { key: ['consumer.name'], plan: 'from-consumer', plans };
    async function statuses(filter: Filter, count: number, plan: string, name = plan): Promise<unknown[]> {
      const found: unknown[] = [];
      const properties = { 'consumer.name': name, ...(plan === '' ? {} : { 'consumer.plan': plan }) };
      for (let i = 0; i < count; i++) found.push((await filter.exchange({ properties })).answer.status);
      return found;
    }

    test('the consumer has the limits of its plan, by itself', async () => {
      const { filter, takes } = await start(BY_PLAN);
      expect(await statuses(filter, 4, 'gold')).toEqual([200, 200, 200, 429]);
      expect(await statuses(filter, 2, 'free')).toEqual([200, 429]);
      expect(await statuses(filter, 1, 'free', 'another')).toEqual([200]);
      expect(takes.at(-1)!.key.split('\0').slice(1)).toEqual(['minute', 'another']);
    });

    test('clients are told those of their plan, and of no other', async () => {
      const { filter } = await start(BY_PLAN);
      const of = async (plan: string) =>
        linesOf(
          (await filter.exchange({ properties: { 'consumer.name': plan, 'consumer.plan': plan } })).answer,
        );
      expect((await of('gold'))[0]).toBe(
        'ratelimit-policy: "minute";q=3;w=60, "busy";q=2;qu="concurrent-requests"',
      );
      expect((await of('free'))[0]).toContain('q=1;w=60');
      expect(await of('house')).toEqual([]);
    });

    test('who changes to another plan keeps what was used', async () => {
      const { filter } = await start(BY_PLAN);
      expect(await statuses(filter, 2, 'free', 'acme')).toEqual([200, 429]);
      expect(await statuses(filter, 1, 'house', 'acme')).toEqual([200]);
      expect((await statuses(filter, 4, 'gold', 'acme')).at(-1)).toBe(429);
    });

    test('without one, or with one that is not here, nobody passes', async () => {
      const { filter } = await start(BY_PLAN);
      for (const plan of ['', 'silver']) {
        const { answer, upstream } = await filter.exchange({ properties: { 'consumer.plan': plan } });
        expect([answer.status, answer.details, upstream]).toEqual([403, 'rate_limit_no_plan', null]);
      }
      expect(await statuses(filter, 1, '')).toEqual([403]);
    });

    test('who is refused learns by which limit of which plan, and so does the log', async () => {
      const { filter } = await start(BY_PLAN);
      const at = (plan: string) => {
        const stream = filter.stream({ properties: { 'consumer.name': plan, 'consumer.plan': plan } });
        stream.requestHeaders({}, true);
        return stream;
      };
      const admitted = at('free');
      expect(admitted.explanation()).toBe('plan free: within "minute"');
      expect(admitted.property('rate_limit.refused_by')).toBeUndefined();
      const refused = at('free');
      expect(refused.answer!.json()).toMatchObject({
        status: 429,
        detail: 'the rate limit minute of the plan free is exceeded',
        limit: 'minute',
        plan: 'free',
      });
      expect(refused.property('rate_limit.refused_by')).toBe('free#minute');
      const [, , third] = [at('gold'), at('gold'), at('gold')];
      expect(third!.property('rate_limit.refused_by')).toBe('gold#busy');
      expect(third!.answer!.json()).toMatchObject({ limit: 'busy', plan: 'gold' });
      expect(at('silver').answer!.json()).toMatchObject({
        status: 403,
        detail: 'the plan of the consumer is not known here',
        plan: 'silver',
      });
      expect(at('house').explanation()).toBe('plan house: no limits');
    });

    test('unless a plan is there for them', async () => {
      const { filter } = await start({ ...BY_PLAN, withoutPlan: 'free' });
      expect(await statuses(filter, 2, 'silver')).toEqual([200, 429]);
      expect(await statuses(filter, 3, 'gold')).toEqual([200, 200, 200]);
    });

    test('a plan may be that of all', async () => {
      const { filter } = await start({ ...BY_PLAN, plan: 'free' });
      expect(await statuses(filter, 2, 'gold')).toEqual([200, 429]);
    });

    test('a decision that comes late is told by the plan that was asked for', async () => {
      const { decide, tell } = late();
      const { filter } = await start({ ...BY_PLAN, withoutPlan: 'gold' }, decide);
      const stream = filter.stream();
      stream.requestHeaders();
      tell(DENIED);
      await stream.settle();
      expect(linesOf(stream.answer)).toContain(
        'ratelimit-policy: "minute";q=3;w=60, "busy";q=2;qu="concurrent-requests"',
      );
    });

    test('the cost of the filter is that of limits that have none', async () => {
      const limits = [
        { name: 'a', limit: LIMIT },
        { name: 'b', limit: LIMIT, cost: 3 },
      ];
      const { filter, takes } = await start({ cost: 2, plan: 'gold', plans: { gold: { limits } } });
      await ask(filter);
      expect(takes.map(({ cost }) => cost)).toEqual([2, 3]);
    });
  });

  test.each([
    [{}, '"limit" is required'],
    [{ plan: 'gold', plans: {} }, 'plan: no plan of this name'],
    [{ plan: 'from-consumer', plans: {}, withoutPlan: 'gold' }, 'withoutPlan: no plan of this name'],
    [{ plan: 'from-consumer', limit: LIMIT }, 'plan: name, limit and limits belong into plans'],
    [{ limit: LIMIT, plans: {} }, 'plans: unknown field'],
    [
      { plan: 'gold', plans: { gold: { limits: [{ limit: LIMIT, key: [] }] } } },
      'plans.gold.limits[0].key: unknown field',
    ],
    [{ limits: [] }, 'limits: expected 1 to 8 limits'],
    [{ limits: [{ limit: LIMIT }, { limit: LIMIT }] }, 'limits[1]: another limit of this list has its name'],
    [{ limits: [{ limit: LIMIT }], key: [] }, 'limits: name, key and limit belong into its items'],
    [{ limits: [{ limit: { requests: 1 } }] }, 'limits[0].limit: "per" is required'],
    [{ limit: { requests: 1, per: '1s', algorithm: 'concurrency' } }, 'limit.per: concurrency has no period'],
    [
      { limit: { ...LIMIT, algorithm: 'fixed-window', burst: 2 } },
      'limit.burst: only token-bucket and gcra have one',
    ],
    [{ limit: { requests: 1e9, per: '1d' } }, 'limit.requests: too many for so long a period'],
    [{ limit: LIMIT, cost: 'response.size' }, 'cost: not known yet when the request comes'],
    [{ limit: LIMIT, cost: { response: 'request.size' } }, 'cost.response: not of the answer'],
    [{ limit: LIMIT, cost: 'everything' }, 'cost: unknown attribute'],
    [{ limit: LIMIT, key: [{ cel: '1 +' }] }, 'key[0].cel: not a CEL expression that this host can evaluate'],
    [{ limit: { requests: 0, per: '1s' } }, 'limit.requests: expected a whole number from 1 to 1000000000'],
    [{ limit: { requests: 1.5, per: '1s' } }, 'limit.requests: expected a whole number from 1 to 1000000000'],
    [{ limit: { requests: 1 } }, 'limit: "per" is required'],
    [
      { limit: { requests: 1, per: '1x' } },
      'limit.per: expected a duration such as "500ms", "10s" or "1h30m"',
    ],
    [{ limit: { requests: 1, per: '0s' } }, 'limit.per: expected from 1 to 2678400000 ms'],
    [
      { limit: { ...LIMIT, algorithm: 'leaky' } },
      'limit.algorithm: expected one of: token-bucket, gcra, fixed-window, sliding-window, concurrency',
    ],
    [{ limit: LIMIT, scope: 'world' }, 'scope: expected one of: node, local, cluster'],
    [
      { limit: LIMIT, key: ['everyone'] },
      'key[0]: unknown attribute; a fixed text is written {"constant": …}',
    ],
    [{ limit: LIMIT, name: '"' }, 'name: 1 to 64 printable characters without " and \\'],
    [{ limit: LIMIT, cost: 0 }, 'cost: expected a whole number from 1 to 1000000000'],
  ])('refuses %j', async (config, message) => {
    expect((await refusalOf('rate-limit', config)).join('\n')).toContain(message);
  });
});
