interface SilenceDeps {
  /** So long a server may say nothing while something was asked. */
  readonly limitMs: number;
  /** Nothing is under way: the time to ask whether it is there. */
  idle(): void;
  /** It has said nothing for too long. */
  broken(): void;
}

const TICKS = 4;

/**
 * Notices a server that holds its connection and says nothing, or whose packets no longer come: the system tells after
 * a quarter of an hour. Answers come in the order of questions, so that each counts for all. Ticks are counted, not time: an
 * event loop that is held up has one tick for all of it, and reads what has come before the next. A silence is
 * noticed at most half of the limit late.
 */
export class Silence {
  readonly #deps: SilenceDeps;
  readonly #timer: NodeJS.Timeout;
  /** Asked, and not answered. */
  #open = 0;
  /** Since the last answer, or the first question behind it. */
  #ticks = 0;

  constructor(deps: SilenceDeps) {
    this.#deps = deps;
    this.#timer = setInterval(() => this.#tick(), deps.limitMs / TICKS).unref();
  }

  asked(): void {
    if (this.#open++ === 0) this.#ticks = 0;
  }

  /** An answer came, or will not come any more. */
  heard(): void {
    this.#open--;
    this.#ticks = 0;
  }

  close(): void {
    clearInterval(this.#timer);
  }

  #tick(): void {
    if (this.#open === 0) this.#deps.idle();
    else if (++this.#ticks > TICKS) this.#deps.broken();
  }
}
