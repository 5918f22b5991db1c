import { Deadline, type TimedQuestion } from './deadline.ts';

/** While the server says nothing, it is asked this often whether it is there. */
const PROBE_MS = 50;

interface PatienceDeps<Q extends TimedQuestion> {
  readonly server: { readonly isReady: boolean; ping(): Promise<void> };
  readonly deadlineMs: number;
  /** Monotonic milliseconds. */
  now(): number;
  /** Tells a question that it gets no answer; it is over by then. */
  late(question: Q): void;
}

/**
 * How long a server is waited for: by no question longer than the deadline, and not at all while it is out of reach, or has
 * said nothing since a question that was late.
 */
export class Patience<Q extends TimedQuestion> {
  readonly deadline: Deadline<Q>;
  readonly #deps: PatienceDeps<Q>;
  #heardAt = -Infinity;
  /** Nothing was heard since a question that is past its deadline. */
  #silent = false;
  #probe: NodeJS.Timeout | null = null;
  /** One at a time: a server that is silent for hours would be sent thousands. */
  #isPinging = false;

  constructor(deps: PatienceDeps<Q>) {
    this.#deps = deps;
    this.deadline = new Deadline({
      deadlineMs: deps.deadlineMs,
      now: () => deps.now(),
      late: (question: Q) => deps.late(question),
      silence: (askedAt) => {
        if (this.#heardAt < askedAt) this.#wait();
      },
    });
  }

  /** Whether there is any use in asking. */
  get mayAsk(): boolean {
    return !this.#silent && this.#deps.server.isReady;
  }

  /** The server said something. */
  heard(): void {
    this.#heardAt = this.#deps.now();
    this.#silent = false;
  }

  close(): void {
    this.deadline.close();
    if (this.#probe !== null) clearTimeout(this.#probe);
  }

  /** Nothing is asked until the server says something. */
  #wait(): void {
    this.#silent = true;
    if (this.#probe !== null) return;
    const probe = (): void => {
      this.#probe = null;
      if (!this.#silent) return;
      this.#ping();
      this.#probe = setTimeout(probe, PROBE_MS).unref();
    };
    probe();
  }

  #ping(): void {
    const { server } = this.#deps;
    if (this.#isPinging || !server.isReady) return;
    this.#isPinging = true;
    void server
      .ping()
      .then(
        () => this.heard(),
        () => undefined,
      )
      .then(() => (this.#isPinging = false));
  }
}
