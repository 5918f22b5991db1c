import {
  LocalLedger,
  type Decision,
  type Ledger,
  type LedgerWaiter,
  type Limit,
} from '../../src/runtime/ledger.ts';
import type { Deliveries } from './deliveries.ts';
import type { LimitScript } from './testing.d.ts';

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
    const decision = this.script({ key, cost, limit: { ...limit } });
    if (decision === null) return this.#counting.take(key, cost, limit);
    if (!(decision instanceof Promise)) return { ...decision };
    const told = decision.then((late) =>
      this.#deliveries.add('decision of a limit', () => waiter.decided(ticket, { ...late })),
    );
    this.#deliveries.await(told);
    return null;
  }
}
