import { describe, expect, test } from 'vitest';
import { LocalLedger } from '../../src/runtime/ledger.ts';
import { Wants } from '../../src/runtime/wasm/abi.ts';
import { FilterRun } from '../support/filter.ts';
import { TestHost } from '../support/wasm-host.ts';
import { ArrayStream } from '../support/wasm-stream.ts';

const LIMIT = { requests: 3, per: '1m' };

/** With the counting of a single worker, and a clock of the test's. */
async function counting(config: object): Promise<{ filter: FilterRun; clock: { ms: number } }> {
  const clock = { ms: 0 };
  const host = new TestHost({ ledger: new LocalLedger(() => clock.ms) });
  return { filter: await FilterRun.start('rate-limit', config, host), clock };
}

/** With a ledger that answers what the test says. */
async function manual(config: object): Promise<{ filter: FilterRun; host: TestHost }> {
  const host = new TestHost();
  return { filter: await FilterRun.start('rate-limit', config, host), host };
}

const text = (value: string) => ({ type: 'string', value }) as const;

describe('rate-limit', () => {
  test('sees heads alone', async () => {
    const { filter } = await manual({ limit: LIMIT });
    expect(filter.plugin.wants).toBe(Wants.RequestHeaders | Wants.ResponseHeaders);
  });

  test('lets the limit through, tells what is left, and answers 429 from then on', async () => {
    const { filter, clock } = await counting({ limit: LIMIT, name: 'basic' });
    const answers = [1, 2, 3].map(() => filter.request().respond());
    expect(answers).toEqual([
      ['ratelimit-policy: "basic";q=3;w=60', 'ratelimit: "basic";r=2;t=20'],
      ['ratelimit-policy: "basic";q=3;w=60', 'ratelimit: "basic";r=1;t=40'],
      ['ratelimit-policy: "basic";q=3;w=60', 'ratelimit: "basic";r=0;t=60'],
    ]);
    clock.ms = 500;
    const refused = filter.request();
    expect(refused.action).toBe(4);
    expect(refused.reply).toEqual({
      status: 429,
      details: 'rate_limited',
      body: '{"type":"about:blank","title":"Too Many Requests","status":429,"detail":"rate limit exceeded"}\n',
      headers: [
        'content-type: application/problem+json',
        'retry-after: 20',
        'ratelimit-policy: "basic";q=3;w=60',
        'ratelimit: "basic";r=0;t=60',
      ],
    });
    // Its own answer passes it once more, and is not marked twice.
    expect(refused.respond()).toEqual([]);
    clock.ms = 20_000;
    expect(filter.request().action).toBe(0);
    expect(filter.request().action).toBe(4);
  });

  test('hands the limit to the host as it was configured', async () => {
    const { filter, host } = await manual({
      limit: { requests: 100, per: '1s', burst: 20, algorithm: 'gcra' },
      cost: 5,
    });
    filter.request();
    expect(host.ledger.taken[0]).toMatchObject({
      cost: 5,
      limit: { algorithm: 'gcra', requests: 100, periodMs: 1000, burst: 20 },
    });
  });

  test.each([
    ['node', false],
    ['local', true],
  ])('scope %s: the key names the worker: %s', async (scope, named) => {
    const { filter, host } = await manual({ limit: LIMIT, scope });
    filter.request();
    expect(host.ledger.taken[0]!.key.includes('\x003\0')).toBe(named);
  });

  test('counts keys apart: address without port, header, path without query, constants', async () => {
    const { filter, host } = await manual({
      limit: LIMIT,
      key: ['source.address', 'request.headers.X-User', 'request.path', 'consumer.name', { constant: 'all' }],
    });
    const stream = new ArrayStream();
    stream.attributes.set('source\0address', text('10.0.0.7:4711'));
    stream.attributes.set('request\0headers\0x-user', text('ann'));
    filter.request([[':path', '/a?b=c']], stream);
    expect(host.ledger.taken[0]!.key.split('\0').slice(1)).toEqual([
      'default',
      'all',
      '10.0.0.7',
      'ann',
      '/a',
      '',
    ]);
  });

  test('the parts of a key do not run together', async () => {
    const { filter, host } = await manual({ limit: LIMIT, key: ['request.method', 'request.host'] });
    filter.request([
      [':method', 'A'],
      [':authority', 'BC'],
    ]);
    filter.request([
      [':method', 'AB'],
      [':authority', 'C'],
    ]);
    expect(host.ledger.taken[0]!.key).not.toBe(host.ledger.taken[1]!.key);
  });

  test('waits while all workers are asked, then goes on', async () => {
    const { filter, host } = await manual({ limit: LIMIT });
    host.ledger.decision = null;
    const exchange = filter.request();
    expect([exchange.action, exchange.reply, exchange.stream.resumed]).toEqual([1, null, []]);
    host.ledger.taken[0]!.done({ allowed: true, remaining: 7, limit: 10, resetMs: 1, retryAfterMs: 0 });
    expect(exchange.stream.resumed).toEqual([0]);
    expect(exchange.respond()).toContain('ratelimit: "default";r=7;t=1');
  });

  test('waits while all workers are asked, then refuses', async () => {
    const { filter, host } = await manual({ limit: LIMIT });
    host.ledger.decision = null;
    const exchange = filter.request();
    host.ledger.taken[0]!.done({ allowed: false, remaining: 0, limit: 10, resetMs: 9, retryAfterMs: 1001 });
    expect(exchange.stream.resumed).toEqual([]);
    expect(exchange.reply?.status).toBe(429);
    expect(exchange.reply?.headers).toContain('retry-after: 2');
  });

  test('an answer for a stream that is over changes nothing', async () => {
    const { filter, host } = await manual({ limit: LIMIT });
    host.ledger.decision = null;
    const exchange = filter.request();
    exchange.context.finish();
    host.ledger.taken[0]!.done({ allowed: true, remaining: 7, limit: 10, resetMs: 1, retryAfterMs: 0 });
    expect(exchange.stream.resumed).toEqual([]);
    expect(exchange.stream.failed).toEqual([]);
  });

  test('an object that served a stream starts the next one afresh', async () => {
    const { filter, host } = await manual({ limit: LIMIT });
    filter.request().context.finish();
    host.ledger.decision = null;
    const next = filter.request();
    expect(next.respond()).toEqual([]);
  });

  test('says nothing of limits where it is told so', async () => {
    const { filter } = await counting({ limit: { requests: 1, per: '1s' }, headers: false });
    expect(filter.request().respond()).toEqual([]);
    expect(filter.request().reply?.headers).toEqual([
      'content-type: application/problem+json',
      'retry-after: 1',
    ]);
  });

  test('leaves out a window that is not in whole seconds', async () => {
    const { filter } = await counting({ limit: { requests: 1, per: '1500ms' } });
    expect(filter.request().respond()[0]).toBe('ratelimit-policy: "default";q=1');
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
    expect((await FilterRun.refusal('rate-limit', config)).join('\n')).toContain(message);
  });
});
