/**
 * Random connections with faults on both sides, from a seed. What one end sent arrives at the other in
 * order or not at all, a part is never passed off as the whole, and in the end every count is back where
 * it was.
 *
 * WEIR_SEED=n,m runs these seeds; a seed that fails is part of its test's name.
 */
import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { beforeAll, describe, expect, test } from 'vitest';
import { makeCertificate } from '../../support/certificate.ts';
import { DataPlane, type Part } from '../../support/data-plane.ts';
import { Dice } from '../../support/dice.ts';
import { scriptedTcpGuest } from '../../support/scripted-tcp-guest.ts';
import { dial, TcpServer, type TcpEnd } from '../../support/tcp.ts';

const CLIENTS = 12;
const CONNECTIONS = 10;
const ID_BYTES = 8;

let code: Uint8Array;

beforeAll(async () => {
  code = await scriptedTcpGuest();
});

/** What one side sends and how it stops. */
interface Side {
  readonly size: number;
  /** Bytes of it after which it resets the connection; -1: it ends it. */
  readonly resetAt: number;
  /** It reads nothing for this long. */
  readonly sleepsMs: number;
}

interface Plan {
  readonly client: Side;
  readonly server: Side;
  /** The server sends only when the client has ended. */
  readonly answers: boolean;
}

function sideOf(dice: Dice): Side {
  const size = ID_BYTES + dice.pick([0, 1, dice.below(2000), dice.below(70_000), dice.below(600_000)]);
  return {
    size,
    resetAt: dice.chance(0.15) ? ID_BYTES + dice.below(size - ID_BYTES + 1) : -1,
    sleepsMs: dice.chance(0.2) ? dice.below(60) : 0,
  };
}

/** Bytes that tell connection, side and place. */
function pattern(id: string, side: string, size: number): Buffer {
  const bytes = Buffer.alloc(size, `${id}${side}`);
  for (let at = 1024; at + 8 < size; at += 1024) bytes.writeUInt32LE(at, at);
  bytes.write(id, 0, 'latin1');
  return bytes;
}

async function play(end: TcpEnd, side: Side, bytes: Buffer, dice: Dice): Promise<void> {
  if (side.sleepsMs > 0) {
    end.pause();
    await sleep(side.sleepsMs);
    end.resume();
  }
  const stop = side.resetAt < 0 ? bytes.length : side.resetAt;
  for (let at = 0; at < stop && !end.closed;) {
    const piece = Math.min(stop - at, 1 + dice.pick([10, 1000, 100_000])!);
    const flowing = end.socket.write(bytes.subarray(at, at + piece));
    at += piece;
    if (!flowing || dice.chance(0.2)) await sleep(dice.below(4));
  }
  if (end.closed) return;
  if (side.resetAt < 0) end.end();
  else end.reset();
}

/** What arrived at one end, against what the other end sent. */
function check(id: string, end: TcpEnd, sent: Buffer, sender: Side, whole: boolean): void {
  const got = end.bytes;
  expect(got.equals(sent.subarray(0, got.length)), `${id}: bytes in their order`).toBe(true);
  if (sender.resetAt >= 0) expect(end.ended, `${id}: a part is not the whole`).not.toBe('end');
  if (end.ended === 'end') expect(got.length, `${id}: an end means all of it`).toBe(sent.length);
  if (whole) expect([end.ended, got.length], id).toEqual(['end', sent.length]);
}

const chains: Record<string, readonly string[]> = {
  'without filters': [],
  'with filters that gather and wait': [
    'new later 2;down gather 3000',
    'up later 3;down count seen',
    'down later 2;up gather 50000',
  ],
};

function partOf(chain: readonly string[], tls: boolean, upstream: TcpServer, ca: string): Part {
  const certificate = front;
  const digest = createHash('sha256').update(code).digest('hex');
  return {
    protocol: tls ? 'tls' : 'tcp',
    listeners: tls
      ? [{ certificates: [{ chainPem: certificate.certificatePem, keyPem: certificate.keyPem, names: [] }] }]
      : [{}],
    tcpRules: [{ chain: chain.length === 0 ? 0 : 1 }],
    chains: [[], chain.map((_, i) => i)],
    modules: [{ name: 'test/scripted', digest, source: 'test.yaml:1:1', memoryBytes: 16 * 1024 * 1024 }],
    plugins: chain.map((configuration, i) => ({
      name: `f${i}`,
      configuration,
      bodyBufferBytes: 64 * 1024,
    })),
    clusters: [
      {
        ports: [upstream.port],
        ...(tls ? { tls: { serverName: 'localhost', caPem: ca, verify: true } } : {}),
      },
    ],
  };
}

const front = makeCertificate({ names: ['localhost'] });

async function storm(seed: number, chain: readonly string[], tls: boolean): Promise<void> {
  const dice = new Dice(seed);
  const plans = new Map<string, Plan>();
  const servers = new Map<string, TcpEnd>();
  const serving: Promise<void>[] = [];
  const serve = async (end: TcpEnd): Promise<void> => {
    await end.until(() => end.length >= ID_BYTES || end.ended !== 'open' || end.closed);
    const id = end.bytes.toString('latin1', 0, ID_BYTES);
    const plan = plans.get(id);
    if (plan === undefined) return void end.socket.destroy();
    servers.set(id, end);
    if (plan.answers) await end.over();
    await play(end, plan.server, pattern(id, 'S', plan.server.size), new Dice(seed + Number(`0x${id}`)));
  };
  const upstream = await TcpServer.start(
    (end) => void serving.push(serve(end)),
    tls ? { cert: front.certificatePem, key: front.keyPem } : undefined,
  );
  const digest = createHash('sha256').update(code).digest('hex');
  const plane = await DataPlane.start(
    partOf(chain, tls, upstream, front.certificatePem),
    new Map([[digest, code]]),
  );
  let next = 0;
  const oneClient = async (): Promise<void> => {
    for (let i = 0; i < CONNECTIONS; i++) {
      const id = (++next).toString(16).padStart(ID_BYTES, '0');
      // TLS has no reset: what is cut looks like an end to the socket's events, so faults are left to plain TCP.
      const plain = (side: Side): Side => (tls ? { ...side, resetAt: -1 } : side);
      const plan: Plan = {
        client: plain(sideOf(dice)),
        server: plain(sideOf(dice)),
        answers: dice.chance(0.3),
      };
      plans.set(id, plan);
      const client = await dial(
        plane.port,
        tls ? { servername: 'localhost', ca: front.certificatePem } : undefined,
      );
      const sent = pattern(id, 'C', plan.client.size);
      await play(client, plan.client, sent, new Dice(seed * 31 + next));
      await client.until(() => client.closed || client.ended !== 'open');
      const server = servers.get(id);
      const whole = plan.client.resetAt < 0 && plan.server.resetAt < 0;
      if (whole || server !== undefined)
        await server!.until(() => server!.ended !== 'open' || server!.closed);
      check(id, client, pattern(id, 'S', plan.server.size), plan.server, whole);
      if (server !== undefined) check(id, server, sent, plan.client, whole);
    }
  };
  await Promise.all(Array.from({ length: CLIENTS }, oneClient));
  await Promise.all(serving);
  await settled(plane);
}

/** Nothing is left of what was counted in, and all that was opened was closed. */
async function settled(plane: DataPlane): Promise<void> {
  const sum = (name: string): number =>
    (plane.runtime.dump().find((family) => family.name === name)?.series ?? []).reduce(
      (total, { values }) => total + values[0]!,
      0,
    );
  const left = (): number[] => {
    const { connections, clusters } = plane.runtime.status();
    const active = clusters.flatMap(({ endpoints }) => endpoints.map((endpoint) => endpoint.active));
    return [connections, clusters[0]!.requests, sum('weir_upstream_connections'), ...active];
  };
  for (let i = 0; i < 500 && left().some((count) => count !== 0); i++) await sleep(10);
  expect(left()).toEqual([0, 0, 0, 0]);
  // One that the client has reset before it was accepted is refused.
  const refused = sum('weir_downstream_connections_refused_total');
  expect(refused + sum('istio_tcp_connections_closed_total')).toBe(CLIENTS * CONNECTIONS);
  expect(refused + sum('istio_tcp_connections_opened_total')).toBe(CLIENTS * CONNECTIONS);
  expect(refused).toBeLessThan(CLIENTS * CONNECTIONS * 0.2);
  expect(sum('weir_filter_traps_total')).toBe(0);
}

const seeds = (process.env['WEIR_SEED'] ?? '1,2').split(',').map(Number);

describe.each(Object.entries(chains))('random connections %s', (_name, chain) => {
  test.each(seeds)('seed %i', (seed) => storm(seed, chain, false), 60_000);

  test.each(seeds.slice(0, 1))('over TLS on both sides, seed %i', (seed) => storm(seed, chain, true), 60_000);
});
