import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { Limit } from '../../src/runtime/limit.ts';
import { SharedLedger } from '../../src/supervisor/ledger.ts';
import { ASK_DEADLINE_MS, LeasedLedger } from '../../src/worker/ledger.ts';
import type { LedgerAsk, LedgerReply } from '../../src/worker/protocol.ts';

/** A supervisor and workers in one process: messages take 1 ms each way, in order; clocks are fake. */
class Machine {
  readonly supervisor: SharedLedger;
  readonly workers: LeasedLedger[];
  /** Workers that do not read what they are sent. */
  readonly deaf = new Set<number>();
  supervisorIsDeaf = false;
  messages = 0;

  constructor(workers: number) {
    const now = (): number => performance.now();
    this.supervisor = new SharedLedger({
      now,
      workers: () => workers,
      send: (worker: number, replies: readonly LedgerReply[]) => {
        this.messages++;
        setTimeout(() => {
          if (!this.deaf.has(worker))
            this.workers[worker]!.receive(structuredClone(replies) as LedgerReply[]);
        }, 1);
      },
    });
    this.workers = Array.from({ length: workers }, (_, worker) => {
      return new LeasedLedger({
        now,
        send: (asks: readonly LedgerAsk[]) => {
          this.messages++;
          setTimeout(() => {
            if (!this.supervisorIsDeaf) this.supervisor.receive(worker, structuredClone(asks) as LedgerAsk[]);
          }, 1);
        },
      });
    });
  }

  close(): void {
    this.supervisor.close();
    for (const worker of this.workers) worker.close();
  }
}

interface Outcome {
  allowed: boolean;
  at: number;
  remaining: number;
  retryAfterMs: number;
}

let machine: Machine;

function take(worker: number, key: string, limit: Limit, cost = 1): Promise<Outcome> {
  return new Promise((resolve) => {
    const done = ({ allowed, remaining, retryAfterMs }: Omit<Outcome, 'at'>): void =>
      resolve({ allowed, remaining, retryAfterMs, at: performance.now() });
    const decision = machine.workers[worker]!.take(
      key,
      cost,
      limit,
      { decided: (_ticket, late) => done(late) },
      1,
    );
    if (decision) done(decision);
  });
}

const hundred: Limit = { algorithm: 'token-bucket', requests: 100, periodMs: 3_600_000, burst: 100 };

beforeEach(() => {
  vi.useFakeTimers({
    toFake: [
      'setTimeout',
      'clearTimeout',
      'setInterval',
      'clearInterval',
      'setImmediate',
      'clearImmediate',
      'performance',
      'Date',
    ],
  });
});
afterEach(() => {
  machine.close();
  vi.useRealTimers();
});

/** Like `take`, and gives it back later. */
function hold(worker: number, key: string, limit: Limit): Promise<{ allowed: boolean; release(): void }> {
  const ledger = machine.workers[worker]!;
  return new Promise((resolve) => {
    const done = ({ allowed, at }: { allowed: boolean; at: number }): void =>
      resolve({ allowed, release: () => ledger.giveBack(key, 1, limit, at) });
    const decision = ledger.take(key, 1, limit, { decided: (_ticket, late) => done(late) }, 1);
    if (decision) done(decision);
  });
}

/** Sends `requests` to workers as `spread` says, `gapMs` apart, and counts the admitted ones. */
async function flood(
  requests: number,
  limit: Limit,
  spread: (i: number) => number,
  gapMs: number,
): Promise<Outcome[]> {
  const outcomes: Promise<Outcome>[] = [];
  for (let i = 0; i < requests; i++) {
    outcomes.push(take(spread(i), 'k', limit));
    if (gapMs > 0) await vi.advanceTimersByTimeAsync(gapMs);
  }
  await vi.advanceTimersByTimeAsync(5000);
  return Promise.all(outcomes);
}

const admitted = (outcomes: readonly Outcome[]): number => outcomes.filter(({ allowed }) => allowed).length;

describe('a limit over four workers', () => {
  test.each([
    ['in turn', (i: number) => i % 4],
    ['on one worker alone', () => 0],
    ['first on one, then on the others', (i: number) => (i < 30 ? 0 : 1 + (i % 3))],
    ['mostly on one', (i: number) => (i % 10 === 0 ? 1 + (i % 3) : 0)],
  ] as const)('admits exactly its capacity of requests %s', async (_name, spread) => {
    for (const gapMs of [0, 0.3, 3]) {
      machine = new Machine(4);
      const outcomes = await flood(250, hundred, spread, gapMs);
      // The bucket refills 1 in 36 s, and 250 gaps of 3 ms are less than one second.
      expect(admitted(outcomes)).toBe(100);
      machine.close();
    }
  });

  test('admits exactly what flows in under overload', async () => {
    machine = new Machine(4);
    const limit: Limit = { algorithm: 'token-bucket', requests: 50, periodMs: 1000, burst: 50 };
    const started = performance.now();
    const outcomes: Promise<Outcome>[] = [];
    for (let i = 0; i < 3000; i++) {
      outcomes.push(take(i % 4, 'k', limit));
      await vi.advanceTimersByTimeAsync(2);
    }
    const seconds = (performance.now() - started) / 1000;
    await vi.advanceTimersByTimeAsync(1000);
    const count = admitted(await Promise.all(outcomes));
    expect(count).toBeLessThanOrEqual(50 + 50 * seconds);
    expect(count).toBeGreaterThanOrEqual(50 + 50 * seconds - 3);
  });

  test('never admits more than the limit in any span, whatever the pattern', async () => {
    machine = new Machine(4);
    const limit: Limit = { algorithm: 'token-bucket', requests: 20, periodMs: 1000, burst: 20 };
    const outcomes: Promise<Outcome>[] = [];
    let seed = 7;
    const random = (): number => (seed = (seed * 48_271) % 0x7fff_ffff) / 0x7fff_ffff;
    for (let i = 0; i < 1500; i++) {
      outcomes.push(take(Math.floor(random() * 4), 'k', limit));
      await vi.advanceTimersByTimeAsync(random() < 0.05 ? random() * 1500 : random() * 20);
    }
    await vi.advanceTimersByTimeAsync(1000);
    const times = (await Promise.all(outcomes)).filter(({ allowed }) => allowed).map(({ at }) => at);
    times.sort((a, b) => a - b);
    // Answers of the supervisor arrive up to 2 ms after it decided.
    let level = 20;
    let last = times[0]!;
    for (const time of times) {
      level = Math.min(20, level + (time - last + 2) * 0.02) - 1;
      last = time;
      expect(level).toBeGreaterThan(-0.1);
    }
  });

  test('says how much is left and when to come back', async () => {
    machine = new Machine(2);
    const limit: Limit = { algorithm: 'token-bucket', requests: 2, periodMs: 1000, burst: 0 };
    const first = take(0, 'k', limit);
    await vi.advanceTimersByTimeAsync(3);
    expect(await first).toMatchObject({ allowed: true, remaining: 1, retryAfterMs: 0 });
    const others = [take(1, 'k', limit), take(1, 'k', limit)];
    await vi.advanceTimersByTimeAsync(5);
    const [second, third] = await Promise.all(others);
    expect(second).toMatchObject({ allowed: true, remaining: 0 });
    expect(third!.allowed).toBe(false);
    expect(third!.retryAfterMs).toBeGreaterThan(480);
    expect(third!.retryAfterMs).toBeLessThanOrEqual(500);
  });

  test('answers a flood of refused requests without asking for each', async () => {
    machine = new Machine(4);
    await flood(120, hundred, (i) => i % 4, 0.5);
    const before = machine.messages;
    const outcomes = await flood(1000, hundred, (i) => i % 4, 0.5);
    expect(admitted(outcomes)).toBe(0);
    expect(machine.messages - before).toBeLessThan(20);
  });

  test('asks far less often than there are requests while tokens are plenty', async () => {
    machine = new Machine(4);
    const limit: Limit = { algorithm: 'token-bucket', requests: 10_000, periodMs: 1000, burst: 10_000 };
    const outcomes = await flood(4000, limit, (i) => i % 4, 0.2);
    expect(admitted(outcomes)).toBe(4000);
    const asked = machine.workers.reduce((sum, worker) => sum + worker.counts.asked, 0);
    expect(asked).toBeLessThan(100);
  });

  test('a request that costs more than one takes as many', async () => {
    machine = new Machine(2);
    const outcomes = Array.from({ length: 30 }, (_, i) => take(i % 2, 'k', hundred, 7));
    await vi.advanceTimersByTimeAsync(1000);
    expect(admitted(await Promise.all(outcomes))).toBe(14);
  });

  test('keys are apart', async () => {
    machine = new Machine(2);
    const limit: Limit = { algorithm: 'gcra', requests: 1, periodMs: 60_000, burst: 1 };
    const outcomes = ['a', 'b', 'a', 'b'].map((key, i) => take(i % 2, key, limit));
    await vi.advanceTimersByTimeAsync(100);
    expect((await Promise.all(outcomes)).map(({ allowed }) => allowed)).toEqual([true, true, false, false]);
  });

  test('goes on without a worker that does not answer a recall', async () => {
    machine = new Machine(2);
    const first = take(0, 'k', hundred); // worker 0 holds a lease of 24 from now on
    await vi.advanceTimersByTimeAsync(3);
    await first;
    machine.deaf.add(0);
    const outcomes = await flood(120, hundred, () => 1, 0);
    const count = admitted(outcomes);
    expect(count).toBeGreaterThanOrEqual(70);
    expect(count).toBeLessThan(100);
    expect(machine.supervisor.counts.recallsTimedOut).toBeGreaterThan(0);
  });

  test('counts the tokens of a worker that died as used', async () => {
    machine = new Machine(2);
    const first = take(0, 'k', hundred);
    await vi.advanceTimersByTimeAsync(3);
    await first;
    machine.supervisor.workerGone(0);
    const outcomes = await flood(120, hundred, () => 1, 0);
    expect(admitted(outcomes)).toBe(99 - 24);
    expect(machine.supervisor.counts.writtenOff).toBe(24);
  });

  test('refuses where the supervisor is out of reach, and gives the token back afterwards', async () => {
    machine = new Machine(2);
    machine.supervisorIsDeaf = true;
    const lost = take(0, 'k', hundred);
    await vi.advanceTimersByTimeAsync(ASK_DEADLINE_MS + 20);
    expect(await lost).toMatchObject({ allowed: false });
    expect(machine.workers[0]!.counts.timedOut).toBe(1);
    machine.supervisorIsDeaf = false;
    const outcomes = await flood(150, hundred, (i) => i % 2, 0);
    expect(admitted(outcomes)).toBe(100);
  });

  test('a token that arrives after its request was refused is not lost', async () => {
    machine = new Machine(2);
    machine.deaf.add(0);
    const late = take(0, 'k', hundred);
    await vi.advanceTimersByTimeAsync(ASK_DEADLINE_MS - 5);
    machine.workers[0]!.receive([]);
    await vi.advanceTimersByTimeAsync(50);
    expect((await late).allowed).toBe(false);
    machine.deaf.delete(0);
    machine.workers[0]!.receive([
      {
        kind: 'decided',
        ticket: 1,
        allowed: true,
        leased: 0,
        remaining: 99,
        resetMs: 0,
        retryAfterMs: 0,
        deniedUntil: 0,
        at: performance.now(),
        turnsAt: 0,
      },
    ]);
    await vi.advanceTimersByTimeAsync(5);
    machine.supervisor.workerGone(0); // what it was leased beside is written off
    const outcomes = await flood(150, hundred, () => 1, 0);
    expect(admitted(outcomes)).toBe(100 - 24);
  });

  test('a limit that is changed under the same key keeps what was used', async () => {
    machine = new Machine(2);
    const small: Limit = { ...hundred, burst: 10 };
    expect(admitted(await flood(10, small, (i) => i % 2, 0))).toBe(10);
    const larger: Limit = { ...hundred, burst: 15 };
    expect(admitted(await flood(10, larger, (i) => i % 2, 0))).toBe(5);
  });

  test('forgets keys that owe nothing', async () => {
    machine = new Machine(2);
    const limit: Limit = { algorithm: 'gcra', requests: 10, periodMs: 1000, burst: 1 };
    const outcomes = Array.from({ length: 50 }, (_, i) => take(i % 2, `key ${i}`, limit));
    await vi.advanceTimersByTimeAsync(10);
    await Promise.all(outcomes);
    expect(machine.supervisor.keys).toBe(50);
    await vi.advanceTimersByTimeAsync(25_000);
    expect(machine.supervisor.keys).toBe(0);
  });
});

describe('windows over four workers', () => {
  test.each(['fixed-window', 'sliding-window'] as const)(
    '%s: exactly the limit in each window, while more is asked for',
    async (algorithm) => {
      machine = new Machine(4);
      // Windows begin by the wall's clock.
      const start = performance.now() - (Date.now() % 1000);
      const limit: Limit = { algorithm, requests: 50, periodMs: 1000, burst: 0 };
      const outcomes: Promise<Outcome>[] = [];
      for (let i = 0; i < 2000; i++) {
        outcomes.push(take(i % 4, 'k', limit));
        await vi.advanceTimersByTimeAsync(2);
      }
      await vi.advanceTimersByTimeAsync(1000);
      const perWindow = [0, 0, 0, 0, 0, 0];
      // An answer of the supervisor may take two milliseconds to the next window.
      for (const { allowed, at } of await Promise.all(outcomes))
        if (allowed) perWindow[Math.floor((at - start - 2) / 1000)]!++;
      // The first may have been under way already, as the last was when the requests ended.
      for (const count of perWindow.slice(1, 4)) {
        expect(count).toBeLessThanOrEqual(50);
        // What fades of a sliding window is as much as comes in.
        expect(count).toBeGreaterThanOrEqual(49);
      }
    },
  );

  test('a fixed window that was used up is all there when the next one begins', async () => {
    machine = new Machine(4);
    const limit: Limit = { algorithm: 'fixed-window', requests: 100, periodMs: 60_000, burst: 0 };
    expect(admitted(await flood(130, limit, (i) => i % 4, 0))).toBe(100);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(admitted(await flood(130, limit, (i) => i % 4, 0))).toBe(100);
  });
});

describe('concurrency over two workers', () => {
  const limit: Limit = { algorithm: 'concurrency', requests: 3, periodMs: 1, burst: 0 };
  const all = async (workers: number[]) => {
    const asked = workers.map((worker) => hold(worker, 'k', limit));
    await vi.advanceTimersByTimeAsync(10);
    return Promise.all(asked);
  };
  const count = (held: { allowed: boolean }[]): number => held.filter(({ allowed }) => allowed).length;

  test('as many at a time as it says, and one more for each that ends', async () => {
    machine = new Machine(2);
    const held = await all([0, 1, 0, 1, 0]);
    expect(count(held)).toBe(3);
    held.find(({ allowed }) => allowed)!.release();
    await vi.advanceTimersByTimeAsync(10);
    expect(count(await all([1, 1]))).toBe(1);
    // Time gives nothing.
    await vi.advanceTimersByTimeAsync(100_000);
    expect(count(await all([0]))).toBe(0);
  });

  test('what ran in a worker that died is free', async () => {
    machine = new Machine(2);
    expect(count(await all([0, 0, 1, 1]))).toBe(3);
    machine.supervisor.workerGone(0);
    expect(count(await all([1, 1, 1]))).toBe(2);
  });
});

describe('what is undone or charged', () => {
  test('what is given back is there for a worker that was told of a refusal for a while', async () => {
    machine = new Machine(2);
    const limit: Limit = { algorithm: 'fixed-window', requests: 1, periodMs: 3_600_000, burst: 0 };
    const first = hold(0, 'k', limit);
    await vi.advanceTimersByTimeAsync(5);
    const refused = hold(1, 'k', limit);
    await vi.advanceTimersByTimeAsync(5);
    expect((await refused).allowed).toBe(false);
    (await first).release();
    await vi.advanceTimersByTimeAsync(5);
    const again = hold(1, 'k', limit);
    await vi.advanceTimersByTimeAsync(5);
    expect((await again).allowed).toBe(true);
  });

  test('asking takes nothing, wherever it is asked', async () => {
    machine = new Machine(2);
    for (let i = 0; i < 50; i++) {
      machine.workers[i % 2]!.peek('k', 1, hundred, { decided: () => undefined }, 1);
      await vi.advanceTimersByTimeAsync(3);
    }
    expect(admitted(await flood(150, hundred, (i) => i % 2, 0))).toBe(100);
  });

  test('what is charged beyond the limit is paid back before anything is let in', async () => {
    machine = new Machine(2);
    const limit: Limit = { algorithm: 'token-bucket', requests: 10, periodMs: 1000, burst: 10 };
    await vi.advanceTimersByTimeAsync(5);
    const one = take(0, 'k', limit);
    await vi.advanceTimersByTimeAsync(5);
    expect((await one).allowed).toBe(true);
    machine.workers[0]!.charge('k', 29, limit);
    await vi.advanceTimersByTimeAsync(1900);
    expect(admitted(await flood(1, limit, () => 1, 0))).toBe(0);
  });
});
