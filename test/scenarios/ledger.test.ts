import { beforeAll, describe, expect, test } from 'vitest';
import { FakeUpstream } from '../support/fake-upstream.ts';
import { Load, type LoadAnswer } from '../support/load.ts';
import { freePort } from '../support/ports.ts';
import { Weir } from '../support/process.ts';
import { exchange, getRequest } from '../support/raw-client.ts';
import { detailOf, metricOf, policies, until } from '../support/scenario.ts';
import { CLOSELY_TIMED, TIMED } from '../support/timing.ts';

let upstream: FakeUpstream;
beforeAll(async () => {
  upstream = await FakeUpstream.start({ discard: true });
});

interface RateLimit {
  readonly requests: number;
  readonly per?: string;
  readonly burst?: number;
  readonly algorithm?: string;
}

async function start(
  limit: RateLimit,
  workers: number,
  upstreamPort = upstream.port,
): Promise<{ weir: Weir; port: number }> {
  const port = await freePort();
  const config = { name: 'all', key: ['request.headers.x-user'], limit, scope: 'node' };
  const yaml = `${policies({ port, upstreamPort, module: null })}---
apiVersion: policy.weir/v1alpha1
kind: FilterChain
metadata: {name: chain, namespace: shop}
spec:
  targetRefs: [{kind: Gateway, name: edge}]
  filters:
  - name: limit
    use: rate-limit
    config: ${JSON.stringify(config)}
`;
  return { weir: await Weir.start({ files: { 'edge.yaml': yaml }, workers }), port };
}

const asUser = (user: string): string => getRequest('/', 'example.test', `X-User: ${user}`);

/** Requests over many connections, so that every worker gets some; the answers by status. */
async function flood(
  port: number,
  requests: number,
  connections: number,
  user: (n: number) => string,
): Promise<Map<string, { allowed: number; refused: number; other: number }>> {
  const users = new Map<string, { allowed: number; refused: number; other: number }>();
  const check = ({ n, status }: LoadAnswer): null => {
    const counts = users.get(user(n)) ?? { allowed: 0, refused: 0, other: 0 };
    users.set(user(n), counts);
    counts[status === 200 ? 'allowed' : status === 429 ? 'refused' : 'other']++;
    return null;
  };
  const load = new Load({ port, connections, requests, request: (n) => asUser(user(n)), check });
  const result = await load.done;
  expect([...result.failures]).toEqual([]);
  return users;
}

describe('a limit of the node', () => {
  // A worker that stands still hears nothing in time from the supervisor, which is counted.
  test('admits exactly what it says over four workers, for each key', TIMED, async () => {
    const { weir, port } = await start({ requests: 100, per: '1h' }, 4);
    const users = await flood(port, 1200, 32, (n) => `user-${n % 3}`);
    for (const counts of users.values()) expect(counts).toEqual({ allowed: 100, refused: 300, other: 0 });
    expect(users.size).toBe(3);
    // It was the supervisor that decided, with leases: more than one worker had a part in it.
    const { workers } = await detailOf(weir);
    expect(workers.length).toBe(4);
    expect(await metricOf(weir, 'weir_ledger_keys')).toBe(3);
    expect(await metricOf(weir, 'weir_ledger_ask_timeouts_total')).toBe(0);
    expect(await metricOf(weir, 'weir_ledger_recall_timeouts_total')).toBe(0);
    await weir.stop();
  });

  test('admits what flows in, no more and no less, while more is asked for', CLOSELY_TIMED, async () => {
    // Two seconds' worth: where this process or a worker is held up for less, nothing that flowed in is lost.
    const burst = 400;
    const { weir, port } = await start({ requests: 200, per: '1s', burst }, 4);
    const times: number[] = [];
    const load = new Load({
      port,
      connections: 16,
      durationMs: 2000,
      request: () => asUser('busy'),
      check: ({ status, sentAt, tookMs }) => {
        if (status === 200) times.push(sentAt + tookMs);
        return status === 200 || status === 429 ? null : String(status);
      },
    });
    const begun = performance.now();
    const result = await load.done;
    const seconds = (performance.now() - begun) / 1000;
    expect([...result.failures]).toEqual([]);
    // The clock of this process starts a little before the first request is decided, and stops after the last.
    expect(times.length).toBeLessThanOrEqual(burst + 200 * seconds);
    expect(times.length).toBeGreaterThan((burst + 200 * seconds) * 0.95);
    await weir.stop();
  });

  test('is the same with one worker', async () => {
    const { weir, port } = await start({ requests: 50, per: '1h', algorithm: 'gcra', burst: 50 }, 1);
    const users = await flood(port, 120, 8, () => 'one');
    expect(users.get('one')).toEqual({ allowed: 50, refused: 70, other: 0 });
    await weir.stop();
  });

  test('concurrency: so many at a time over all workers, and what ran in one that died is free', async () => {
    let open: (() => void)[] = [];
    let most = 0;
    const slow = await FakeUpstream.start({
      behaviour: async (_request, answer) => {
        await new Promise<void>((resolve) => {
          open.push(resolve);
          most = Math.max(most, open.length);
        });
        await answer.send(200, [], 'done');
      },
    });
    const { weir, port } = await start({ requests: 5, algorithm: 'concurrency' }, 3, slow.port);
    const answers: number[] = [];
    const send = async (): Promise<void> => {
      // A worker that is killed answers nothing.
      const status = await exchange({ port }, asUser('one')).then(
        (answer) => answer.status ?? 0,
        () => 0,
      );
      answers.push(status);
    };
    const first = Array.from({ length: 20 }, send);
    await expect.poll(() => answers.length).toBe(15);
    expect(answers.every((status) => status === 429)).toBe(true);
    await expect.poll(() => open.length).toBe(5);

    for (const { pid } of (await detailOf(weir)).workers) process.kill(pid!, 'SIGKILL');
    await Promise.all(first);
    await until(weir, 'the workers are back', ({ workers }) => workers.every(({ serving }) => serving));
    open = [];
    answers.length = 0;
    const more = Array.from({ length: 5 }, send);
    await expect.poll(() => open.length).toBe(5);
    await send();
    expect(answers.at(-1)).toBe(429);
    for (const end of open) end();
    await Promise.all(more);
    expect(answers.filter((status) => status === 200)).toHaveLength(5);
    expect(most).toBe(5);
    await weir.stop();
  });
});
