/** A timer that fires later than this was held up. */
const ON_TIME_MS = 2;
/** So long an answer that may lie in the socket already is then looked for, while other work goes on. */
const LAST_CHANCE_MS = 2;

/** What a request asks a server, and waits for. */
export interface TimedQuestion {
  /** Monotonic milliseconds. */
  readonly askedAt: number;
  /** It has been answered: by the server, or because there was no more time. */
  over: boolean;
}

interface DeadlineDeps<Q extends TimedQuestion> {
  readonly deadlineMs: number;
  /** Monotonic milliseconds. */
  now(): number;
  /** Tells a question that it gets no answer; it is over by then. */
  late(question: Q): void;
  /** @param askedAt of the youngest of those that got no answer */
  silence(askedAt: number): void;
}

/**
 * Ends the questions that have waited too long, as exactly as an event loop can. A timer that fires on time ends them
 * on the spot. One that was held up gives the socket one turn of the loop, since timers come first and the answer may
 * be there; but where requests go on coming in that turn, no longer than {@link LAST_CHANCE_MS}.
 */
export class Deadline<Q extends TimedQuestion> {
  readonly #deps: DeadlineDeps<Q>;
  /** In the order they were asked. */
  readonly #open: Q[] = [];
  /** One for all questions: it is set for the oldest. */
  #timer: NodeJS.Timeout | null = null;
  /** Infinity while no timer was held up. */
  #lastChance = Infinity;
  #isClosed = false;

  constructor(deps: DeadlineDeps<Q>) {
    this.#deps = deps;
  }

  add(question: Q): void {
    this.#open.push(question);
    if (this.#timer === null) this.#arm(question.askedAt);
  }

  /** For each request that comes, whether it asks or not. */
  look(now: number): void {
    if (now < this.#lastChance) return;
    this.#lastChance = Infinity;
    // Not from here: a guest is on the stack.
    queueMicrotask(() => this.#expire());
  }

  /** Whether its answer can still come in time. Where it cannot, it is told now, if it was not yet. */
  hasTime(question: Q, now: number): boolean {
    if (!question.over && now >= question.askedAt + this.#deps.deadlineMs) this.#end(question);
    return !question.over;
  }

  /** Lets go of what was answered: it stands here until one behind it is due. */
  sweep(): void {
    const first = this.#open.findIndex(({ over }) => !over);
    this.#open.splice(0, first < 0 ? this.#open.length : first);
  }

  close(): void {
    this.#isClosed = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
  }

  #arm(now: number): void {
    const oldest = this.#open[0];
    if (oldest === undefined) return;
    const due = oldest.askedAt + this.#deps.deadlineMs;
    this.#timer = setTimeout(() => this.#fired(due), Math.max(0, due - now));
  }

  #fired(due: number): void {
    const now = this.#deps.now();
    if (now < due + ON_TIME_MS) {
      this.#expire();
      return;
    }
    this.#lastChance = now + LAST_CHANCE_MS;
    setImmediate(() => this.#expire());
  }

  #expire(): void {
    this.#lastChance = Infinity;
    if (this.#isClosed) return;
    const now = this.#deps.now();
    // A timer may come a little early.
    const due = now - this.#deps.deadlineMs + 1;
    let gone = 0;
    let latest = -Infinity;
    for (const question of this.#open) {
      if (!question.over && question.askedAt > due) break;
      gone++;
      if (question.over) continue;
      latest = question.askedAt;
      this.#end(question);
    }
    this.#open.splice(0, gone);
    this.#deps.silence(latest);
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    this.#arm(now);
  }

  #end(question: Q): void {
    question.over = true;
    this.#deps.late(question);
  }
}
