import type { QuotaQuery } from '../../control/quota-request.ts';
import type { Account, AccountName } from '../../runtime/quota/account.ts';
import { Calendar } from '../../runtime/quota/window.ts';
import type { StoreSpec } from '../../runtime/snapshot.ts';
import { runScript, type StoreClient } from '../../worker/store/client.ts';
import { visitStore } from '../../worker/store/master.ts';
import { QuotaKeys } from '../../worker/store/quota-keys.ts';
import { ADJUST_SCRIPT } from '../../worker/store/quota-script.ts';
import type { Adjustment } from './records.ts';
import { KEPT_ADJUSTMENTS } from './service.ts';
import { keyOf, matchesQuery, type QuotaShelf } from './shelf.ts';

/** Keys that one step of a search looks at. */
const SCAN_COUNT = 1000;
/** What people do waits so long for replicas. */
const REPLICAS_MS = 2000;
/** As often as a window may end while it is asked. */
const TRIES = 3;

/** The accounts of a Store. Each question has a connection of its own: people ask seldom. */
export class StoreShelf implements QuotaShelf {
  readonly scope = 'cluster';
  readonly store: string;
  readonly #spec: StoreSpec;
  readonly #keys: QuotaKeys;
  readonly #calendar = new Calendar();

  constructor(spec: StoreSpec) {
    this.store = spec.name;
    this.#spec = spec;
    this.#keys = new QuotaKeys(spec.keyPrefix);
  }

  accounts(query: QuotaQuery, most: number): Promise<Account[]> {
    return visitStore(this.#spec, async (client) => {
      const names = await this.#find(client, query, most);
      const accounts = await Promise.all(names.map((name) => this.#read(client, name)));
      return accounts.filter((account) => account !== null);
    });
  }

  async adjustments(query: QuotaQuery): Promise<Adjustment[]> {
    const lines = await visitStore(this.#spec, (client) => client.lRange(this.#keys.adjustments, 0, -1));
    return lines.map(readAdjustment).filter((adjustment) => matchesQuery(adjustment, query));
  }

  adjust(account: Account, action: Adjustment['action'], amount: number, reason: string): Promise<Account> {
    const { owner, quota, key, window, timeZone } = account;
    const kept = JSON.stringify({ action, owner, quota, key, window, timeZone, reason });
    return visitStore(this.#spec, async (client) => {
      let now = Date.now();
      for (let i = 0; i < TRIES; i++) {
        const { start, end } = this.#calendar.spanAt(window, timeZone, now);
        const args = [action, amount, start, end, KEPT_ADJUSTMENTS, kept].map(String);
        const keys = [this.#keys.account(account), this.#keys.adjustments];
        const [outcome, at] = (await runScript(client, ADJUST_SCRIPT, keys, args)) as [string, number];
        const changed = outcome === 'done' ? await this.#read(client, account) : null;
        if (changed !== null) {
          await this.#replicated(client);
          return changed;
        }
        if (outcome !== 'window') throw new Error('the account has just expired');
        now = at;
      }
      throw new Error('the clock of the server leaps');
    });
  }

  /** @throws Error where too few replicas have what was done over the connection */
  async #replicated(client: StoreClient): Promise<void> {
    const { replicas } = this.#spec;
    const count = replicas === 0 ? 0 : await client.wait(replicas, REPLICAS_MS);
    if (count < replicas)
      throw new Error(
        `it is done, but ${count} of ${replicas} replicas have it: look at the account before it is done again`,
      );
  }

  async #find(client: StoreClient, query: QuotaQuery, most: number): Promise<AccountName[]> {
    const { namespace, quota, window, timezone, key } = query;
    const parts = [namespace, quota, window, timezone, key === undefined ? undefined : keyOf(key)];
    const pattern = parts.map((part) => (part === undefined ? '*' : literal(part))).join('\0');
    const found = new Map<string, AccountName>();
    let cursor = '0';
    do {
      const step = await client.scan(cursor, {
        MATCH: literal(this.#keys.accounts) + pattern,
        COUNT: SCAN_COUNT,
      });
      cursor = step.cursor;
      for (const each of step.keys) {
        const name = this.#keys.nameOf(each);
        if (name !== null && matchesQuery(name, query)) found.set(each, name);
      }
    } while (cursor !== '0' && found.size < most);
    // A search has no order.
    return [...found.keys()]
      .sort()
      .slice(0, most)
      .map((each) => found.get(each)!);
  }

  /** Null where it has expired. */
  async #read(client: StoreClient, name: AccountName): Promise<Account | null> {
    const fields = await client.hGetAll(this.#keys.account(name));
    if (fields['start'] === undefined) return null;
    const of = (field: string): number => Number(fields[field]);
    const { owner, quota, window, timeZone, key } = name;
    const told = fields['told'] ?? '';
    return {
      ...{ owner, quota, window, timeZone, key, start: of('start'), end: of('end') },
      ...{ used: of('used'), reserved: of('reserved'), extra: of('extra') },
      ...{ limit: of('limit'), soft: of('soft'), grace: of('grace') },
      plan: fields['plan'] ?? '',
      ...{ lastStart: of('lastStart'), lastUsed: of('lastUsed') },
      ...{ toldSoft: told.includes('s'), toldHard: told.includes('h') },
    };
  }
}

/** When, the amount, and the rest as JSON, with spaces between. */
function readAdjustment(line: string, index: number): Adjustment {
  const [at = '', amount = ''] = line.split(' ', 2);
  const rest = JSON.parse(line.slice(at.length + amount.length + 2)) as Omit<
    Adjustment,
    'number' | 'at' | 'amount'
  >;
  return { ...rest, number: -index, at: Number(at), amount: Number(amount) };
}

/** Text for a pattern of Redis that fits itself alone. */
function literal(text: string): string {
  return text.replace(/[\\*?[\]^-]/g, '\\$&');
}
