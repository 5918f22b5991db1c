/** Which accounts of the ledger are meant; what is left out matches all. */
export interface QuotaQuery {
  /** Of the quota. */
  readonly namespace?: string;
  readonly quota?: string;
  /** Parts of the key, as text. */
  readonly key?: readonly string[];
  readonly window?: string;
  readonly timezone?: string;
  readonly scope?: string;
}

export interface QuotaChange {
  readonly action: 'top-up' | 'reset';
  readonly account: QuotaQuery;
  /** Of a top-up. */
  readonly amount: number;
  readonly reason: string;
}

/** What one key has used of one quota. */
export interface QuotaUsage {
  /** `namespace/name`. */
  readonly quota: string;
  readonly key: readonly string[];
  readonly window: string;
  readonly timezone: string;
  /** Who counts together: the machine, or all that use a Store. */
  readonly scope: 'node' | 'cluster';
  /** `namespace/name` of that Store; null: the machine's own ledger. */
  readonly store: string | null;
  /** The plan whose limit it was held to last; null: none. */
  readonly plan: string | null;
  /** Of the running window; of the last one where nothing was asked since. ISO 8601. */
  readonly from: string;
  readonly until: string;
  /** With what was added. */
  readonly limit: number;
  readonly added: number;
  readonly used: number;
  readonly reserved: number;
  readonly remaining: number;
  /** The window before; null: it is not known. */
  readonly before: { readonly from: string; readonly used: number } | null;
}

/** What a person did to an account. */
export interface QuotaAdjustment {
  readonly at: string;
  readonly action: 'top-up' | 'reset';
  readonly quota: string;
  readonly key: readonly string[];
  readonly window: string;
  readonly timezone: string;
  readonly scope: 'node' | 'cluster';
  readonly store: string | null;
  /** Added; of a reset, what was used until then. */
  readonly amount: number;
  readonly reason: string;
}

const ACCOUNT = ['quota', 'key', 'window', 'timezone', 'scope'];
const SCOPES = ['node', 'cluster'];
const MOST_REASON = 500;

/**
 * Reads `?quota=shop/calls&key=acme&key=GET&window=month&timezone=UTC`. A quota without a slash is of any namespace.
 *
 * @returns a sentence where something is wrong
 */
export function readQuotaQuery(query: URLSearchParams): QuotaQuery | string {
  const unknown = unknownIn(query, ACCOUNT);
  return unknown ?? accountOf(query);
}

/**
 * Reads such a query that names one account, with `amount=1000` for a top-up and `reason=…`.
 *
 * @returns a sentence where something is wrong
 */
export function readQuotaChange(action: QuotaChange['action'], query: URLSearchParams): QuotaChange | string {
  const unknown = unknownIn(query, [...ACCOUNT, 'reason', ...(action === 'top-up' ? ['amount'] : [])]);
  if (unknown !== null) return unknown;
  const missing = ['quota', 'key'].find((name) => !query.has(name));
  if (missing !== undefined) return `${missing}= is missing`;
  const amount = Number(query.get('amount') ?? Number.NaN);
  if (action === 'top-up' && (!Number.isSafeInteger(amount) || amount === 0))
    return 'amount: expected a whole number, negative to take away';
  const reason = query.get('reason') ?? '';
  if (reason.length > MOST_REASON) return `reason: expected at most ${MOST_REASON} characters`;
  const account = accountOf(query);
  if (typeof account === 'string') return account;
  return { action, account, amount: action === 'top-up' ? amount : 0, reason };
}

function unknownIn(query: URLSearchParams, known: readonly string[]): string | null {
  const unknown = [...query.keys()].find((name) => !known.includes(name));
  if (unknown === undefined) return null;
  return `there is no parameter ${JSON.stringify(unknown)}; there are ${known.join(', ')}`;
}

function accountOf(query: URLSearchParams): QuotaQuery | string {
  const name = query.get('quota');
  const slash = name?.indexOf('/') ?? -1;
  const window = query.get('window');
  const timezone = query.get('timezone');
  const scope = query.get('scope');
  if (scope !== null && !SCOPES.includes(scope)) return `scope: expected one of ${SCOPES.join(', ')}`;
  return {
    ...(slash < 0 ? {} : { namespace: name!.slice(0, slash) }),
    ...(name === null ? {} : { quota: name.slice(slash + 1) }),
    ...(query.has('key') ? { key: query.getAll('key') } : {}),
    ...(window === null ? {} : { window }),
    ...(timezone === null ? {} : { timezone }),
    ...(scope === null ? {} : { scope }),
  };
}
