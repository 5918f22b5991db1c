import { LogLevel } from './abi.ts';
import { LOG_LINES_PER_SECOND } from './limits.ts';

const MESSAGES = 100;

/** Log lines of one plugin, and of the host about it, kept to `LOG_LINES_PER_SECOND`. */
export class GuestLog {
  readonly #write: (level: number, message: string) => void;
  readonly #now: () => number;
  readonly #said = new Set<string>();
  #second = 0;
  #lines = 0;
  #dropped = 0;

  constructor(write: (level: number, message: string) => void, now: () => number) {
    this.#write = write;
    this.#now = now;
  }

  line(level: number, message: string): void {
    const second = Math.floor(this.#now() / 1000);
    if (second !== this.#second) {
      if (this.#dropped > 0)
        this.#write(
          LogLevel.Warn,
          `${this.#dropped} log lines were dropped: at most ${LOG_LINES_PER_SECOND} a second`,
        );
      this.#second = second;
      this.#lines = 0;
      this.#dropped = 0;
    }
    if (this.#lines >= LOG_LINES_PER_SECOND) {
      this.#dropped++;
      return;
    }
    this.#lines++;
    this.#write(level, message);
  }

  /** What the author should know, once: the same mistake comes with every request. */
  warnOnce(message: string): void {
    if (this.#said.has(message) || this.#said.size >= MESSAGES) return;
    this.#said.add(message);
    this.#write(LogLevel.Warn, message);
  }
}
