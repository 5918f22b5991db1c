/**
 * Random traffic with faults on both sides, from a seed. Whatever happens to single requests, no
 * answer may reach another client than the one that asked, none may look whole that is not, and in
 * the end everything that counts is back where it was.
 *
 * WEIR_SEED=n,m runs these seeds; a seed that fails is part of its test's name.
 */
import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, test } from 'vitest';
import { makeCertificate } from '../support/certificate.ts';
import { DataPlane, type Part } from '../support/data-plane.ts';
import { Dice } from '../support/dice.ts';
import {
  type Behaviour,
  FakeUpstream,
  type UpstreamAnswer,
  type UpstreamRequest,
} from '../support/fake-upstream.ts';
import { ClosedError } from '../support/message.ts';
import { RawClient } from '../support/raw-client.ts';

const CLIENTS = 12;
const REQUESTS = 40;

/** What a body of a nonce is: long ones are told apart anywhere. */
function bodyOf(nonce: string, size: number): Buffer {
  return Buffer.alloc(size, `${nonce}.`);
}

function sha256(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** How one request goes and how its upstream treats it; all of it travels in the request's target. */
interface Plan {
  readonly nonce: string;
  readonly method: 'GET' | 'POST' | 'PUT' | 'HEAD';
  readonly requestSize: number;
  readonly requestChunked: boolean;
  readonly answerSize: number;
  readonly answer: 'length' | 'chunked' | 'close' | 'early' | 'empty';
  readonly fault: 'none' | 'reset-at-once' | 'cut' | 'reset-mid-body' | 'garbage' | 'close-after';
  /** Where the fault is, in bytes of the answer. */
  readonly at: number;
  /** Bytes of the request after which the client goes; -1: it stays. */
  readonly abortAt: number;
  readonly abortWith: 'reset' | 'close';
  /** Pieces of this size with pauses; 0: in one. */
  readonly pieces: number;
  /** The client goes while its answer comes. */
  readonly leaves: boolean;
}

function planOf(dice: Dice, nonce: string): Plan {
  const method = dice.pick(['GET', 'GET', 'POST', 'POST', 'PUT', 'HEAD'] as const);
  const size = (): number => dice.pick([0, 1, 17, 1000, 20_000, 100_000, 300_000]);
  const bodied = method === 'POST' || method === 'PUT';
  const requestSize = bodied ? size() : 0;
  const answerSize = size();
  const total = 150 + requestSize;
  return {
    nonce,
    method,
    requestSize,
    requestChunked: bodied && dice.chance(0.5),
    answerSize,
    answer: dice.pick(['length', 'length', 'chunked', 'close', 'early', 'empty']),
    fault: dice.chance(0.6)
      ? 'none'
      : dice.pick(['reset-at-once', 'cut', 'cut', 'reset-mid-body', 'garbage', 'close-after']),
    at: dice.chance(0.5) ? dice.below(120) : dice.below(120 + answerSize),
    abortAt: dice.chance(0.15) ? dice.below(total) : -1,
    abortWith: dice.pick(['reset', 'close']),
    pieces: dice.chance(0.2) ? 1 + dice.below(3000) : 0,
    leaves: dice.chance(0.08),
  };
}

function requestOf(plan: Plan): Buffer {
  const told = Buffer.from(JSON.stringify(plan)).toString('base64url');
  const body = bodyOf(plan.nonce, plan.requestSize);
  const head = [`${plan.method} /${plan.nonce} HTTP/1.1`, 'Host: a', `X-Plan: ${told}`];
  if (plan.requestChunked) {
    const parts: Buffer[] = [Buffer.from([...head, 'Transfer-Encoding: chunked', '', ''].join('\r\n'))];
    for (let at = 0, size = 1; at < body.length; at += size, size = size * 3 + 1) {
      const piece = body.subarray(at, at + size);
      parts.push(Buffer.from(`${piece.length.toString(16)}\r\n`), piece, Buffer.from('\r\n'));
    }
    return Buffer.concat([...parts, Buffer.from('0\r\n\r\n')]);
  }
  if (plan.method === 'POST' || plan.method === 'PUT') head.push(`Content-Length: ${body.length}`);
  return Buffer.concat([Buffer.from([...head, '', ''].join('\r\n')), body]);
}

function answerOf(plan: Plan): Buffer {
  const fields = [`X-Nonce: ${plan.nonce}`];
  const body = plan.answer === 'empty' ? Buffer.alloc(0) : bodyOf(plan.nonce, plan.answerSize);
  const bodiless = plan.method === 'HEAD';
  if (plan.answer === 'chunked') {
    const parts: Buffer[] = [
      Buffer.from(['HTTP/1.1 200 OK', ...fields, 'Transfer-Encoding: chunked', '', ''].join('\r\n')),
    ];
    if (bodiless) return parts[0]!;
    for (let at = 0; at < body.length; at += 7000) {
      const piece = body.subarray(at, at + 7000);
      parts.push(Buffer.from(`${piece.length.toString(16)}\r\n`), piece, Buffer.from('\r\n'));
    }
    return Buffer.concat([...parts, Buffer.from('0\r\n\r\n')]);
  }
  if (plan.answer !== 'close') fields.push(`Content-Length: ${body.length}`);
  const head = Buffer.from(['HTTP/1.1 200 OK', ...fields, '', ''].join('\r\n'));
  return bodiless ? head : Buffer.concat([head, body]);
}

interface Seen {
  /** Requests whose body came whole, by nonce, with how often. */
  readonly whole: Map<string, number>;
  /** What an upstream should never see. */
  readonly faults: string[];
}

function behaviourOf(seen: Seen): Behaviour {
  return async (request, answer) => {
    const plan = JSON.parse(Buffer.from(request.header('x-plan') ?? '', 'base64url').toString()) as Plan;
    if (request.target !== `/${plan.nonce}`) seen.faults.push(`${request.target} with ${plan.nonce}`);
    if (plan.fault === 'reset-at-once') {
      answer.reset();
      return;
    }
    if (plan.fault === 'reset-mid-body' && plan.requestSize > 0) {
      await sleep(1);
      answer.reset();
      return;
    }
    if (plan.answer !== 'early') await finish(request, plan, seen);
    if (plan.fault === 'garbage') {
      await answer.raw(
        Buffer.concat([answerOf(plan).subarray(0, 20), Buffer.from('\n\r\0 nonsense\r\n\r\n')]),
      );
      answer.close();
      return;
    }
    await sendAnswer(plan, answer);
    if (answer.over) return;
    if (plan.answer === 'early') await finish(request, plan, seen);
    if (plan.answer === 'close' || plan.fault === 'close-after') answer.close();
  };
}

async function finish(request: UpstreamRequest, plan: Plan, seen: Seen): Promise<void> {
  await request.finish();
  if (request.sha256 !== sha256(bodyOf(plan.nonce, plan.requestSize)))
    seen.faults.push(`the body of ${plan.nonce} came as something else`);
  seen.whole.set(plan.nonce, (seen.whole.get(plan.nonce) ?? 0) + 1);
}

async function sendAnswer(plan: Plan, answer: UpstreamAnswer): Promise<void> {
  const bytes = answerOf(plan);
  if (plan.fault === 'cut') {
    await answer.raw(bytes.subarray(0, Math.min(plan.at, bytes.length - 1)));
    await sleep(2);
    if (plan.at % 2 === 0) answer.reset();
    else answer.close();
    return;
  }
  if (plan.pieces === 0) {
    await answer.raw(bytes);
    return;
  }
  const size = Math.max(plan.pieces, Math.ceil(bytes.length / 20));
  for (let at = 0; at < bytes.length; at += size) {
    await answer.raw(bytes.subarray(at, at + size));
    await new Promise((resolve) => setImmediate(resolve));
  }
}

type Outcome = 'answered' | 'failed' | 'cut' | 'left';

interface Tally extends Record<Outcome, number> {
  readonly faults: string[];
}

/** Sends requests one after the other (sometimes two at once), on new connections where the old ones end. */
async function runClient(
  dice: Dice,
  name: string,
  dial: () => Promise<RawClient>,
  tally: Tally,
): Promise<void> {
  let client = await dial();
  for (let i = 0; i < REQUESTS; i++) {
    const plans = [planOf(dice, `${name}-${i}`)];
    if (dice.chance(0.2)) plans.push(planOf(dice, `${name}-${i}b`));
    let fresh = false;
    for (const [at, outcome] of (await attempt(dice, client, plans)).entries()) {
      if (typeof outcome === 'string') tally[outcome]++;
      else tally.faults.push(`${plans[at]!.nonce}: ${outcome.message} ${JSON.stringify(plans[at])}`);
      if (outcome !== 'answered' && outcome !== 'failed') fresh = true;
    }
    if (fresh || client.socket.destroyed || client.source.state !== 'open') {
      client.close();
      client = await dial();
    }
  }
  client.close();
}

async function attempt(dice: Dice, client: RawClient, plans: Plan[]): Promise<(Outcome | Error)[]> {
  const outcomes: (Outcome | Error)[] = [];
  const sent = send(client, plans);
  let ended = false;
  for (const plan of plans) {
    if (ended) {
      outcomes.push('cut');
      continue;
    }
    if (plan.leaves && dice.chance(0.5)) {
      await sleep(dice.below(5));
      client[plan.abortWith]();
      outcomes.push('left');
      ended = true;
      continue;
    }
    try {
      const answer = await client.read({
        method: plan.method,
        timeoutMs: 10_000,
        onData: () => {
          if (plan.leaves) client[plan.abortWith]();
        },
      });
      outcomes.push(judge(plan, answer.status, answer.header('x-nonce'), answer.body));
      if (!answer.keepAlive) ended = true;
    } catch (fault) {
      ended = true;
      outcomes.push(fault instanceof ClosedError ? 'cut' : (fault as Error));
    }
  }
  if (ended) client.close();
  await sent;
  return outcomes;
}

function judge(plan: Plan, status: number, nonce: string | undefined, body: Buffer): Outcome | Error {
  if (status !== 200) return nonce === undefined ? 'failed' : new Error(`${status} with a nonce`);
  if (nonce !== plan.nonce) return new Error(`the answer to ${nonce}`);
  const empty = plan.method === 'HEAD' || plan.answer === 'empty';
  const whole = empty ? Buffer.alloc(0) : bodyOf(plan.nonce, plan.answerSize);
  // Where only the end of the connection ends the body, one that is cut cannot be told from a whole one.
  const mayBeCut = plan.answer === 'close' && plan.fault === 'cut';
  if (!body.equals(mayBeCut ? whole.subarray(0, body.length) : whole))
    return new Error(`a body of ${body.length} for one of ${whole.length}`);
  if (plan.fault === 'reset-at-once' || plan.fault === 'garbage') return new Error('an answer nobody gave');
  return 'answered';
}

async function send(client: RawClient, plans: Plan[]): Promise<void> {
  try {
    for (const plan of plans) {
      const bytes = requestOf(plan);
      const end = plan.abortAt < 0 ? bytes.length : Math.min(plan.abortAt, bytes.length - 1);
      if (plan.pieces > 0)
        await client.sendInPieces(bytes.subarray(0, end), Math.max(plan.pieces, Math.ceil(end / 20)));
      else await client.send(bytes.subarray(0, end));
      if (plan.abortAt >= 0) {
        client[plan.abortWith]();
        return;
      }
    }
  } catch {
    // The other side closed before it had all.
  }
}

const SEEDS = (process.env['WEIR_SEED'] ?? '1,2').split(',').map(Number);

const certificate = makeCertificate({ names: ['a'] });
const upstreamCertificate = makeCertificate({ names: ['up.example'] });

const WORLDS: [what: string, part: Part, tlsUpstream: boolean][] = [
  ['plain', {}, false],
  ['few upstream connections', { clusters: [{ ports: [], maxConnections: 3 }] }, false],
  [
    'TLS on both sides',
    {
      protocol: 'https',
      listeners: [
        {
          certificates: [{ chainPem: certificate.certificatePem, keyPem: certificate.keyPem, names: ['a'] }],
        },
      ],
      clusters: [
        {
          ports: [],
          tls: { serverName: 'up.example', caPem: upstreamCertificate.certificatePem, verify: true },
        },
      ],
    },
    true,
  ],
  [
    'retries',
    {
      rules: [
        {
          retry: {
            on: (1 << 0) | (1 << 2) | (1 << 8),
            statuses: [],
            maxAttempts: 3,
            backoffBaseMs: 1,
            backoffMaxMs: 5,
            honorRetryAfter: true,
            budgetPercent: 100,
            budgetMinPerSecond: 1000,
            budgetWindowMs: 10_000,
            replayBytes: 65536,
            onlyIdempotent: false,
            avoidPreviousEndpoint: true,
          },
        },
      ],
    },
    false,
  ],
];

const unhandled: unknown[] = [];
process.on('uncaughtException', (fault) => unhandled.push(fault));
process.on('unhandledRejection', (fault) => unhandled.push(fault));
afterEach(() => expect(unhandled.splice(0)).toEqual([]));

describe.each(WORLDS)('%s', (_what, part, tlsUpstream) => {
  test.each(SEEDS)(
    'no answer goes astray, and all counts return to their base; WEIR_SEED=%i',
    async (seed) => {
      const seen: Seen = { whole: new Map(), faults: [] };
      const own = { cert: upstreamCertificate.certificatePem, key: upstreamCertificate.keyPem };
      const upstreams = await Promise.all(
        [0, 1].map(() =>
          FakeUpstream.start({ behaviour: behaviourOf(seen), ...(tlsUpstream ? { tls: own } : {}) }),
        ),
      );
      const ports = upstreams.map(({ port }) => port);
      const plane = await DataPlane.start({
        ...part,
        clusters: [{ idleTimeoutMs: 300, ...part.clusters?.[0], ports }],
      });
      const secure = part.protocol === 'https';
      const dial = (): Promise<RawClient> =>
        RawClient.connect({
          port: plane.port,
          ...(secure ? { tls: { servername: 'a', ca: certificate.certificatePem } } : {}),
        });
      const tally: Tally = { answered: 0, failed: 0, cut: 0, left: 0, faults: [] };
      await Promise.all(
        Array.from({ length: CLIENTS }, (_, i) => runClient(new Dice(seed * 1000 + i), `c${i}`, dial, tally)),
      );
      expect(tally.faults).toEqual([]);
      expect(seen.faults).toEqual([]);
      expect(tally.answered).toBeGreaterThan(CLIENTS * REQUESTS * 0.3);
      expect(tally.failed).toBeGreaterThan(0);
      expect(tally.cut).toBeGreaterThan(0);

      await expect
        .poll(
          () => {
            const { streams, connections, clusters } = plane.runtime.status();
            return [
              streams,
              connections,
              ...clusters.flatMap(({ requests, endpoints }) => [
                requests,
                ...endpoints.map(({ active }) => active),
              ]),
              total(plane, 'weir_upstream_requests_pending'),
            ];
          },
          { timeout: 15_000 },
        )
        .toEqual([0, 0, 0, 0, 0, 0]);
      // Idle connections leave the pools when their time is over.
      await expect
        .poll(
          () => [
            total(plane, 'weir_upstream_connections'),
            ...upstreams.map(({ connections }) => connections),
          ],
          { timeout: 15_000 },
        )
        .toEqual([0, 0, 0]);
      expect(total(plane, 'weir_streams_active')).toBe(0);
      // Each request that a client saw the end of was counted, and none twice.
      const counted = total(plane, 'istio_requests_total');
      const { answered, failed, cut, left } = tally;
      expect(counted).toBeGreaterThanOrEqual(answered + failed);
      expect(counted).toBeLessThanOrEqual(answered + failed + cut + left);
      expect(total(plane, 'weir_downstream_connections')).toBe(0);
    },
    30_000,
  );
});

/** The sum over all series of a gauge or a counter. */
function total(plane: DataPlane, name: string): number {
  const family = plane.runtime.dump().find((one) => one.name === name);
  return (family?.series ?? []).reduce((sum, { values }) => sum + values[0]!, 0);
}
