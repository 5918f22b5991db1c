import type { RateLimitDomain, RateLimitRule } from '../control/rate-limit-services.ts';
import type { Ledger, LedgerWaiter } from '../runtime/ledger.ts';
import { emptyDecision, type Decision } from '../runtime/limit.ts';
import {
  Code,
  readRequest,
  writeResponse,
  type DescriptorStatus,
  type RateLimitRequest,
} from './messages.ts';
import { RateLimitMetrics, type CallResult } from './metrics.ts';
import { countedAs, labelOf, RuleTable } from './rules.ts';

/** Nobody could be asked, and the domain wants the caller to know. */
export class StoreUnavailable extends Error {}

interface Domain {
  readonly spec: RateLimitDomain;
  readonly table: RuleTable;
  readonly ledger: Ledger;
}

/** A descriptor that a rule fits. */
interface Asked {
  readonly rule: RateLimitRule;
  readonly key: string;
  readonly hits: number;
}

/** With less than this share of the limit left, a hit counts as near it. */
const NEAR_SHARE = 0.2;

/** `ShouldRateLimit`, by the limits of a configuration. */
export class RateLimitService {
  readonly metrics = new RateLimitMetrics();
  #domains: ReadonlyMap<string, Domain> = new Map();

  /** @param ledgerOf what a domain counts in */
  configure(domains: readonly RateLimitDomain[], ledgerOf: (domain: RateLimitDomain) => Ledger): void {
    this.#domains = new Map(
      domains.map((spec) => [spec.domain, { spec, table: new RuleTable(spec), ledger: ledgerOf(spec) }]),
    );
  }

  /**
   * @param bytes a `RateLimitRequest`
   * @returns a `RateLimitResponse`
   * @throws StoreUnavailable; Error where the bytes are no such message
   */
  async answer(bytes: Uint8Array): Promise<Buffer> {
    const from = performance.now();
    let result: CallResult = 'invalid';
    try {
      const request = readRequest(bytes);
      result = 'store_unavailable';
      const domain = this.#domains.get(request.domain);
      const statuses =
        domain === undefined
          ? request.descriptors.map(() => UNLIMITED)
          : await this.#statuses(domain, request);
      const code = statuses.some((status) => status.code === Code.OverLimit) ? Code.OverLimit : Code.Ok;
      result = domain === undefined ? 'unknown_domain' : code === Code.Ok ? 'ok' : 'over_limit';
      return writeResponse(code, statuses);
    } finally {
      this.metrics.called(result, (performance.now() - from) / 1000);
    }
  }

  async #statuses(domain: Domain, { descriptors, hits }: RateLimitRequest): Promise<DescriptorStatus[]> {
    const asked = descriptors.map((descriptor): Asked | null => {
      const rule = domain.table.find(descriptor);
      if (rule === null) return null;
      return {
        rule,
        key: countedAs(domain.spec.domain, rule, descriptor),
        hits: descriptor.hits ?? hits,
      };
    });
    const decisions = await this.#decide(domain, asked);
    const isRefused = decisions.some((decision, i) => refuses(asked[i]!, decision));
    for (const [i, each] of asked.entries())
      if (each !== null) this.#count(domain.spec.domain, each, decisions[i]!, isRefused);
    return asked.map((each, i) => statusOf(each, decisions[i]!));
  }

  /** All of them admit, or none is charged. */
  async #decide({ ledger, spec }: Domain, asked: readonly (Asked | null)[]): Promise<(Decision | null)[]> {
    const decisions = await Promise.all(
      asked.map((each) => (each === null ? Promise.resolve(null) : take(ledger, each))),
    );
    if (decisions.some((decision, i) => refuses(asked[i]!, decision))) {
      for (const [i, decision] of decisions.entries()) {
        const each = asked[i]!;
        if (decision?.allowed === true)
          ledger.giveBack(each!.key, each!.hits, each!.rule.limit!, decision.at);
      }
    }
    const failed = decisions.some((decision, i) => decision?.failed === true && refuses(asked[i]!, decision));
    if (!failed) return decisions;
    if (spec.onStoreFailure === 'Error') throw new StoreUnavailable('the store cannot be asked');
    // What others refused stays refused.
    if (spec.onStoreFailure === 'Deny') return decisions;
    return decisions.map((decision) => (decision?.failed === true ? null : decision));
  }

  #count(domain: string, { rule, hits }: Asked, decision: Decision | null, isRefused: boolean): void {
    const { metrics } = this;
    const slots = metrics.ofRule(domain, labelOf(rule));
    metrics.add(slots.hits, hits);
    if (decision === null || decision.failed) return;
    if (!decision.allowed) {
      metrics.add(slots.over, hits);
      if (rule.isDryRun) metrics.add(slots.dryRun, hits);
    } else if (!isRefused && decision.remaining < NEAR_SHARE * decision.limit) metrics.add(slots.near, hits);
  }
}

function refuses(asked: Asked | null, decision: Decision | null): boolean {
  return decision !== null && !decision.allowed && !asked!.rule.isDryRun;
}

/** Null: there is nothing to count. */
function take(ledger: Ledger, { key, hits, rule: { limit } }: Asked): Promise<Decision | null> {
  if (limit === null) return Promise.resolve(null);
  return new Promise((resolve) => {
    // Ledgers hand out one object for all decisions.
    const waiter: LedgerWaiter = {
      decided: (_ticket, decision) => resolve({ ...emptyDecision(), ...decision }),
    };
    const decision = ledger.take(key, hits, limit, waiter, 0);
    if (decision !== null) resolve({ ...decision });
  });
}

const UNLIMITED: DescriptorStatus = { code: Code.Ok, limit: null, remaining: 0, resetMs: 0 };

function statusOf(asked: Asked | null, decision: Decision | null): DescriptorStatus {
  if (asked === null || decision === null) return UNLIMITED;
  const { requests, periodMs } = asked.rule.limit!;
  return {
    code: refuses(asked, decision) ? Code.OverLimit : Code.Ok,
    limit: { requests, periodMs },
    remaining: decision.remaining,
    resetMs: decision.resetMs,
  };
}
