import { QuotaRefused, type QuotaSource } from '../../control/quota-pages.ts';
import type { QuotaAdjustment, QuotaChange, QuotaQuery, QuotaUsage } from '../../control/quota-request.ts';
import { leftOf, type Account } from '../../runtime/quota/account.ts';
import type { PluginSpec, Snapshot, StoreSpec } from '../../runtime/snapshot.ts';
import { Grants } from '../../runtime/wasm/capabilities.ts';
import type { QuotaService } from './service.ts';
import { partsOf, type QuotaShelf } from './shelf.ts';
import { StoreShelf } from './store-shelf.ts';

/** Answers of `/quota` are at most so long. */
const MOST_SHOWN = 10_000;

interface QuotaViewDeps {
  readonly quotas: QuotaService;
  /** In force. */
  snapshot(): Snapshot | null;
  /** Milliseconds since 1970. */
  now(): number;
}

/** What the admin server shows of the ledgers and does to them. */
export class QuotaView implements QuotaSource {
  readonly #deps: QuotaViewDeps;

  constructor(deps: QuotaViewDeps) {
    this.#deps = deps;
  }

  async usage(query: QuotaQuery): Promise<QuotaUsage[]> {
    const found = await this.#find(query);
    return found.slice(0, MOST_SHOWN).map(([shelf, account]) => this.#usageOf(shelf, account));
  }

  async adjustments(query: QuotaQuery): Promise<QuotaAdjustment[]> {
    const all = await this.#ofEach(query, (shelf) => shelf.adjustments(query));
    return all
      .sort(([, a], [, b]) => b.at - a.at)
      .slice(0, MOST_SHOWN)
      .map(([{ scope, store }, { at, action, owner, quota, key, window, timeZone, amount, reason }]) => ({
        at: new Date(at).toISOString(),
        action,
        quota: `${owner}/${quota}`,
        key: partsOf(key),
        window,
        timezone: timeZone,
        scope,
        store,
        amount,
        reason,
      }));
  }

  async change({ action, account: query, amount, reason }: QuotaChange): Promise<QuotaUsage> {
    const found = await this.#find(query);
    if (found.length === 0)
      throw new QuotaRefused(
        404,
        'nothing was charged to such an account; weir quota list (GET /quota) tells those that there are',
      );
    if (found.length > 1) {
      const names = found.map(
        ([{ scope }, { owner, quota, window, timeZone }]) =>
          `${owner}/${quota} ${window} ${timeZone} ${scope}`,
      );
      throw new QuotaRefused(
        409,
        `${found.length} accounts match, name one by quota=NAMESPACE/NAME, window=, timezone= and scope=: ${names.slice(0, 5).join('; ')}`,
      );
    }
    const [shelf, account] = found[0]!;
    try {
      return this.#usageOf(shelf, await shelf.adjust(account, action, amount, reason));
    } catch (error) {
      throw new QuotaRefused(503, `${nameOf(shelf)} cannot be written: ${(error as Error).message}`);
    }
  }

  #find(query: QuotaQuery): Promise<[QuotaShelf, Account][]> {
    return this.#ofEach(query, (shelf) => shelf.accounts(query, MOST_SHOWN));
  }

  async #ofEach<T>(
    { scope }: QuotaQuery,
    read: (shelf: QuotaShelf) => Promise<T[]>,
  ): Promise<[QuotaShelf, T][]> {
    const stores = storesOf(this.#deps.snapshot()).map((spec) => new StoreShelf(spec));
    const shelves = [this.#deps.quotas, ...stores].filter(
      (shelf) => scope === undefined || shelf.scope === scope,
    );
    const all = await Promise.all(
      shelves.map(async (shelf) => {
        try {
          return (await read(shelf)).map((each): [QuotaShelf, T] => [shelf, each]);
        } catch (error) {
          throw new QuotaRefused(
            503,
            `${nameOf(shelf)} cannot be read: ${(error as Error).message}; scope=node leaves it out`,
          );
        }
      }),
    );
    return all.flat();
  }

  #usageOf({ scope, store }: QuotaShelf, account: Account): QuotaUsage {
    const { owner, quota, key, window, timeZone, start, end, used, reserved, extra } = account;
    const { limit, remaining } = leftOf(account, this.#deps.now());
    return {
      quota: `${owner}/${quota}`,
      key: partsOf(key),
      window,
      timezone: timeZone,
      scope,
      store,
      plan: account.plan === '' ? null : Buffer.from(account.plan, 'latin1').toString('utf8'),
      from: new Date(start).toISOString(),
      until: new Date(end).toISOString(),
      limit,
      added: extra,
      used,
      reserved,
      remaining,
      before:
        account.lastStart === 0
          ? null
          : { from: new Date(account.lastStart).toISOString(), used: account.lastUsed },
    };
  }
}

function nameOf({ store }: QuotaShelf): string {
  return store === null ? 'the ledger' : `the Store ${store}`;
}

/** Stores in which filters may count quotas, each server and prefix once. */
function storesOf(snapshot: Snapshot | null): StoreSpec[] {
  const stores = new Map<string, StoreSpec>();
  for (const { store, capabilities } of snapshot?.plugins ?? []) {
    if (store === undefined || !mayCharge(capabilities)) continue;
    const { addresses, sentinel, db, keyPrefix } = store;
    stores.set(JSON.stringify([addresses, sentinel?.master, db, keyPrefix]), store);
  }
  return [...stores.values()];
}

function mayCharge(capabilities: PluginSpec['capabilities']): boolean {
  return new Grants(capabilities).allowsForeign('weir.quota_reserve', '');
}
