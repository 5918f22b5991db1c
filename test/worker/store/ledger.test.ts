import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { Limit } from '../../../src/runtime/limit.ts';
import { StoreLedger, type StoreServer } from '../../../src/worker/store/ledger.ts';

interface Asked {
  readonly key: string;
  readonly action: string;
  /** Behind what names the limit and the worker. */
  readonly rest: readonly string[];
  readonly answer: (value: unknown) => void;
  readonly fail: (fault: Error) => void;
}

/** A server that the test plays. */
class FakeServer implements StoreServer {
  isReady = true;
  readonly all: Asked[] = [];
  pings = 0;

  get asked(): Asked[] {
    return this.all.filter(({ action }) => action === 'take');
  }

  get told(): string[] {
    return this.all
      .filter(({ action, key }) => action !== 'take' && !key.endsWith(':workers'))
      .map(({ action, rest }) => [action, ...rest].join(' '));
  }

  run(_script: unknown, [key]: readonly string[], args: readonly string[]): Promise<unknown> {
    const [action, , , , , , , ...rest] = args;
    return new Promise((answer, fail) => this.all.push({ key: key!, action: action!, rest, answer, fail }));
  }

  ping(): Promise<void> {
    this.pings++;
    return new Promise(() => undefined);
  }
}

const limit: Limit = { algorithm: 'token-bucket', requests: 10_000, periodMs: 1000, burst: 0 };
const yes = (leased = 0): unknown[] => ['1', 99, 10, 0, leased, 200, 777];
const no = (retryAfterMs: number): unknown[] => ['0', 0, 900, retryAfterMs, 0, 200, 777];
const flush = (): Promise<unknown> => vi.advanceTimersByTimeAsync(0);

let server: FakeServer;
let ledger: StoreLedger;
beforeEach(() => {
  vi.useFakeTimers({
    toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'setImmediate', 'performance'],
  });
  server = new FakeServer();
  ledger = new StoreLedger({
    server,
    keyPrefix: 'weir',
    deadlineMs: 20,
    worker: 'me',
    now: () => performance.now(),
  });
});
afterEach(() => {
  ledger.close();
  vi.useRealTimers();
});

/** `allowed`, `refused` or `failed`, once it is known. */
function take(key = 'k', of = limit, cost = 1): { outcome: string; waited: number } {
  const asked = performance.now();
  const told = { outcome: 'waiting', waited: -1 };
  const tell = ({ allowed, failed }: { allowed: boolean; failed: boolean }): void => {
    told.outcome = failed ? 'failed' : allowed ? 'allowed' : 'refused';
    told.waited = performance.now() - asked;
  };
  const decision = ledger.take(key, cost, of, { decided: (_ticket, late) => tell(late) }, 1);
  if (decision !== null) tell(decision);
  return told;
}

describe('a ledger in a server', () => {
  test('one question at a time for a key; what comes meanwhile is asked together', async () => {
    const first = take();
    const others = [take(), take('k', limit, 5), take('other')];
    expect(server.asked.map(({ rest }) => rest.slice(2))).toEqual([['1'], ['1']]);
    server.asked[0]!.answer(yes());
    await flush();
    expect(first.outcome).toBe('allowed');
    expect(server.asked[2]!.rest.slice(2)).toEqual(['1', '5']);
    server.asked[2]!.answer(['10', 0, 900, 30, 0, 200, 777]);
    await flush();
    expect(others.map(({ outcome }) => outcome)).toEqual(['allowed', 'refused', 'waiting']);
  });

  test('nothing waits longer than the deadline, and what was admitted too late is given back', async () => {
    const asked = take();
    await vi.advanceTimersByTimeAsync(25);
    expect(asked.outcome).toBe('failed');
    expect(asked.waited).toBeLessThanOrEqual(21);
    server.asked[0]!.answer(yes());
    await flush();
    expect(server.told).toEqual(['return 1 777']);
    expect(ledger.counts.late).toBe(1);
  });

  test('while the server says nothing, nothing waits at all, until it says something', async () => {
    take();
    await vi.advanceTimersByTimeAsync(25);
    expect(take('another')).toEqual({ outcome: 'failed', waited: 0 });
    expect(server.pings).toBe(1);
    await vi.advanceTimersByTimeAsync(100);
    // It was not answered yet.
    expect(server.pings).toBe(1);
    server.asked[0]!.answer(yes());
    await flush();
    expect(take().outcome).toBe('waiting');
  });

  test('without a connection nothing waits', () => {
    server.isReady = false;
    expect(take()).toEqual({ outcome: 'failed', waited: 0 });
    expect(server.asked).toEqual([]);
  });

  test('a connection that breaks fails what was asked over it, and what waited behind', async () => {
    const all = [take(), take()];
    server.asked[0]!.fail(new Error('closed'));
    await flush();
    expect(all.map(({ outcome }) => outcome)).toEqual(['failed', 'failed']);
    expect(ledger.counts.refused).toBe(2);
  });

  test('a refusal holds as long as the server said, for the same cost and more', async () => {
    take('k', limit, 3);
    server.asked[0]!.answer(no(50));
    await flush();
    expect(take('k', limit, 4).outcome).toBe('refused');
    expect(take('k', limit, 2).outcome).toBe('waiting');
    await vi.advanceTimersByTimeAsync(0);
    server.asked[1]!.answer(no(50));
    await vi.advanceTimersByTimeAsync(60);
    expect(take('k', limit, 4).outcome).toBe('waiting');
  });

  describe('leases', () => {
    /** One worker of two; the key has been asked for before. */
    const hot = async (of = limit): Promise<void> => {
      ledger.connected();
      server.all.find(({ key }) => key === 'weir:workers')!.answer(2);
      await flush();
      take('k', of);
      server.asked[0]!.answer(yes());
      await flush();
    };

    test('are one percent of the limit over all workers, and are used without asking', async () => {
      await hot();
      take();
      expect(server.asked[1]!.rest[0]).toBe('50');
      server.asked[1]!.answer(yes(2));
      await flush();
      expect([take(), take(), take()].map(({ outcome }) => outcome)).toEqual([
        'allowed',
        'allowed',
        'waiting',
      ]);
    });

    test('of a small limit there are none', async () => {
      const small = { ...limit, requests: 199 };
      await hot(small);
      take('k', small);
      expect(server.asked[1]!.rest[0]).toBe('0');
    });

    test('go back where they were not used in time', async () => {
      await hot();
      take();
      server.asked[1]!.answer(yes(7));
      await vi.advanceTimersByTimeAsync(201);
      expect(take().outcome).toBe('waiting');
      expect(server.told).toEqual(['return 7 777']);
    });
  });

  test('what runs is told again: regularly, and to a server that forgot', async () => {
    const running: Limit = { algorithm: 'concurrency', requests: 5, periodMs: 1, burst: 0 };
    for (let i = 0; i < 2; i++) {
      take('k', running);
      server.asked[i]!.answer(yes());
      await flush();
    }
    await vi.advanceTimersByTimeAsync(1100);
    expect(server.told).toEqual(['hold 2']);
    ledger.giveBack('k', 1, running, 777);
    ledger.connected();
    expect(server.told.slice(1)).toEqual(['return 1 777', 'hold 1']);
  });
});
