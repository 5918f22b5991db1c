// Limits that two weirs count in one Redis: as exact as they are said to be, whatever happens to it.
import { afterEach, beforeAll, describe, expect, test } from 'vitest';
import { FakeUpstream } from '../support/fake-upstream.ts';
import { Load, type LoadAnswer } from '../support/load.ts';
import { freePort } from '../support/ports.ts';
import { Weir } from '../support/process.ts';
import { getRequest } from '../support/raw-client.ts';
import { Redis } from '../support/redis.ts';
import { metricOf, policies } from '../support/scenario.ts';
import { TIMED } from '../support/timing.ts';

const SECONDS = 10;
const DEADLINE_MS = 20;
/** Where it is not the deadline that is tested: on two cores, eight workers and a load have their turns in between. */
const PATIENT_MS = 500;

/** A machine that stands still for a moment asks less than there is to be had. */
const LONG = { timeout: 120_000, ...TIMED };

let upstream: FakeUpstream;
let redis: Redis;
let weirs: Weir[] = [];
let ports: number[] = [];
let users = 0;
beforeAll(async () => {
  upstream = await FakeUpstream.start({ discard: true });
  redis = await Redis.start('--requirepass', 'only-for-tests');
});
afterEach(async () => {
  for (const weir of weirs) await weir.stop();
  weirs = [];
  ports = [];
});

async function startTwo(config: object, deadlineMs = PATIENT_MS): Promise<void> {
  for (let i = 0; i < 2; i++) {
    const port = await freePort();
    const yaml = `${policies({ port, upstreamPort: upstream.port, module: null })}---
apiVersion: v1
kind: Secret
metadata: {name: redis, namespace: shop}
stringData: {password: only-for-tests}
---
apiVersion: policy.weir/v1alpha1
kind: Store
metadata: {name: limits, namespace: shop}
spec:
  redis: {address: "${redis.address}", passwordRef: {name: redis, key: password}}
  deadline: ${deadlineMs}ms
---
apiVersion: policy.weir/v1alpha1
kind: FilterChain
metadata: {name: chain, namespace: shop}
spec:
  targetRefs: [{kind: Gateway, name: edge}]
  filters:
  - name: limit
    use: rate-limit
    store: limits
    config: ${JSON.stringify({ scope: 'cluster', key: ['request.headers.x-user'], ...config })}
`;
    ports.push(port);
    weirs.push(await Weir.start({ files: { 'edge.yaml': yaml }, workers: 4 }));
  }
  for (const weir of weirs)
    await expect.poll(() => metricOf(weir, 'weir_store_connected'), { timeout: 15_000 }).toBe(4);
}

/** Asks both for so long, for a user of whom nothing is counted yet; the answers in the order they came. */
async function flood(seconds: number, connections = 8): Promise<LoadAnswer[]> {
  const user = `user-${++users}`;
  const answers: LoadAnswer[] = [];
  const loads = ports.map(
    (port) =>
      new Load({
        port,
        connections,
        durationMs: seconds * 1000,
        request: () => getRequest('/', 'example.test', `X-User: ${user}`),
        check: (answer) => {
          answers.push(answer);
          return null;
        },
      }),
  );
  for (const load of loads) expect([...(await load.done).failures]).toEqual([]);
  return answers;
}

const admitted = (answers: readonly LoadAnswer[]): LoadAnswer[] =>
  answers.filter(({ status }) => status === 200);
const endOf = ({ sentAt, tookMs }: LoadAnswer): number => sentAt + tookMs;

describe('a limit of the cluster', () => {
  test.each([
    { requests: 200, per: '1s', burst: 20 },
    { requests: 300, per: '1s', algorithm: 'fixed-window' },
    { requests: 300, per: '1s', algorithm: 'sliding-window' },
    { requests: 300, per: '1s', algorithm: 'gcra', burst: 30 },
  ])(`%j: within one percent over eight workers of two weirs`, LONG, async (limit) => {
    await startTwo({ limit });
    const isWindow = limit.algorithm?.endsWith('window') === true;
    if (isWindow) await nextSecond();
    const answers = admitted(await flood(SECONDS));
    // A request was decided between the moment that it was sent and that of its answer.
    const [sent, ended] = [answers.map(({ sentAt }) => sentAt), answers.map(endOf)];
    const most = (Math.max(...ended) - Math.min(...sent)) / 1000;
    const least = (Math.max(...sent) - Math.min(...ended)) / 1000;
    // As many windows as begun, and those that ended.
    const windows = secondOf(Math.max(...ended)) - secondOf(Math.min(...sent)) + 1;
    const [low, high] = isWindow
      ? [limit.requests * SECONDS, limit.requests * windows]
      : [limit.burst! + limit.requests * least, limit.burst! + limit.requests * most];
    expect(answers.length).toBeGreaterThanOrEqual(low * 0.99);
    expect(answers.length).toBeLessThanOrEqual(high * 1.01);
  });

  test('a large limit needs a round trip for few of its requests', LONG, async () => {
    await startTwo({ limit: { requests: 100_000_000, per: '1h' } });
    const answers = await flood(3);
    expect(admitted(answers).length).toBe(answers.length);
    let asked = 0;
    for (const weir of weirs) asked += await askedOf(weir);
    expect(asked).toBeLessThan(answers.length / 10);
  });

  test.each([
    ['Deny', 503],
    ['Allow', 200],
    ['Local', 429],
  ] as const)('Redis is killed and comes back under load: %s', LONG, async (onStoreFailure, while_) => {
    await startTwo({ limit: { requests: 100, per: '1s', burst: 10 }, onStoreFailure });
    const whole = flood(9);
    const begun = performance.now();
    const at = (ms: number): Promise<void> =>
      new Promise((resolve) => setTimeout(resolve, Math.max(0, begun + ms - performance.now())));
    await at(2000);
    await redis.kill();
    const killed = performance.now();
    await at(4000);
    const restarted = performance.now();
    await redis.restart();
    for (const weir of weirs)
      await expect.poll(() => metricOf(weir, 'weir_store_connected'), { timeout: 10_000 }).toBe(4);
    const back = performance.now();
    const answers = await whole;

    const between = answers.filter((answer) => answer.sentAt > killed + 100 && endOf(answer) < restarted);
    const statuses = new Set(between.map(({ status }) => status));
    if (onStoreFailure === 'Local') {
      // Each weir counts for itself: twice the limit, and no more.
      const seconds = (restarted - killed - 100) / 1000;
      expect(admitted(between).length).toBeLessThanOrEqual(2 * (10 + 100 * seconds) * 1.05);
      expect(admitted(between).length).toBeGreaterThanOrEqual(2 * 100 * seconds * 0.9);
    } else expect([...statuses]).toEqual([while_]);
    expect(between.length).toBeGreaterThan(100);

    // Exact again, from an empty ledger on.
    const after = admitted(answers.filter(({ sentAt }) => sentAt > back));
    const seconds = (Math.max(...after.map(endOf)) - back) / 1000;
    expect(after.length).toBeLessThanOrEqual((10 + 100 * seconds) * 1.01 + 1);
    expect(after.length).toBeGreaterThanOrEqual(100 * seconds * 0.97);
  });

  test('a server that says nothing holds no request beyond the deadline', LONG, async () => {
    await startTwo({ limit: { requests: 100, per: '1s' }, onStoreFailure: 'Deny' }, DEADLINE_MS);
    const whole = flood(4, 4);
    await new Promise((resolve) => setTimeout(resolve, 1000));
    redis.freeze();
    const frozen = performance.now();
    await new Promise((resolve) => setTimeout(resolve, 1500));
    redis.thaw();
    const answers = await whole;
    const waited = answers
      .filter(({ sentAt }) => sentAt > frozen && sentAt < frozen + 1400)
      .map(({ tookMs }) => tookMs)
      .sort((a, b) => a - b);
    // One in a hundred is left to a machine that has eight workers, a load and an upstream on its cores.
    expect(waited.at(Math.floor(waited.length * 0.99))).toBeLessThan(DEADLINE_MS + 30);
    expect(waited[waited.length >> 1]).toBeLessThan(DEADLINE_MS / 2);
    expect(answers.some(({ status }) => status === 503)).toBe(true);
    // And it is asked again.
    expect(answers.filter(({ sentAt, status }) => sentAt > frozen + 2000 && status === 200)).not.toEqual([]);
  });
});

/** Of the clock on the wall, at a moment of `performance.now()`. */
function secondOf(moment: number): number {
  return Math.floor((Date.now() - performance.now() + moment) / 1000);
}

async function nextSecond(): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, 1000 - (Date.now() % 1000)));
}

async function askedOf(weir: Weir): Promise<number> {
  const { text } = await weir.admin('/metrics');
  const line = text.split('\n').find((each) => /^weir_store_decisions_total\{.*result="asked"/.test(each))!;
  return Number(line.slice(line.lastIndexOf(' ') + 1));
}
