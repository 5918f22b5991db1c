import { Failure, RETRY_CONDITIONS } from '../runtime/retry.ts';
import type { BandwidthSpec, RetrySpec, RuleLimitSpec, TimeoutSpec } from '../runtime/snapshot.ts';
import { Attachments } from './attachments.ts';
import type { Config, UsableObject } from './config.ts';
import { flatten, mergeScopes, type Layer, type Setting } from './merge.ts';

const DEFAULT_TIMEOUTS: TimeoutSpec = { requestMs: 300_000, perTryMs: 0, idleMs: 300_000 };
/** Envoy's: protocols below HTTP keep connections open for later. */
const DEFAULT_TCP_IDLE_MS = 3_600_000;
const DEFAULT_ON = ['connect-failure', 'reset'] as const;

const DEFAULT_BURST = 64 * 1024;

/** What TrafficPolicies say of one rule, after merging. */
export interface Traffic {
  readonly timeouts: TimeoutSpec;
  readonly retry: RetrySpec | null;
  readonly limits?: RuleLimitSpec;
  readonly bandwidth?: BandwidthSpec;
}

/** A scope of a request: the key of its policies and its name in messages are the same. */
export type ScopeName = string;

/** TrafficPolicies and the timeouts and retries that HTTPRoutes have themselves. */
export class TrafficTable {
  readonly attachments: Attachments<'TrafficPolicy'>;
  readonly #config: Config;
  readonly #layers = new Map<UsableObject<'TrafficPolicy'>, Layer>();

  constructor(config: Config) {
    this.#config = config;
    this.attachments = new Attachments(config, 'TrafficPolicy');
    // Conflicts on a target are faults whether or not a request gets there.
    for (const [what, attached] of this.attachments.scopes()) {
      mergeScopes(config, [{ what, layers: attached.map(({ policy }) => this.#layer(policy)) }]);
    }
  }

  /** @param scopes from Gateway to rule; the fields of the rule itself count as its scope */
  effective(scopes: readonly ScopeName[], route: UsableObject<'HTTPRoute'>, rule: number): Traffic {
    const layered = scopes.map((what, i) => {
      const layers = this.attachments.at(what).map(({ policy }) => this.#layer(policy));
      return { what, layers: i === scopes.length - 1 ? [ruleLayer(route, rule), ...layers] : layers };
    });
    const merged = mergeScopes(this.#config, layered);
    return {
      timeouts: timeoutsOf(merged),
      retry: retryOf(merged),
      ...limitsOf(merged),
      ...bandwidthOf(merged),
    };
  }

  /** The same for connections. @param scopes from Gateway to rule */
  effectiveTcp(scopes: readonly ScopeName[]): { readonly idleMs: number; readonly retry: RetrySpec | null } {
    const layered = scopes.map((what) => ({
      what,
      layers: this.attachments.at(what).map(({ policy }) => this.#layer(policy)),
    }));
    const merged = mergeScopes(this.#config, layered);
    const idleMs = merged.get('timeouts.idle')?.value as number | undefined;
    return { idleMs: idleMs ?? DEFAULT_TCP_IDLE_MS, retry: retryOf(merged) };
  }

  #layer(policy: UsableObject<'TrafficPolicy'>): Layer {
    let layer = this.#layers.get(policy);
    if (layer === undefined) {
      const { timeouts, retry, limits, bandwidth, enforced } = policy.value.spec;
      const settings = flatten(policy, ['spec'], { timeouts, retry, limits, bandwidth });
      this.#moveHonorRetryAfter(policy, settings);
      // A retry without any field is still a retry.
      if (retry !== undefined && retry.attempts === undefined) {
        const any = [...settings.keys()].some((field) => field.startsWith('retry.'));
        if (!any) settings.set('retry', { value: true, object: policy, path: ['spec', 'retry'] });
      }
      layer = { settings, enforced };
      this.#layers.set(policy, layer);
    }
    return layer;
  }

  /** `retry.backoff.honorRetryAfter` is another place for `retry.honorRetryAfter`. */
  #moveHonorRetryAfter(policy: UsableObject<'TrafficPolicy'>, settings: Map<string, Setting>): void {
    const inner = settings.get('retry.backoff.honorRetryAfter');
    if (inner === undefined) return;
    settings.delete('retry.backoff.honorRetryAfter');
    const outer = settings.get('retry.honorRetryAfter');
    if (outer !== undefined && outer.value !== inner.value) {
      this.#config.report(policy, 'WEIR1046', inner.path, 'retry.honorRetryAfter says the opposite');
    }
    settings.set('retry.honorRetryAfter', inner);
  }
}

/** What the rule of an HTTPRoute says, in the fields of a TrafficPolicy. */
function ruleLayer(route: UsableObject<'HTTPRoute'>, index: number): Layer {
  const rule = route.value.spec.rules[index]!;
  const path = ['spec', 'rules', index];
  const settings = new Map<string, Setting>();
  const set = (field: string, value: unknown, at: (string | number)[]) => {
    if (value !== undefined) settings.set(field, { value, object: route, path: [...path, ...at] });
  };
  set('timeouts.request', rule.timeouts?.request, ['timeouts', 'request']);
  set('timeouts.perTry', rule.timeouts?.backendRequest, ['timeouts', 'backendRequest']);
  if (rule.retry !== undefined) {
    set('retry.on', [...DEFAULT_ON, ...rule.retry.codes], ['retry', 'codes']);
    // The Gateway API counts the further attempts, weir all of them.
    set('retry.attempts', rule.retry.attempts + 1, ['retry', 'attempts']);
    set('retry.backoff.base', rule.retry.backoff, ['retry', 'backoff']);
  }
  return { settings, enforced: [] };
}

function timeoutsOf(merged: ReadonlyMap<string, Setting>): TimeoutSpec {
  const get = (field: string, fallback: number) =>
    (merged.get(field)?.value as number | undefined) ?? fallback;
  return {
    requestMs: get('timeouts.request', DEFAULT_TIMEOUTS.requestMs),
    perTryMs: get('timeouts.perTry', DEFAULT_TIMEOUTS.perTryMs),
    idleMs: get('timeouts.idle', DEFAULT_TIMEOUTS.idleMs),
  };
}

function limitsOf(merged: ReadonlyMap<string, Setting>): { limits?: RuleLimitSpec } {
  const limits = Object.fromEntries(
    ['requestBody', 'responseBody', 'target', 'head', 'fields'].flatMap((field) => {
      const setting = merged.get(`limits.${field}`);
      return setting === undefined ? [] : [[field, setting.value as number]];
    }),
  );
  return Object.keys(limits).length === 0 ? {} : { limits };
}

function bandwidthOf(merged: ReadonlyMap<string, Setting>): { bandwidth?: BandwidthSpec } {
  const burst = (merged.get('bandwidth.burst')?.value as number | undefined) ?? DEFAULT_BURST;
  const rates = ['request', 'response'].flatMap((direction) => {
    const rate = merged.get(`bandwidth.${direction}`)?.value as number | undefined;
    return rate === undefined ? [] : [[direction, { bytesPerSecond: rate, burst }]];
  });
  return rates.length === 0 ? {} : { bandwidth: Object.fromEntries(rates) as BandwidthSpec };
}

function retryOf(merged: ReadonlyMap<string, Setting>): RetrySpec | null {
  if (![...merged.keys()].some((field) => field === 'retry' || field.startsWith('retry.'))) return null;
  const get = <T>(field: string, fallback: T) =>
    (merged.get(`retry.${field}`)?.value as T | undefined) ?? fallback;
  const maxAttempts: number = get<number>('attempts', 2);
  if (maxAttempts === 1) return null;
  let on = 0;
  const statuses = new Set<number>();
  for (const word of get<readonly (string | number)[]>('on', DEFAULT_ON)) {
    if (typeof word === 'number') {
      on |= 1 << Failure.RetriableStatus;
      statuses.add(word);
      continue;
    }
    const condition = RETRY_CONDITIONS[word]!;
    on |= condition.on;
    const [from, to] = condition.statuses ?? [0, -1];
    for (let status = from; status <= to; status++) statuses.add(status);
  }
  const backoffBaseMs = get('backoff.base', 25);
  return {
    on,
    statuses: [...statuses].sort((a, b) => a - b),
    maxAttempts,
    backoffBaseMs,
    backoffMaxMs: Math.max(backoffBaseMs, get('backoff.max', 250)),
    honorRetryAfter: get('honorRetryAfter', true),
    budgetPercent: get('budget.percent', 20),
    budgetMinPerSecond: get('budget.minPerSecond', 5),
    budgetWindowMs: get('budget.window', 10_000),
    replayBytes: get('replayBodyUpTo', 64 * 1024),
    onlyIdempotent: get('onlyIdempotent', true),
    avoidPreviousEndpoint: get('avoidPreviousHost', true),
  };
}
