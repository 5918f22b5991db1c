import type { RateSpec } from './snapshot.ts';
import { Timer, type TimerWheel } from './timer-wheel.ts';

/** Time's worth of bytes that may be saved up at least: the wheel wakes up to two ticks late. */
const LEAST_SAVED_MS = 300;
/** What one read should take: this much time's worth of bytes, within these bounds. */
const READ_MS = 100;
const LEAST_READ = 1024;

/**
 * Holds one direction of a stream to a rate: a bucket of bytes that fills with time. What has come goes on at once, on
 * credit; who sends is stopped until the bucket is paid back, so that TCP holds the sender. No timer runs while nothing
 * has to wait.
 */
export class Pacer {
  readonly #wheel: TimerWheel;
  readonly #hold: (held: boolean) => void;
  readonly #timer: Timer;
  #bytesPerMs = 0;
  #most = 0;
  /** Below zero: owed. */
  #bytes = 0;
  #filledAt = 0;
  #held = false;

  /** @param hold stops who sends, or lets it go on */
  constructor(wheel: TimerWheel, hold: (held: boolean) => void) {
    this.#wheel = wheel;
    this.#hold = hold;
    this.#timer = new Timer(() => this.#onTimer());
  }

  /** Begins with a full bucket; one that runs at this rate goes on with what it has. */
  start({ bytesPerSecond, burst }: RateSpec): void {
    const bytesPerMs = bytesPerSecond / 1000;
    const most = Math.max(burst, bytesPerMs * LEAST_SAVED_MS);
    if (bytesPerMs === this.#bytesPerMs && most === this.#most) return;
    this.stop();
    this.#bytesPerMs = bytesPerMs;
    this.#most = most;
    this.#bytes = burst;
    this.#filledAt = this.#wheel.refresh();
  }

  /** Any number of bytes may go on. */
  stop(): void {
    this.#wheel.disarm(this.#timer);
    this.#bytesPerMs = this.#most = 0;
    this.#release();
  }

  /** Bytes that one read should take at most, so that a slow stream does not come in lumps. */
  get readBytes(): number {
    return Math.max(LEAST_READ, Math.floor(this.#bytesPerMs * READ_MS));
  }

  /** Bytes have gone on. */
  take(size: number): void {
    if (this.#bytesPerMs === 0) return;
    this.#fill();
    this.#bytes -= size;
    if (this.#bytes >= 0 || this.#held) return;
    this.#held = true;
    this.#wait();
    this.#hold(true);
  }

  #fill(): void {
    const now = this.#wheel.refresh();
    this.#bytes = Math.min(this.#most, this.#bytes + (now - this.#filledAt) * this.#bytesPerMs);
    this.#filledAt = now;
  }

  #release(): void {
    if (!this.#held) return;
    this.#held = false;
    this.#hold(false);
  }

  #wait(): void {
    this.#wheel.add(this.#timer, -this.#bytes / this.#bytesPerMs);
  }

  #onTimer(): void {
    this.#fill();
    if (this.#bytes < 0) this.#wait();
    else this.#release();
  }
}
