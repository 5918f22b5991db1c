import type { QuotaAsk } from '../../runtime/quota/quota.ts';
import type { WindowSpan } from '../../runtime/quota/window.ts';
import type { StoreServer } from './ledger.ts';
import { SETTLE_SCRIPT, type SettleOperation } from './quota-script.ts';

/** In one script: what it takes holds all others up. */
const BATCH = 200;
/** What a server that is away for long is not told. */
const MOST_WAITING = 100_000;
/** The server knows the number of the last one for so long. */
const KNOWN_MS = 24 * 3_600_000;

/** How a charge ends, with what it was asked for. */
export interface Settlement {
  readonly operation: SettleOperation;
  readonly ask: QuotaAsk;
  /** Windows of its accounts, index for index. */
  readonly spans: readonly WindowSpan[];
}

interface SettlementsDeps {
  readonly server: StoreServer;
  /** The number of the last one, what is kept back, what must not be any more, and what was charged by others. */
  readonly keys: readonly [settled: string, held: string, voided: string, charged: string];
  readonly idMs: number;
  /** What came of one, for one of its accounts. */
  changed(settlement: Settlement, account: number, softReached: boolean, used: number, extra: number): void;
  refused(fault: Error): void;
}

/**
 * What a server has to be told of charges, once each and in order, however often the connection breaks: one batch is
 * under way at a time, and one whose answer was lost is sent again under the same number.
 */
export class Settlements {
  /** Not told, since there were too many. */
  lost = 0;
  readonly #deps: SettlementsDeps;
  readonly #waiting: Settlement[] = [];
  /** Sent, and not known to have arrived. */
  #batch: readonly Settlement[] = [];
  #number = 0;
  #isAsking = false;
  readonly #drained = new Set<() => void>();

  constructor(deps: SettlementsDeps) {
    this.#deps = deps;
  }

  get count(): number {
    return this.#batch.length + this.#waiting.length;
  }

  add(settlement: Settlement): void {
    if (this.#waiting.length >= MOST_WAITING) this.lost++;
    else this.#waiting.push(settlement);
    this.flush();
  }

  /** Tells what waits, where the server can be told. */
  flush(): void {
    if (this.#isAsking || this.count === 0 || !this.#deps.server.isReady) return;
    if (this.#batch.length === 0) {
      this.#batch = this.#waiting.splice(0, BATCH);
      this.#number++;
    }
    const { server, keys, idMs } = this.#deps;
    const batch = this.#batch;
    const operations = batch.map(({ operation }) => JSON.stringify(operation));
    this.#isAsking = true;
    void server
      .run(SETTLE_SCRIPT, keys, [String(this.#number), String(KNOWN_MS), String(idMs), ...operations])
      .then(
        (answer) => {
          this.#isAsking = false;
          this.#batch = [];
          this.#tell(batch, answer as number[]);
          this.flush();
          if (this.count === 0) for (const resolve of this.#drained) resolve();
        },
        // Sent again when the server is there, or by and by.
        (fault: unknown) => {
          this.#isAsking = false;
          this.#deps.refused(fault as Error);
        },
      );
  }

  /** Resolves when nothing waits, or there is no more time. */
  async drain(limitMs: number): Promise<void> {
    if (this.count === 0) return;
    let resolve = (): void => undefined;
    const drained = new Promise<void>((done) => (resolve = done));
    const limit = setTimeout(resolve, limitMs);
    this.#drained.add(resolve);
    await drained;
    this.#drained.delete(resolve);
    clearTimeout(limit);
  }

  #tell(batch: readonly Settlement[], answer: readonly number[]): void {
    for (let i = 0; i < answer.length; i += 5) {
      const [index, account, mark, used, extra] = answer.slice(i, i + 5) as [
        number,
        number,
        number,
        number,
        number,
      ];
      this.#deps.changed(batch[index]!, account, mark !== 0, used, extra);
    }
  }
}
