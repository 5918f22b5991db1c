import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import type { QuotaUsage } from '../../src/control/quota-request.ts';
import { FakeUpstream } from '../support/fake-upstream.ts';
import { freePort } from '../support/ports.ts';
import { temporaryFolder, Weir } from '../support/process.ts';
import { quotaPolicies } from '../support/quota.ts';
import { exchange, getRequest } from '../support/raw-client.ts';

const KILLS = 100;
const CHARGES = 10_000;
/** Under way at a time. */
const CLIENTS = 16;
const KEYS = ['ann', 'bob', 'cid'];

test(
  'of 10 000 charges none is lost and none counts twice, though weir is killed a hundred times',
  { timeout: 900_000 },
  async () => {
    const dataDir = await temporaryFolder();
    const port = await freePort();
    const upstream = await FakeUpstream.start({ discard: true });
    const config = quotaPolicies(port, upstream.port, {
      quotas: [{ name: 'calls', limit: 1_000_000, window: 'year' }],
      idempotencyKey: 'request.headers.x-charge',
    });
    const start = (): Promise<Weir> =>
      Weir.start({ workers: 2, files: { 'edge.yaml': config }, args: ['--data-dir', dataDir] });

    const keyOf = (charge: number): string => KEYS[charge % KEYS.length]!;
    /** Whether the charge was acknowledged; what was not is tried again under the same name. */
    const send = async (charge: number): Promise<boolean> => {
      const head = getRequest(
        '/',
        'a.test',
        `X-User: ${keyOf(charge)}`,
        `X-Charge: c-${charge}`,
        'Connection: close',
      );
      return exchange({ port }, head).then(
        ({ status }) => status === 200,
        () => false,
      );
    };
    /** By key. Nothing under way. */
    const used = async (weir: Weir): Promise<Map<string, number>> => {
      const { text } = await weir.admin('/quota');
      return new Map(
        (JSON.parse(text) as QuotaUsage[]).map(({ key, used: count }) => [key.join(' '), count]),
      );
    };

    const acknowledged = new Set<number>();
    const tried = new Set<number>();
    const left = Array.from({ length: CHARGES }, (_, i) => i);
    let weir = await start();
    let kills = 0;
    let retried = 0;
    let stop = false;
    const client = async (): Promise<void> => {
      while (!stop) {
        const charge = left.pop();
        if (charge === undefined) return;
        if (tried.has(charge)) retried++;
        tried.add(charge);
        if (await send(charge)) acknowledged.add(charge);
        else {
          left.unshift(charge);
          await sleep(5);
        }
      }
    };
    while (acknowledged.size < CHARGES) {
      stop = false;
      const clients = Array.from({ length: CLIENTS }, client);
      if (kills < KILLS) {
        // So that the kills are spread over all charges.
        const until = Math.min(CHARGES, Math.ceil((CHARGES * (kills + Math.random())) / KILLS));
        while (acknowledged.size < until && left.length > 0) await sleep(1);
        await weir.kill();
        kills++;
        stop = true;
        await Promise.all(clients);
        weir = await start();
        const counted = [...(await used(weir)).values()].reduce((sum, count) => sum + count, 0);
        expect(counted).toBeGreaterThanOrEqual(acknowledged.size);
        expect(counted).toBeLessThanOrEqual(tried.size);
      } else await Promise.all(clients);
    }
    expect(kills).toBe(KILLS);
    const expected = KEYS.map((key, i) => [key, Math.ceil((CHARGES - i) / KEYS.length)]);
    expect([...(await used(weir))].sort()).toEqual(expected);
    process.stdout.write(`${CHARGES} charges, ${kills} kills, ${retried} charges tried again\n`);
  },
);
