// `weir ratelimit`, asked by a client that weir did not write.
import { status } from '@grpc/grpc-js';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { freePort } from '../support/ports.ts';
import { Program, ROOT, run, temporaryFolder } from '../support/process.ts';
import { rateLimitClient, type Ask } from '../support/ratelimit.ts';

const HOUR = 3_600_000;

const yaml = (extra = ''): string => `apiVersion: policy.weir/v1alpha1
kind: RateLimitService
metadata: {name: shop, namespace: shop}
spec:
  domain: shop
  limits:
  - descriptor: [{key: user}]
    limit: {requests: 2, per: 1h}
  - descriptor: [{key: user, value: boss}]
    limit: {requests: 5, per: 1h}
  - descriptor: [{key: user}, {key: path, value: /login}]
    limit: {requests: 1, per: 90s, algorithm: sliding-window}
  - descriptor: [{key: all}]
    limit: {requests: 3, per: 24h, algorithm: token-bucket}
${extra}`;

async function start(text: string): Promise<{ ask: Ask; program: Program }> {
  const file = join(await temporaryFolder(), 'limits.yaml');
  await writeFile(file, text);
  const address = `127.0.0.1:${await freePort()}`;
  const program = new Program(process.execPath, [
    join(ROOT, 'bin/weir'),
    'ratelimit',
    '-f',
    file,
    '--listen',
    address,
  ]);
  await program.waitFor('"serving"');
  return { ask: rateLimitClient(address), program };
}

describe('weir ratelimit', () => {
  let ask: Ask;
  let program: Program;
  beforeAll(async () => {
    ({ ask, program } = await start(yaml()));
  });

  test('counts each value by itself, says what is left, and refuses what is over', async () => {
    const codes = [];
    for (const user of ['ann', 'ann', 'ann', 'bea'])
      codes.push((await ask('shop', [[['user', user]]])).overall_code);
    expect(codes).toEqual(['OK', 'OK', 'OVER_LIMIT', 'OK']);
    const leftOfHour = (): number => HOUR - (Date.now() % HOUR);
    const most = leftOfHour();
    const { statuses } = await ask('shop', [[['user', 'bea']]]);
    const least = leftOfHour();
    expect(statuses).toMatchObject([
      { code: 'OK', current_limit: { requests_per_unit: 2, unit: 'HOUR' }, limit_remaining: 0 },
    ]);
    const { seconds, nanos } = statuses[0]!.duration_until_reset!;
    const left = 1000 * seconds + nanos / 1e6;
    // Clocks of two processes differ by a little.
    expect([left > least - 50, left < most + 50]).toEqual([true, true]);
  });

  test('a fixed value wins over any, and all entries count', async () => {
    const left = async (...entries: [string, string][]): Promise<number | null> => {
      const { statuses } = await ask('shop', [entries]);
      return statuses[0]!.current_limit === null ? null : statuses[0]!.limit_remaining;
    };
    expect(await left(['user', 'boss'])).toBe(4);
    expect(await left(['user', 'cyd'], ['path', '/login'])).toBe(0);
    expect(await left(['user', 'cyd'])).toBe(1);
    expect(await left(['user', 'cyd'], ['path', '/other'])).toBeNull();
    expect(await left(['path', '/login'], ['user', 'cyd'])).toBeNull();
  });

  test('one descriptor that refuses costs the others nothing', async () => {
    const both = (user: string) => ask('shop', [[['user', user]], [['all', '']]]);
    expect((await ask('shop', [[['user', 'dan']]], 2)).overall_code).toBe('OK');
    for (let i = 0; i < 5; i++) {
      const { overall_code, statuses } = await both('dan');
      expect([overall_code, statuses[0]!.code, statuses[1]!.code]).toEqual([
        'OVER_LIMIT',
        'OVER_LIMIT',
        'OK',
      ]);
    }
    expect((await ask('shop', [[['all', '']]])).statuses[0]!.limit_remaining).toBe(2);
  });

  test('takes as many hits as it is told', async () => {
    expect((await ask('shop', [[['user', 'eve']]], 3)).overall_code).toBe('OVER_LIMIT');
    expect((await ask('shop', [[['user', 'eve']]], 2)).overall_code).toBe('OK');
  });

  test('what no rule is for passes: another key, another domain, no descriptor', async () => {
    for (const [domain, descriptors] of [
      ['shop', [[['other', 'x']]]],
      ['other', [[['user', 'ann']]]],
      ['shop', []],
    ] as const) {
      const answer = await ask(domain, descriptors);
      expect(answer.overall_code).toBe('OK');
      expect(answer.statuses).toHaveLength(descriptors.length);
    }
  });

  test('ends at SIGTERM', async () => {
    process.kill(program.pid, 'SIGTERM');
    expect(await program.exited).toEqual({ code: 0, signal: null });
  });
});

describe('a Store that is out of reach', () => {
  const store = async (): Promise<string> => `---
apiVersion: policy.weir/v1alpha1
kind: Store
metadata: {name: limits, namespace: shop}
spec: {redis: {address: "127.0.0.1:${await freePort()}"}}
`;

  test.each([
    ['Allow', 'OK'],
    ['Deny', 'OVER_LIMIT'],
  ])('%s: %s', async (onStoreFailure, code) => {
    const text = yaml(await store()).replace(
      'domain: shop',
      `domain: shop\n  store: limits\n  onStoreFailure: ${onStoreFailure}`,
    );
    const { ask } = await start(text);
    expect((await ask('shop', [[['user', 'ann']]])).overall_code).toBe(code);
  });

  test('by default the call fails, so that the proxy decides', async () => {
    const { ask } = await start(yaml(await store()).replace('domain: shop', 'domain: shop\n  store: limits'));
    await expect(ask('shop', [[['user', 'ann']]])).rejects.toMatchObject({ code: status.UNAVAILABLE });
    expect((await ask('shop', [[['nothing', 'x']]])).overall_code).toBe('OK');
  });
});

describe('what it does not serve', () => {
  const attempt = async (text: string, ...args: string[]) => {
    const file = join(await temporaryFolder(), 'limits.yaml');
    await writeFile(file, text);
    return run(process.execPath, [join(ROOT, 'bin/weir'), 'ratelimit', '-f', file, ...args]);
  };

  test('a configuration at fault', async () => {
    const twice = yaml(`  - descriptor: [{key: user}]
    limit: {requests: 0, per: 1h, algorithm: fixed-window, burst: 3}
---
apiVersion: policy.weir/v1alpha1
kind: RateLimitService
metadata: {name: again, namespace: shop}
spec:
  domain: shop
  store: missing
  limits: [{descriptor: [{key: a}], limit: {requests: 1, per: 1s}}]
`);
    const { code, stderr } = await attempt(twice);
    expect(code).toBe(1);
    expect(stderr).toContain('limits.yaml:16:23  error WEIR1044');
    const only = await attempt(twice.replace('requests: 0', 'requests: 1').replace(', burst: 3', ''));
    expect(only.stderr).toContain('this descriptor has a limit already');
    expect(only.stderr).toContain('the domain "shop" has another RateLimitService');
    expect(only.stderr).toContain('Store shop/missing not found');
  });

  test('a configuration without limits, and an address that is taken', async () => {
    const empty = await attempt('apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n');
    expect([empty.code, empty.stderr]).toEqual([1, expect.stringContaining('nothing to serve')]);
    const { program } = await start(yaml());
    const address = /"address":"([^"]+)"/.exec(program.stderr)![1]!;
    const taken = await attempt(yaml(), '--listen', address);
    expect(taken.code).toBe(3);
    expect(taken.stderr).toContain(`--listen ${address}`);
  });
});
