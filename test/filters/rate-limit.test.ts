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
  test('sees heads alone', async () => {
    expect(await wantsOf('rate-limit')).toBe(Wants.RequestHeaders | Wants.ResponseHeaders);
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

  test.each([
    [{}, '"limit" is required'],
    [{ limit: { requests: 0, per: '1s' } }, 'limit.requests: expected a whole number from 1 to 1000000'],
    [{ limit: { requests: 1.5, per: '1s' } }, 'limit.requests: expected a whole number from 1 to 1000000'],
    [{ limit: { requests: 1 } }, 'limit: "per" is required'],
    [
      { limit: { requests: 1, per: '1x' } },
      'limit.per: expected a duration such as "500ms", "10s" or "1h30m"',
    ],
    [{ limit: { requests: 1, per: '0s' } }, 'limit.per: expected from 1 to 2678400000 ms'],
    [{ limit: { ...LIMIT, algorithm: 'leaky' } }, 'limit.algorithm: expected one of: token-bucket, gcra'],
    [{ limit: LIMIT, scope: 'cluster' }, 'scope: expected one of: node, local'],
    [
      { limit: LIMIT, key: ['everyone'] },
      'key[0]: unknown attribute; a fixed text is written {"constant": …}',
    ],
    [{ limit: LIMIT, name: '"' }, 'name: 1 to 64 printable characters without " and \\'],
    [{ limit: LIMIT, cost: 0 }, 'cost: expected a whole number from 1 to 1000000'],
  ])('refuses %j', async (config, message) => {
    expect((await refusalOf('rate-limit', config)).join('\n')).toContain(message);
  });
});
