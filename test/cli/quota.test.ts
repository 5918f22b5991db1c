import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import type { QuotaAdjustment, QuotaUsage } from '../../src/control/quota-request.ts';
import { FakeUpstream } from '../support/fake-upstream.ts';
import { freePort } from '../support/ports.ts';
import { ROOT, run, temporaryFolder, Weir } from '../support/process.ts';
import { quotaPolicies } from '../support/quota.ts';
import { exchange, getRequest } from '../support/raw-client.ts';
import { metricOf } from '../support/scenario.ts';

let weir: Weir;
let port: number;
let dataDir: string;
let config: string;

const start = (): Promise<Weir> =>
  Weir.start({ workers: 2, files: { 'edge.yaml': config }, args: ['--data-dir', dataDir] });
const send = async (user: string): Promise<number> =>
  (await exchange({ port }, getRequest('/', 'example.test', `X-User: ${user}`, 'Connection: close'))).status;
const quota = (verb: string, ...args: string[]) =>
  run(process.execPath, [
    join(ROOT, 'bin/weir'),
    ...['quota', verb, '--admin', `127.0.0.1:${weir.adminPort}`],
    ...args,
  ]);

beforeAll(async () => {
  dataDir = await temporaryFolder();
  port = await freePort();
  const upstream = await FakeUpstream.start({ discard: true });
  const quotas = [
    { name: 'calls', limit: 3, window: 'year' },
    { name: 'many', limit: 1000, window: 'day', timezone: 'Pacific/Auckland' },
  ];
  config = quotaPolicies(port, upstream.port, { plan: 'free', plans: { free: { quotas } } });
  weir = await start();
});

describe('weir quota', () => {
  test('lists what was used, those first that have used most', async () => {
    expect((await quota('list')).stdout).toBe('nothing was charged yet\n');
    for (const status of [200, 200, 200, 429]) expect(await send('ann')).toBe(status);
    expect(await send('bob')).toBe(200);
    const { stdout, code } = await quota('list', 'shop/calls');
    expect(code).toBe(0);
    const lines = stdout.split('\n').map((line) => line.split(/ {2,}/));
    const until = `${new Date().getUTCFullYear() + 1}-01-01T00:00:00.000Z`;
    expect(lines).toEqual([
      ['QUOTA', 'KEY', 'WINDOW', 'PLAN', 'SCOPE', 'USED', 'LIMIT', 'LEFT', 'UNTIL'],
      ['shop/calls', 'ann', 'year UTC', 'free', 'node', '3', '3', '0', until],
      ['shop/calls', 'bob', 'year UTC', 'free', 'node', '1', '3', '2', until],
      [''],
    ]);
    expect((JSON.parse((await quota('list', '--json')).stdout) as unknown[]).length).toBe(4);
    const usedUp = weir.log.filter(({ msg }) => msg === 'a quota is used up');
    expect(usedUp).toMatchObject([{ quota: 'shop/calls', plan: 'free', key: 'ann', used: 3, limit: 3 }]);
  });

  test('a top-up counts at once, a reset gives the window anew, and both are remembered', async () => {
    expect((await quota('top-up', 'shop/calls', 'ann', '--amount', '1', '--reason', 'ticket 81')).code).toBe(
      0,
    );
    for (const status of [200, 429]) expect(await send('ann')).toBe(status);
    expect((await quota('reset', 'calls', 'ann')).code).toBe(0);
    for (const status of [200, 200, 200, 200, 429]) expect(await send('ann')).toBe(status);
    const shown = JSON.parse((await quota('show', 'calls', 'ann', '--json')).stdout) as {
      accounts: QuotaUsage[];
      adjustments: QuotaAdjustment[];
    };
    expect(shown.accounts).toMatchObject([{ used: 4, limit: 4, added: 1, remaining: 0 }]);
    expect(shown.adjustments).toMatchObject([
      { action: 'reset', amount: 4, reason: '' },
      { action: 'top-up', amount: 1, reason: 'ticket 81', quota: 'shop/calls', key: ['ann'] },
    ]);
    expect((await quota('show', 'calls', 'ann')).stdout).toContain('top-up shop/calls year  1  ticket 81');
  });

  test('says what is wrong, and what there is', async () => {
    expect((await quota('list', 'cals')).stdout).toBe(
      'nothing was charged for a quota cals; there are: shop/calls, shop/many\n',
    );
    expect((await quota('show', 'calls', 'nobody')).stdout).toContain('weir quota list calls tells the keys');
    const faults = [
      [['top-up', 'calls', 'nobody', '--amount', '1'], 'nothing was charged to such an account', 1],
      [['top-up', 'calls', 'ann', '--amount', 'much'], 'amount: expected a whole number', 1],
      [['top-up', 'calls', 'ann'], "required option '--amount <n>' not specified", 2],
      [['reset', 'calls'], "missing required argument 'key'", 2],
      [['list', '--admin', 'x'], 'expected HOST:PORT', 2],
    ] as const;
    for (const [args, message, code] of faults) {
      const [verb, ...rest] = args;
      const result = await quota(verb, ...rest);
      expect([result.code, result.stderr]).toEqual([code, expect.stringContaining(message)]);
    }
  });
});

test('all of it is there after weir was killed', async () => {
  await weir.kill();
  weir = await start();
  expect(await send('ann')).toBe(429);
  for (const status of [200, 200, 429]) expect(await send('bob')).toBe(status);
  const shown = (await quota('show', 'calls', 'ann')).stdout;
  expect(shown).toContain('ticket 81');
  expect(shown).toMatch(/ann +year UTC +free /);
  expect(await metricOf(weir, 'weir_quota_ledger_failing')).toBe(0);
});

test('with a ledger that is damaged, quotas are unavailable, and weir says where', async () => {
  await weir.stop();
  const folder = join(dataDir, 'quota');
  const file = join(folder, readdirSync(folder)[0]!);
  const bytes = readFileSync(file);
  const whole = Buffer.from(bytes);
  bytes[30]! ^= 1;
  writeFileSync(file, bytes);
  weir = await start();
  expect(await send('carl')).toBe(503);
  expect(weir.stderr).toMatch(/damaged at byte 0 \(line 1\).*bring the file back/);
  expect(await metricOf(weir, 'weir_quota_ledger_failing')).toBe(1);
  await weir.stop();
  writeFileSync(file, whole);
  weir = await start();
  expect(await send('carl')).toBe(200);
});
