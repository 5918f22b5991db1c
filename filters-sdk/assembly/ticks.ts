import { findStream } from './context-table';
import { proxy_set_tick_period_milliseconds } from './env';
import { now } from './log';
import { runningContext } from './running';
import { Waitable } from './waitable';
import { WAITS } from './waits';

/** Milliseconds between two `onTick` of the running root context; 0 ends them. */
export function setTickPeriod(milliseconds: u32): void {
  if (WAITS) timersOf(runningRoot()).setPeriod(milliseconds);
  else proxy_set_tick_period_milliseconds(milliseconds);
}

/** A time that passes. */
export class Sleep extends Waitable {
  /** The SDK's. */
  next: Sleep | null = null;

  /** @param due milliseconds since 1970 */
  constructor(readonly due: i64) {
    super();
  }
}

/** Each may go on to check a signature. */
const WOKEN_AT_ONCE = 16;

/** The ticks of a root context, shared by its `onTick` and by what sleeps. The host has one period for both. */
class Timers {
  // Lazy: else a module where nothing waits would have it, with the classes it refers to.
  @lazy static first: Timers | null = null;

  next: Timers | null = null;
  /** The filter's own; 0: none. */
  period: u32 = 0;
  /** When its next one is due, where others may come before. */
  due: i64 = 0;
  sleeping: Sleep | null = null;
  /** No sleep is due before. */
  soonest: i64 = i64.MAX_VALUE;
  /** As the host has it. */
  set: u32 = 0;

  constructor(readonly root: u32) {}

  setPeriod(milliseconds: u32): void {
    this.period = milliseconds;
    this.due = nowMs() + milliseconds;
    this.plan();
  }

  /** Asks the host for the shortest time that somebody waits for. */
  plan(): void {
    let period = this.period;
    if (this.sleeping !== null) {
      const first = period == 0 ? this.soonest : min(this.due, this.soonest);
      period = <u32>max(1, first - nowMs());
    }
    if (period == this.set) return;
    this.set = period;
    proxy_set_tick_period_milliseconds(period);
  }

  add(sleep: Sleep): void {
    sleep.next = this.sleeping;
    this.sleeping = sleep;
    this.soonest = min(this.soonest, sleep.due);
  }

  /**
   * Wakes those whose time has come; whether it is the filter's own time as well. Thousands may be due at once, and a
   * callback has a budget: the next ticks have the others.
   */
  tick(): bool {
    if (this.sleeping === null) return this.period != 0;
    const at = nowMs();
    let due = this.takeDue(at);
    for (let i = 0; i < WOKEN_AT_ONCE && due !== null; i++) {
      const next = due.next;
      due.settle();
      due = next;
    }
    while (due !== null) {
      const next = due.next;
      this.add(due);
      due = next;
    }
    const own = this.period != 0 && at >= this.due;
    if (own) this.due = at + this.period;
    return own;
  }

  /** Takes them out of those that sleep, the oldest first. */
  private takeDue(at: i64): Sleep | null {
    let sleep = this.sleeping;
    let due: Sleep | null = null;
    let later: Sleep | null = null;
    let soonest = i64.MAX_VALUE;
    let last: Sleep | null = null;
    while (sleep !== null) {
      const next = sleep.next;
      sleep.next = null;
      if (sleep.due <= at) {
        sleep.next = due;
        due = sleep;
      } else {
        soonest = min(soonest, sleep.due);
        if (last === null) later = sleep;
        else last.next = sleep;
        last = sleep;
      }
      sleep = next;
    }
    this.sleeping = later;
    this.soonest = soonest;
    return due;
  }
}

function timersOf(root: u32): Timers {
  let known = Timers.first;
  while (known !== null && known.root != root) known = known.next;
  if (known !== null) return known;
  const made = new Timers(root);
  made.next = Timers.first;
  Timers.first = made;
  return made;
}

/** The root context that the running context belongs to, or that it is. */
function runningRoot(): u32 {
  const stream = findStream(runningContext());
  return stream === null ? runningContext() : stream.owner!.id;
}

function nowMs(): i64 {
  return now() / 1_000_000;
}

export function addSleep(milliseconds: u32): Sleep {
  const sleep = new Sleep(nowMs() + milliseconds);
  const own = timersOf(runningRoot());
  own.add(sleep);
  own.plan();
  return sleep;
}

/** For the SDK: the host's tick. Whether it is one of `setTickPeriod`. */
export function wake(root: u32): bool {
  return timersOf(root).tick();
}

/** After a tick: whatever it woke may have changed what is waited for. */
export function planTicks(root: u32): void {
  timersOf(root).plan();
}
