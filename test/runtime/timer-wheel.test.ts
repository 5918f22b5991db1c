import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { stoppableClock, TICK_MS, Timer, TimerWheel } from '../../src/runtime/timer-wheel.ts';

class Recorder extends Timer {
  readonly firedAt: number[] = [];
  readonly #clock: () => number;
  readonly #then: (() => void) | undefined;

  constructor(clock: () => number, then?: () => void) {
    super();
    this.#clock = clock;
    this.#then = then;
  }

  override onTimer(): void {
    this.firedAt.push(this.#clock());
    this.#then?.();
  }
}

function wheelAt(start: number) {
  const clock = { now: start };
  const wheel = new TimerWheel(() => clock.now);
  const runTo = (until: number): void => {
    while (clock.now < until) {
      clock.now = Math.min(until, clock.now + TICK_MS);
      wheel.advance();
    }
  };
  return { clock, wheel, runTo, timer: (then?: () => void) => new Recorder(() => clock.now, then) };
}

describe('TimerWheel', () => {
  test('fires once, at the first tick that is not before the deadline', () => {
    const { wheel, runTo, timer } = wheelAt(1000);
    const t = timer();
    wheel.add(t, 250);
    runTo(1200);
    expect(t.firedAt).toEqual([]);
    runTo(5000);
    expect(t.firedAt).toEqual([1300]);
    expect(t.armed).toBe(false);
    expect(t.deadline).toBe(0);
  });

  test('counts the delay from the moment of the call, not from the last tick', () => {
    const { clock, wheel, runTo, timer } = wheelAt(1000);
    clock.now = 1090;
    const t = timer();
    wheel.add(t, 100);
    clock.now = 1100;
    runTo(1100);
    wheel.advance();
    expect(t.firedAt).toEqual([]);
    runTo(1200);
    expect(t.firedAt).toEqual([1200]);
  });

  test('a deadline that was moved later by a store is honoured when its old slot comes', () => {
    const { wheel, runTo, timer } = wheelAt(0);
    const t = timer();
    wheel.add(t, 300);
    runTo(200);
    wheel.extend(t, 1000);
    runTo(1100);
    expect(t.firedAt).toEqual([]);
    runTo(1200);
    expect(t.firedAt).toEqual([1200]);
  });

  test('add moves an armed timer, earlier or later', () => {
    const { wheel, runTo, timer } = wheelAt(0);
    const earlier = timer();
    const later = timer();
    wheel.add(earlier, 5000);
    wheel.add(earlier, 200);
    wheel.add(later, 200);
    wheel.add(later, 5000);
    runTo(10_000);
    expect(earlier.firedAt).toEqual([200]);
    expect(later.firedAt).toEqual([5000]);
  });

  test('a cancelled timer does not fire, even where another one cancels it in the same tick', () => {
    const { wheel, runTo, timer } = wheelAt(0);
    const victim = timer();
    const killer = timer(() => wheel.cancel(victim));
    wheel.add(killer, 100);
    wheel.add(victim, 100);
    runTo(1000);
    expect(killer.firedAt).toEqual([100]);
    expect(victim.firedAt).toEqual([]);
    wheel.cancel(victim);
    wheel.add(victim, 100);
    runTo(2000);
    expect(victim.firedAt).toEqual([1100]);
  });

  test('a timer may arm itself again from its callback', () => {
    const { wheel, runTo, timer } = wheelAt(0);
    const t: Recorder = timer(() => wheel.add(t, 100));
    wheel.add(t, 100);
    runTo(500);
    expect(t.firedAt).toEqual([100, 200, 300, 400, 500]);
  });

  test('after a stall everything that is due fires in one advance, and what is not stays', () => {
    const { clock, wheel, timer } = wheelAt(0);
    const soon = timer();
    const long = timer();
    const longer = timer();
    wheel.add(soon, 100);
    wheel.add(long, 200_000);
    wheel.add(longer, 400_000);
    clock.now = 300_000;
    wheel.advance();
    expect(soon.firedAt).toEqual([300_000]);
    expect(long.firedAt).toEqual([300_000]);
    expect(longer.armed).toBe(true);
  });

  test('when a callback throws, the others still fire at the next tick', () => {
    const { clock, wheel, timer } = wheelAt(0);
    const bad = timer(() => {
      throw new Error('bug');
    });
    const good = timer();
    wheel.add(bad, 100);
    wheel.add(good, 100);
    clock.now = 100;
    expect(() => wheel.advance()).toThrow('bug');
    clock.now = 200;
    wheel.advance();
    expect(good.firedAt).toEqual([200]);
  });

  test('disarming is a store: the timer does not fire, and can be armed where it lies', () => {
    const { wheel, runTo, timer } = wheelAt(1000);
    const t = timer();
    wheel.arm(t, 300);
    expect(t.armed).toBe(true);
    wheel.disarm(t);
    expect(t.armed).toBe(false);
    wheel.arm(t, 1000);
    runTo(2000);
    expect(t.firedAt).toEqual([]);
    runTo(2100);
    expect(t.firedAt).toEqual([2100]);
    wheel.arm(t, 300);
    wheel.disarm(t);
    runTo(10_000);
    expect(t.firedAt).toEqual([2100]);
    expect(t.tick).toBe(-1);
  });

  test('never early, hardly late, whatever is armed, moved and cancelled', () => {
    const step = fc.record({
      at: fc.integer({ min: 0, max: 400_000 }),
      timer: fc.nat(7),
      what: fc.constantFrom('add', 'arm', 'cancel', 'disarm', 'later'),
      delay: fc.integer({ min: 0, max: 120_000 }),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), fc.integer({ min: 1, max: 10_000 }), (steps, start) => {
        const { clock, wheel, timer } = wheelAt(start);
        const timers = Array.from({ length: 8 }, () => timer());
        // When each timer may fire at the earliest; the latest is so much after it.
        const due = new Map<number, number>();
        const slack = 3 * TICK_MS;
        let tickAt = start;
        const tick = (): void => {
          clock.now = tickAt += TICK_MS;
          wheel.advance();
          for (const [i, t] of timers.entries()) {
            const at = t.firedAt.pop();
            if (at === undefined) continue;
            expect(at).toBeGreaterThanOrEqual(due.get(i)!);
            expect(at).toBeLessThan(due.get(i)! + slack);
            due.delete(i);
          }
        };
        for (const { at, timer: i, what, delay } of [...steps].sort((a, b) => a.at - b.at)) {
          while (tickAt + TICK_MS <= start + at) tick();
          // Between two ticks, as requests come.
          clock.now = start + at;
          const t = timers[i]!;
          if (what === 'add' || what === 'arm') {
            wheel[what](t, delay);
            due.set(i, clock.now + delay);
          } else if (what === 'cancel' || what === 'disarm') {
            wheel[what](t);
            due.delete(i);
          } else if (t.armed && wheel.now + delay > t.deadline) {
            wheel.extend(t, delay);
            due.set(i, wheel.now + delay);
          }
          expect(t.armed).toBe(due.has(i));
        }
        while (due.size > 0) tick();
      }),
    );
  });
});

test('a clock for debuggers leaves out how long the process stood', () => {
  let now = 1000;
  const clock = stoppableClock(() => now);
  const timer = new Recorder(() => now);
  const wheel = new TimerWheel(clock);
  wheel.add(timer, 500);
  // At a breakpoint for a minute.
  now += 60_000;
  wheel.advance();
  expect(timer.firedAt).toEqual([]);
  for (let i = 0; i < 6; i++) {
    now += TICK_MS;
    wheel.advance();
  }
  expect(timer.firedAt).toHaveLength(1);
});
