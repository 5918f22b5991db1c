import type { RateLimitDomain } from '../control/rate-limit-services.ts';
import type { Ledger, LedgerWaiter } from '../runtime/ledger.ts';
import { emptyDecision, type Decision, type Limit } from '../runtime/limit.ts';
import { Code, readRequest, writeResponse, type DescriptorStatus } from './messages.ts';
import { countedAs, RuleTable } from './rules.ts';

/** Nobody could be asked, and the domain wants the caller to know. */
export class StoreUnavailable extends Error {}

interface Domain {
  readonly spec: RateLimitDomain;
  readonly table: RuleTable;
  readonly ledger: Ledger;
}

interface Asked {
  readonly key: string;
  readonly limit: Limit;
  readonly hits: number;
}

/** `ShouldRateLimit`, by the limits of a configuration. */
export class RateLimitService {
  readonly counts = { ok: 0, overLimit: 0, failed: 0, unknownDomain: 0 };
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
    const request = readRequest(bytes);
    const domain = this.#domains.get(request.domain);
    if (domain === undefined) this.counts.unknownDomain++;
    const asked = request.descriptors.map((descriptor): Asked | null => {
      const rule = domain?.table.find(descriptor) ?? null;
      if (rule === null) return null;
      const key = countedAs(request.domain, rule, descriptor);
      return { key, limit: rule.limit, hits: descriptor.hits ?? request.hits };
    });
    const decisions = await this.#decide(domain, asked);
    const statuses = asked.map((each, i) => statusOf(each, decisions[i] ?? null));
    const isOver = statuses.some(({ code }) => code === Code.OverLimit);
    if (isOver) this.counts.overLimit++;
    else this.counts.ok++;
    return writeResponse(isOver ? Code.OverLimit : Code.Ok, statuses);
  }

  /** All of them admit, or none is charged. */
  async #decide(domain: Domain | undefined, asked: readonly (Asked | null)[]): Promise<(Decision | null)[]> {
    if (domain === undefined) return [];
    const { ledger, spec } = domain;
    const decisions = await Promise.all(
      asked.map((each) => (each === null ? Promise.resolve(null) : take(ledger, each))),
    );
    const admits = decisions.every((decision) => decision === null || decision.allowed);
    if (!admits) {
      for (const [i, decision] of decisions.entries()) {
        const { key, hits, limit } = asked[i] ?? {};
        if (decision?.allowed === true) ledger.giveBack(key!, hits!, limit!, decision.at);
      }
    }
    const failed = decisions.some((decision) => decision?.failed === true);
    if (!failed) return decisions;
    this.counts.failed++;
    if (spec.onStoreFailure === 'Error') throw new StoreUnavailable('the store cannot be asked');
    // What others refused stays refused.
    if (spec.onStoreFailure === 'Deny') return decisions;
    return decisions.map((decision) => (decision?.failed === true ? null : decision));
  }
}

function take(ledger: Ledger, { key, hits, limit }: Asked): Promise<Decision> {
  return new Promise((resolve) => {
    // Ledgers hand out one object for all decisions.
    const waiter: LedgerWaiter = {
      decided: (_ticket, decision) => resolve({ ...emptyDecision(), ...decision }),
    };
    const decision = ledger.take(key, hits, limit, waiter, 0);
    if (decision !== null) resolve({ ...decision });
  });
}

function statusOf(asked: Asked | null, decision: Decision | null): DescriptorStatus {
  if (asked === null || decision === null) return { code: Code.Ok, limit: null, remaining: 0, resetMs: 0 };
  const { requests, periodMs } = asked.limit;
  return {
    code: decision.allowed ? Code.Ok : Code.OverLimit,
    limit: { requests, periodMs },
    remaining: decision.remaining,
    resetMs: decision.resetMs,
  };
}
