import {
  LocalLedger,
  type Decision,
  type Ledger,
  type LedgerWaiter,
  type Limit,
} from '../../src/runtime/ledger.ts';
import type { Deliveries } from './deliveries.ts';
import type { LimitDecision, LimitScript } from './testing.d.ts';

/** Counts by the clock of the test, or decides as the test says. */
export class ScriptedLedger implements Ledger {
  script: LimitScript = () => null;
  readonly #counting: LocalLedger;
  readonly #deliveries: Deliveries;

  constructor(now: () => number, deliveries: Deliveries) {
    this.#counting = new LocalLedger(now);
    this.#deliveries = deliveries;
  }

  take(key: string, cost: number, limit: Limit, waiter: LedgerWaiter, ticket: number): Decision | null {
    const decision = this.script({ key, cost, limit: { ...limit }, how: 'take' });
    return decision === null ? this.#counting.take(key, cost, limit) : this.#tell(decision, waiter, ticket);
  }

  peek(key: string, cost: number, limit: Limit, waiter: LedgerWaiter, ticket: number): Decision | null {
    const decision = this.script({ key, cost, limit: { ...limit }, how: 'peek' });
    return decision === null ? this.#counting.peek(key, cost, limit) : this.#tell(decision, waiter, ticket);
  }

  charge(key: string, cost: number, limit: Limit): void {
    if (this.script({ key, cost, limit: { ...limit }, how: 'charge' }) === null)
      this.#counting.charge(key, cost, limit);
  }

  giveBack(key: string, cost: number, limit: Limit, takenAt: number): void {
    this.#counting.giveBack(key, cost, limit, takenAt);
  }

  #tell(
    decision: LimitDecision | Promise<LimitDecision>,
    waiter: LedgerWaiter,
    ticket: number,
  ): Decision | null {
    if (!(decision instanceof Promise)) return whole(decision);
    const told = decision.then((late) =>
      this.#deliveries.add('decision of a limit', () => waiter.decided(ticket, whole(late))),
    );
    this.#deliveries.await(told);
    return null;
  }
}

function whole(said: LimitDecision): Decision {
  return { failed: false, at: 0, ...said };
}
