/** Deadline of a timer that was disarmed where it lay. */
const NEVER = 0;

/** Time between two ticks. A timer fires at the first tick at or after its deadline. */
export const TICK_MS = 100;

// One turn is 51.2 s. A later deadline waits in the furthest slot and is looked at again there,
// which costs a long timer one relinking a turn and keeps the wheel a single level.
const SLOTS = 512;

/**
 * Something that is due later. Subclasses override `onTimer`; the object itself is the list node,
 * so that arming one allocates nothing. A timer belongs to one wheel.
 */
export class Timer {
  /** Monotonic milliseconds; 0 while not armed. Move it later with {@link TimerWheel.extend}. */
  deadline = 0;
  /** Owned by the wheel: the tick whose slot this timer lies in, -1 while in none. */
  tick = -1;
  next: Timer | null = null;
  prev: Timer | null = null;

  readonly #fire: (() => void) | null;

  /** @param fire for owners of several timers; made once with the timer, so that arming allocates nothing */
  constructor(fire: (() => void) | null = null) {
    this.#fire = fire;
  }

  /** Called once, after the timer has been disarmed; it may arm itself again. */
  onTimer(): void {
    this.#fire?.();
  }

  get armed(): boolean {
    return this.tick !== -1 && this.deadline !== NEVER;
  }
}

/**
 * Timers in slots of 100 ms, for the many that are armed with each message and hardly ever fire.
 * Never early, and late by at most one tick plus the time the event loop was held up.
 *
 * Moving a deadline later does not touch the lists: the timer is found in its old slot, seen not
 * to be due, and put into the right one then.
 */
export class TimerWheel {
  /** Monotonic milliseconds as of the last tick or `refresh`. */
  now: number;

  readonly #clock: () => number;
  /** Sentinels of circular lists. */
  readonly #slots: Timer[] = [];
  readonly #due = emptyList();
  #tick: number;
  #interval: NodeJS.Timeout | null = null;

  /** @param clock monotonic milliseconds, above 0; tests pass their own and call `advance` */
  constructor(clock: () => number = () => performance.now()) {
    this.#clock = clock;
    this.now = clock();
    this.#tick = Math.floor(this.now / TICK_MS);
    for (let i = 0; i < SLOTS; i++) this.#slots.push(emptyList());
  }

  /** Starts ticking. Does not keep the process alive. */
  start(): void {
    this.#interval ??= setInterval(() => this.advance(), TICK_MS).unref();
  }

  stop(): void {
    if (this.#interval !== null) clearInterval(this.#interval);
    this.#interval = null;
  }

  /** Reads the clock between ticks, for callers that need better than 100 ms. */
  refresh(): number {
    return (this.now = this.#clock());
  }

  /** Arms a timer, or moves one that is armed, to `delayMs` from this moment. */
  add(timer: Timer, delayMs: number): void {
    // The clock is read: counting from a `now` that is a tick old would fire early.
    const deadline = this.refresh() + delayMs;
    timer.deadline = deadline;
    if (timer.tick === -1) this.#link(timer);
    else if (tickOf(deadline) < timer.tick) {
      unlink(timer);
      this.#link(timer);
    }
  }

  /**
   * Moves the deadline of an armed timer to `delayMs` from `now`: one store, for every byte that
   * counts as progress. It may come out up to one tick shorter than asked. Only for later deadlines;
   * an earlier one takes `add`.
   */
  extend(timer: Timer, delayMs: number): void {
    timer.deadline = this.now + delayMs;
  }

  /**
   * As `add`, for timers that are armed and disarmed with every message: the clock is not read, so it
   * may fire up to two ticks late, and a timer that lies in a slot already stays there.
   */
  arm(timer: Timer, delayMs: number): void {
    const deadline = this.now + TICK_MS + delayMs;
    timer.deadline = deadline;
    if (timer.tick === -1) this.#link(timer);
    else if (tickOf(deadline) < timer.tick) {
      unlink(timer);
      this.#link(timer);
    }
  }

  /** The other half of `arm`: one store. The timer leaves its slot when the slot's time comes. */
  disarm(timer: Timer): void {
    timer.deadline = NEVER;
  }

  cancel(timer: Timer): void {
    if (timer.tick === -1) return;
    unlink(timer);
    timer.deadline = 0;
  }

  /** Runs what is due by the clock. Called by the interval; by tests after moving their clock. */
  advance(): void {
    const now = this.refresh();
    const until = Math.floor(now / TICK_MS);
    // After a long stall each slot needs emptying once only.
    if (until - this.#tick > SLOTS) this.#tick = until - SLOTS;
    while (this.#tick < until) {
      this.#tick++;
      moveAll(this.#slots[this.#tick % SLOTS]!, this.#due);
    }
    // What a callback cancels is unlinked from here, and what it adds lands in a slot, so the list
    // only shrinks. If a callback throws, the rest is still here at the next tick.
    for (let timer = this.#due.next!; timer !== this.#due; timer = this.#due.next!) {
      unlink(timer);
      if (timer.deadline === NEVER) continue;
      if (timer.deadline > now) {
        this.#link(timer);
        continue;
      }
      timer.deadline = 0;
      timer.onTimer();
    }
  }

  #link(timer: Timer): void {
    let tick = tickOf(timer.deadline);
    if (tick <= this.#tick) tick = this.#tick + 1;
    else if (tick > this.#tick + SLOTS) tick = this.#tick + SLOTS;
    timer.tick = tick;
    append(this.#slots[tick % SLOTS]!, timer);
  }
}

function tickOf(deadline: number): number {
  return Math.ceil(deadline / TICK_MS);
}

function emptyList(): Timer {
  const head = new Timer();
  head.next = head;
  head.prev = head;
  return head;
}

function append(head: Timer, timer: Timer): void {
  const last = head.prev!;
  last.next = timer;
  timer.prev = last;
  timer.next = head;
  head.prev = timer;
}

function unlink(timer: Timer): void {
  timer.prev!.next = timer.next;
  timer.next!.prev = timer.prev;
  timer.prev = null;
  timer.next = null;
  timer.tick = -1;
}

function moveAll(from: Timer, to: Timer): void {
  const first = from.next!;
  if (first === from) return;
  const last = from.prev!;
  from.next = from;
  from.prev = from;
  const end = to.prev!;
  end.next = first;
  first.prev = end;
  last.next = to;
  to.prev = last;
}

/** Longer than this without a look at the clock, and the process stood at a breakpoint. */
const STOPPED_MS = 10 * TICK_MS;

/** A clock that stands still while a debugger holds the process, so that nothing has become due meanwhile. */
export function stoppableClock(clock: () => number = () => performance.now()): () => number {
  let before = clock();
  let skipped = 0;
  return () => {
    const now = clock();
    if (now - before > STOPPED_MS) skipped += now - before;
    before = now;
    return now - skipped;
  };
}
