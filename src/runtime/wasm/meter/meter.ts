import type { CpuLimits } from '../../snapshot.ts';
import { MOST_FRAMES } from './added.ts';
import { fuelSpeed } from './calibrate.ts';
import { BYTE_UNITS } from './prices.ts';
import { AGAIN_UNITS } from './emit.ts';
import { cpuMilliseconds, milliseconds } from './clock.ts';
import { MORE, type FuelSource } from './slice.ts';

/** What a stream keeps for the meter. */
export interface CpuAccount {
  /** Milliseconds that guests have spent on it. */
  guestMs: number;
}

/** Why a guest was stopped. */
export type Exhaustion = 'call' | 'request' | 'start' | 'frames';

/** The clock is read this often, where code runs as fast as the calibration's. */
const SLICE_MS = 0.1;
/** Charged at once: more than any slice. */
const MOST_UNITS = 2 ** 30;
/** On a machine that is too busy a guest's time by the clock may be this many times its budget. */
const MOST_WAIT = 10;
/** A unit may take this many times what it takes in the calibration: cold code, loads that miss every cache. */
const MOST_SLOWNESS = 16;

/**
 * The meter of one instance.
 *
 * A guest gets its fuel in slices of a tenth of a millisecond or so and asks for the next one. Fuel is
 * what interrupts it, at a place that it cannot choose, and the clock decides: time that the thread did
 * not get, because the machine was busy, is not the guest's. A callback that fits into a slice, which is
 * nearly every one, costs two calls into the instance and no reading of the clock.
 */
export class Meter implements FuelSource {
  /** Why the last call was stopped, or null. */
  exhausted: Exhaustion | null = null;
  /** Units that the last call took. */
  used = 0;
  readonly #limits: CpuLimits;
  readonly #slice: number;
  readonly #msPerUnit: number;
  #left!: () => number;
  #frames!: () => number;
  #reset!: (units: number, frames: number) => void;
  #refill!: (units: number) => void;
  #charge!: (units: number) => void;
  /** Fuel in the instance when the call began, or since it was given more. */
  #given = 0;
  #budgetMs = 0;
  /** The start's budget is in force until `started`. */
  #starting = false;
  #attached = false;
  #byRequest = false;
  /** When the call began, by the clock; 0 while it is in its first slice. */
  #since = 0;
  #cpuSince: NodeJS.CpuUsage | null = null;

  constructor(limits: CpuLimits) {
    this.#limits = { ...limits, frames: Math.min(limits.frames, MOST_FRAMES) };
    const speed = fuelSpeed();
    this.#msPerUnit = 1 / speed;
    const shortest = Math.min(limits.perCallMs, limits.perRequestMs, limits.perStartMs) / 4;
    this.#slice = Math.max(16 * AGAIN_UNITS, Math.floor(speed * Math.min(SLICE_MS, shortest)));
  }

  /** Takes hold of an instance, before any of its code has run. */
  attach(exports: WebAssembly.Exports, prefix: string): void {
    const own = <T>(name: string): T => exports[prefix + name] as T;
    this.#left = own('left');
    this.#frames = own('frames');
    this.#reset = own('reset');
    this.#refill = own('refill');
    this.#charge = own('charge');
    own<WebAssembly.Table>('table').set(0, MORE);
    own<(host: FuelSource) => void>('bind')(this);
    this.#fill();
    this.#attached = true;
  }

  /** A plugin starts: one budget for all that runs until `endStart`. The instance may be attached within. */
  beginStart(): void {
    this.#starting = true;
    this.#budgetMs = this.#limits.perStartMs;
    this.#startClock(0);
  }

  /** The budgets of callbacks are in force from here on. */
  endStart(): void {
    this.#starting = false;
    // Frames too: a start that ended by `proc_exit` has not given its own back.
    this.#fill();
  }

  /** Before a call. @param account of the stream that it is for, if any */
  begin(account: CpuAccount | null): void {
    if (this.#starting) return;
    const { perCallMs, perRequestMs } = this.#limits;
    this.#budgetMs = perCallMs;
    this.#byRequest = false;
    if (account !== null && perRequestMs - account.guestMs < perCallMs) {
      // A filter behind one that used up the request's time gets a slice all the same.
      this.#budgetMs = Math.max(perRequestMs - account.guestMs, SLICE_MS);
      this.#byRequest = true;
    }
    this.used = 0;
    this.#since = 0;
  }

  /** After a call, whether it returned or trapped. @param account as given to `begin` */
  end(account: CpuAccount | null): void {
    const left = this.#left();
    this.used += this.#given - left;
    this.#given = left;
    if (this.#starting) return;
    if (account !== null) {
      account.guestMs +=
        this.#since === 0
          ? this.used * this.#msPerUnit
          : Math.min(milliseconds() - this.#since, this.#cpuMs());
    }
    if (left < this.#slice / 2) this.#fill();
  }

  /** Units that the call under way has taken; of a start, all calls so far. */
  get spent(): number {
    return this.#attached ? this.used + this.#given - this.#left() : 0;
  }

  /** Bytes that the host has copied for the guest, beyond what the price of the call covers. */
  chargeBytes(count: number): void {
    this.#charge(Math.min(count * BYTE_UNITS, MOST_UNITS));
  }

  /** Time that the host worked for the guest, beyond what the price of the call covers. */
  chargeMs(ms: number): void {
    this.#charge(Math.min(Math.ceil(ms / this.#msPerUnit), MOST_UNITS));
  }

  more(): boolean {
    if (this.#frames() > MOST_FRAMES) {
      this.exhausted = 'frames';
      return false;
    }
    const left = this.#left();
    this.used += this.#given - left;
    this.#given = left;
    const now = milliseconds();
    if (this.#since === 0) this.#startClock(Math.min(this.used, this.#slice) * this.#msPerUnit);
    const wall = now - this.#since;
    if (wall >= this.#budgetMs && (wall >= this.#budgetMs * MOST_WAIT || this.#hasHadBudget())) {
      this.exhausted = this.#starting ? 'start' : this.#byRequest ? 'request' : 'call';
      return false;
    }
    this.#given = this.#slice;
    this.#refill(this.#slice);
    return true;
  }

  /** The error to tell of: why the guest was stopped, where it was, or else what was thrown. */
  explain(thrown: unknown, callback: string): unknown {
    if (this.exhausted === null) return thrown;
    const error = new Error(this.#reason(callback), { cause: thrown });
    // The guest's own functions are in there.
    if (thrown instanceof Error && thrown.stack !== undefined) error.stack = thrown.stack;
    return error;
  }

  #reason(callback: string): string {
    const { perCallMs, perRequestMs, perStartMs, frames } = this.#limits;
    switch (this.exhausted!) {
      case 'call':
        return `used more than its CPU budget of ${perCallMs} ms in ${callback}`;
      case 'request':
        return `the filters of one request used more than the CPU budget of ${perRequestMs} ms`;
      case 'start':
        return `used more than its CPU budget of ${perStartMs} ms for its start`;
      default:
        return `more than ${frames} frames on its stack`;
    }
  }

  #fill(): void {
    this.#given = this.#slice;
    this.#reset(this.#slice, this.#limits.frames);
  }

  #startClock(agoMs: number): void {
    this.#since = milliseconds() - agoMs;
    this.#cpuSince = process.cpuUsage();
  }

  /** By the process's CPU time; but other threads have that too, and what the guest did must have been able to take it. */
  #hasHadBudget(): boolean {
    const fastest = this.used * this.#msPerUnit;
    return fastest * MOST_SLOWNESS >= this.#budgetMs && this.#cpuMs() >= this.#budgetMs;
  }

  /**
   * The time of this process since the clock was started, at least. Threads of the engine count as well,
   * so both clocks are upper bounds of what the guest has had, and the lower one is meant.
   */
  #cpuMs(): number {
    return cpuMilliseconds(this.#cpuSince!) + (this.#starting ? 0 : SLICE_MS);
  }
}
