// What rules of `weir ratelimit` can say, and what its metrics tell of them: over gRPC, and over HTTP.
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { formatDiagnostics } from '../../src/control/diagnostic.ts';
import { loadConfiguration } from '../../src/control/load.ts';
import { freePort } from '../support/ports.ts';
import { Program, ROOT, temporaryFolder } from '../support/process.ts';
import { rateLimitClient, type Ask } from '../support/ratelimit.ts';

const HEAD = `apiVersion: policy.weir/v1alpha1
kind: RateLimitService
metadata: {name: shop, namespace: shop}
spec:
  domain: shop
  limits:
`;
const LIMITS = `${HEAD}
  - descriptor: [{key: tenant}]
    limit: {requests: 10, per: 24h, algorithm: token-bucket}
    limits:
    - descriptor: [{key: path, value: /login}]
      limit: {requests: 1, per: 24h, algorithm: token-bucket}
      limits:
      - descriptor: [{key: method, value: GET}, {key: device}]
        limit: {requests: 3, per: 24h, algorithm: token-bucket}
    - descriptor: [{key: path}]
      limit: {requests: 5, per: 24h, algorithm: token-bucket}
  - descriptor: [{key: tenant, value: ours}]
    unlimited: true
  - descriptor: [{key: tried}]
    dryRun: true
    limit: {requests: 2, per: 24h, algorithm: token-bucket}
  - descriptor: [{key: group}]
    limits:
    - descriptor: [{key: member}]
      limit: {requests: 4, per: 24h, algorithm: token-bucket}
`;

let ask: Ask;
let metricsAddress: string;
beforeAll(async () => {
  const file = join(await temporaryFolder(), 'limits.yaml');
  await writeFile(file, LIMITS);
  const address = `127.0.0.1:${await freePort()}`;
  metricsAddress = `127.0.0.1:${await freePort()}`;
  const program = new Program(process.execPath, [
    join(ROOT, 'bin/weir'),
    ...['ratelimit', '-f', file, '--listen', address, '--metrics', metricsAddress],
  ]);
  await program.waitFor('"serving"');
  ask = rateLimitClient(address);
});

type Entries = [string, string][];

/** Requests a day and how many are left; null: not limited. */
async function limitOf(...entries: Entries): Promise<[number, number] | null> {
  const { statuses } = await ask('shop', [entries]);
  const { current_limit: limit, limit_remaining: left } = statuses[0]!;
  return limit === null ? null : [limit.requests_per_unit, left];
}

/** Values of one metric, by its labels. */
async function metric(name: string): Promise<Record<string, number>> {
  const text = await (await fetch(`http://${metricsAddress}/metrics`)).text();
  const lines = text.split('\n').filter((line) => line.startsWith(`${name}{`) || line.startsWith(`${name} `));
  return Object.fromEntries(
    lines.map((line) => {
      const [, labels = '', value] = /^\w+(?:\{(.*)\})? (\S+)$/.exec(line)!;
      return [labels, Number(value)];
    }),
  );
}

test('nested limits are of descriptors that begin with the entries of the outer one, and count by themselves', async () => {
  expect(await limitOf(['tenant', 'acme'])).toEqual([10, 9]);
  expect(await limitOf(['tenant', 'acme'], ['path', '/login'])).toEqual([1, 0]);
  expect(await limitOf(['tenant', 'acme'], ['path', '/cart'])).toEqual([5, 4]);
  const device: Entries = [
    ['tenant', 'acme'],
    ['path', '/login'],
    ['method', 'GET'],
    ['device', 'd1'],
  ];
  expect(await limitOf(...device)).toEqual([3, 2]);
  expect(await limitOf(...device)).toEqual([3, 1]);
  // Of another tenant nothing is used, and what no rule is for goes through.
  expect(await limitOf(['tenant', 'other'], ['path', '/login'])).toEqual([1, 0]);
  expect(await limitOf(...device.slice(0, 3))).toBeNull();
  expect(await limitOf(['group', 'g'])).toBeNull();
  expect(await limitOf(['group', 'g'], ['member', 'm'])).toEqual([4, 3]);
});

test('what is unlimited is let through, though any value has a limit', async () => {
  for (let i = 0; i < 12; i++) {
    const { overall_code, statuses } = await ask('shop', [[['tenant', 'ours']]]);
    expect([overall_code, statuses[0]!.current_limit]).toEqual(['OK', null]);
  }
  const codes = [];
  for (let i = 0; i < 11; i++) codes.push((await ask('shop', [[['tenant', 'theirs']]])).overall_code);
  expect(codes.filter((code) => code === 'OK')).toHaveLength(10);
});

test('a dry run counts, refuses nothing, and keeps no other limit from being charged', async () => {
  const left = [];
  for (let i = 0; i < 4; i++) {
    const { overall_code, statuses } = await ask('shop', [[['tried', 'x']], [['tenant', 'dry']]]);
    left.push([overall_code, ...statuses.map(({ limit_remaining }) => limit_remaining)]);
  }
  expect(left).toEqual([
    ['OK', 1, 9],
    ['OK', 0, 8],
    ['OK', 0, 7],
    ['OK', 0, 6],
  ]);
  const rule = 'domain="shop",rule="tried"';
  expect((await metric('weir_ratelimit_hits_total'))[rule]).toBe(4);
  expect((await metric('weir_ratelimit_over_limit_total'))[rule]).toBe(2);
  expect((await metric('weir_ratelimit_dry_run_total'))[rule]).toBe(2);
});

test('metrics tell hits, near and over the limit by rule, calls by result, and how long they take', async () => {
  const rule = 'domain="shop",rule="tenant,path"';
  const of = async (name: string): Promise<number> =>
    (await metric(`weir_ratelimit_${name}_total`))[rule] ?? 0;
  const results = () => metric('weir_ratelimit_requests_total');
  const before = [await of('hits'), await of('near_limit'), await of('over_limit')];
  const callsBefore = await results();
  const watched: Entries = [
    ['tenant', 'watched'],
    ['path', '/a'],
  ];
  await ask('shop', [watched], 3);
  await ask('shop', [watched], 2);
  await ask('shop', [watched], 7);
  await ask('nobody', [watched]);
  const after = [await of('hits'), await of('near_limit'), await of('over_limit')];
  expect(after.map((value, i) => value - before[i]!)).toEqual([12, 2, 7]);
  const calls = await results();
  const more = Object.entries(calls).map(([labels, value]) => [labels, value - callsBefore[labels]!]);
  expect(Object.fromEntries(more)).toEqual({
    'result="ok"': 2,
    'result="over_limit"': 1,
    'result="unknown_domain"': 1,
    'result="store_unavailable"': 0,
    'result="invalid"': 0,
  });
  const all = Object.values(calls).reduce((sum, value) => sum + value, 0);
  expect(await metric('weir_ratelimit_request_duration_seconds_count')).toEqual({ '': all });
  expect(await metric('weir_ratelimit_config_last_reload_success')).toEqual({ '': 1 });
  expect((await fetch(`http://${metricsAddress}/other`)).status).toBe(404);
  expect((await fetch(`http://${metricsAddress}/metrics`, { method: 'POST' })).status).toBe(405);
});

test('rules that say nothing, or contradict themselves, are refused with their place', async () => {
  const file = join(await temporaryFolder(), 'limits.yaml');
  const faultsOf = async (...rules: string[]): Promise<string> => {
    await writeFile(file, HEAD + rules.map((rule) => `  - ${rule}\n`).join(''));
    return formatDiagnostics((await loadConfiguration([file])).diagnostics);
  };
  const limit = 'limit: {requests: 1, per: 1s}';
  const faults = await faultsOf(
    'descriptor: [{key: a}]',
    `{descriptor: [{key: b}], unlimited: true, ${limit}}`,
    '{descriptor: [{key: c}], unlimited: true, dryRun: true}',
  );
  expect(faults).toContain(
    'limits.yaml:7:5  error WEIR1044  needs `limit`, `unlimited: true` or nested `limits`',
  );
  expect(faults).toContain('limits.yaml:8:47  error WEIR1046  what is unlimited has no limit');
  expect(faults).toContain('limits.yaml:9:55  error WEIR1046  without a limit nothing is tried');

  const twice = await faultsOf(
    `{descriptor: [{key: a}, {key: b}], ${limit}}`,
    '{descriptor: [{key: a}], limits: [{descriptor: [{key: b}], unlimited: true}]}',
  );
  expect(twice).toContain('limits.yaml:8:40  error WEIR1046  this descriptor has a limit already');
});
