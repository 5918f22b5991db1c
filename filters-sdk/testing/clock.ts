interface Timer {
  at: number;
  readonly everyMs: number;
  readonly job: () => void;
}

/** Time that goes on when the test says so. */
export class ManualClock {
  /** Milliseconds since 1970. */
  now: number;
  #timers: Timer[] = [];

  constructor(now: number) {
    this.now = now;
  }

  /** @returns what takes it back */
  after(ms: number, job: () => void): () => void {
    return this.#add({ at: this.now + ms, everyMs: 0, job });
  }

  every(ms: number, job: () => void): () => void {
    return this.#add({ at: this.now + ms, everyMs: ms, job });
  }

  /** Runs what falls due within the time, one after the other. @param between after each */
  advance(ms: number, between: () => void): void {
    const end = this.now + ms;
    for (;;) {
      let next: Timer | null = null;
      for (const timer of this.#timers)
        if (timer.at <= end && (next === null || timer.at < next.at)) next = timer;
      if (next === null) break;
      this.now = Math.max(this.now, next.at);
      if (next.everyMs > 0) next.at = this.now + next.everyMs;
      else this.#remove(next);
      next.job();
      between();
    }
    this.now = end;
  }

  #add(timer: Timer): () => void {
    this.#timers.push(timer);
    return () => this.#remove(timer);
  }

  #remove(timer: Timer): void {
    this.#timers = this.#timers.filter((each) => each !== timer);
  }
}
