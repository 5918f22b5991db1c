// What people do to accounts in a real Redis, whose replica is stopped and goes on.
import { expect, test, vi } from 'vitest';
import { StoreShelf } from '../../../src/supervisor/quota/store-shelf.ts';
import { RESERVE_SCRIPT } from '../../../src/worker/store/quota-script.ts';
import { QuotaKeys } from '../../../src/worker/store/quota-keys.ts';
import { Redis } from '../../support/redis.ts';
import { storeSpec } from '../../support/store-spec.ts';

test('who tops up is told where too few replicas have it', async () => {
  const master = await Redis.start('--repl-diskless-sync-delay', '0');
  const replica = await Redis.start('--replicaof', '127.0.0.1', String(master.port));
  const client = await master.client();
  const shelf = new StoreShelf(storeSpec(master.port, { replicas: 1 }));
  const name = { owner: 'shop', quota: 'calls', window: 'year', timeZone: 'UTC', key: 'acme' } as const;
  const now = new Date();
  const span = [Date.UTC(now.getUTCFullYear(), 0), Date.UTC(now.getUTCFullYear() + 1, 0)];
  const keys = ['held', 'holders', 'voided', 'charged', new QuotaKeys('weir').account(name)];
  const charge = ['me', 1, 1, 10_000, 60_000, 1, 'now', '', ...span, 10, 0, 0, ''].map(String);
  await client.eval(RESERVE_SCRIPT.text, { keys, arguments: charge });
  await vi.waitFor(async () => expect(await client.wait(1, 100)).toBe(1), { timeout: 20_000 });

  const [account] = await shelf.accounts({}, 10);
  expect((await shelf.adjust(account!, 'top-up', 5, 'ticket 1')).extra).toBe(5);
  replica.freeze();
  await expect(shelf.adjust(account!, 'top-up', 5, 'ticket 2')).rejects.toThrow(
    'it is done, but 0 of 1 replicas have it: look at the account before it is done again',
  );
  replica.thaw();
  expect((await shelf.accounts({}, 10))[0]).toMatchObject({ used: 1, extra: 10 });
});
