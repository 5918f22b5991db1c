// Calls to a server that does anything, given up at any moment: each ends once, and nothing is left behind.
import { constants } from 'node:http2';
import { describe, expect, test } from 'vitest';
import { Random } from '../../../src/runtime/balance.ts';
import { GrpcStatus } from '../../../src/runtime/grpc/status.ts';
import { Heard, TestGrpcClient } from '../../support/grpc-client.ts';
import { frame, wire, wirePeer, type WirePeer } from '../../support/grpc-server.ts';

const HEAD = { 'content-type': 'application/grpc' };
const CODES = [
  constants.NGHTTP2_NO_ERROR,
  constants.NGHTTP2_PROTOCOL_ERROR,
  constants.NGHTTP2_INTERNAL_ERROR,
  constants.NGHTTP2_REFUSED_STREAM,
  constants.NGHTTP2_CANCEL,
  constants.NGHTTP2_ENHANCE_YOUR_CALM,
];

const ok = (stream: number): Buffer[] => [
  wire.head(stream, HEAD),
  wire.data(stream, frame('answer')),
  wire.trailers(stream, { 'grpc-status': '0' }),
];

type Mood = (stream: number, random: Random) => Buffer[];

/** What a server does with a call. */
const MOODS: readonly Mood[] = [
  ok,
  ok,
  ok,
  (stream) => [wire.head(stream, HEAD), wire.trailers(stream, { 'grpc-status': '9' })],
  (stream) => [wire.head(stream, { ...HEAD, 'grpc-status': '7' }, 5)],
  (stream) => [wire.head(stream, { 'content-type': 'text/html' })],
  (stream) => [wire.head(stream, HEAD), wire.data(stream, frame('a')), wire.data(stream, Buffer.alloc(0), 1)],
  (stream) => [wire.head(stream, HEAD), wire.data(stream, frame('abc').subarray(0, 6), 1)],
  (stream) => [wire.head(stream, HEAD), wire.data(stream, frame('z', 1))],
  (stream, random) => [wire.reset(stream, CODES[random.below(CODES.length)]!)],
  (stream, random) => [wire.head(stream, HEAD), wire.reset(stream, CODES[random.below(CODES.length)]!)],
  (stream) => [wire.goaway(stream, 0), ...ok(stream)],
  // Says nothing.
  () => [],
];

/** What it does with all calls of a connection; null: closes it. */
const FATAL: readonly (Mood | null)[] = [
  (stream, random) => [wire.goaway(random.below(stream + 1), CODES[random.below(CODES.length)]!)],
  (stream) => [wire.data(stream, frame('too early'))],
  (stream) => [wire.frame(3, 0, stream, Buffer.alloc(3))],
  null,
];

async function randomPeer(seed: number): Promise<WirePeer> {
  const random = new Random(seed);
  const peer: WirePeer = await wirePeer((send, stream, connection) => {
    const moods = random.below(20) === 0 ? FATAL : MOODS;
    const mood = moods[random.below(moods.length)]!;
    const reset = random.below(2) === 0;
    const act = (): void => {
      const socket = peer.sockets[connection]!;
      if (socket.destroyed) return;
      if (mood !== null) for (const part of mood(stream, random)) send(part);
      else if (reset) socket.resetAndDestroy();
      else socket.destroy();
    };
    if (random.below(2) === 0) act();
    else setTimeout(act, random.below(20));
  });
  return peer;
}

const wait = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

describe('whatever a server does', () => {
  const seen = new Set<number>();

  test.each([1, 2, 3, 4])('each call ends once, and all counts return (seed %i)', async (seed) => {
    const random = new Random(seed);
    const peers = [await randomPeer(seed), await randomPeer(seed + 100)];
    const client = new TestGrpcClient(
      peers.map(({ port }) => port),
      { idleTimeoutMs: 200, maxConnections: 8, maxRequests: 60 },
    );

    async function caller(): Promise<void> {
      for (let i = 0; i < 25; i++) {
        const stream = random.below(3) === 0;
        const heard: Heard = client.call('Any', { open: true, timeoutMs: 300, idleMs: stream ? 250 : 0 });
        const giveUp = random.below(6) === 0;
        for (let sent = random.below(4); sent > 0; sent--)
          heard.exchange.send(Buffer.alloc(random.below(40_000)));
        if (!stream) heard.exchange.end();
        if (giveUp) {
          await wait(random.below(15));
          const before = [...heard.events];
          heard.exchange.cancel();
          heard.exchange.cancel();
          await wait(random.below(5));
          expect(heard.events).toEqual(before);
          continue;
        }
        const status = await heard.closed;
        seen.add(status);
        expect(heard.exchange.send(Buffer.from('late'))).toBe(false);
        await wait(0);
        // In order, each of them where it belongs, and the end last.
        expect(heard.events.join()).toMatch(/^(initial,)?(message,)*(trailing,)?close$/);
      }
    }

    await Promise.all(Array.from({ length: 20 }, caller));
    expect(client.client.size).toBe(0);
    expect(client.cluster.activeRequests).toBe(0);
    expect(client.cluster.endpoints.map(({ active }) => active)).toEqual([0, 0]);
    await expect.poll(() => client.connections).toBe(0);
    expect(client.cluster.connections).toBe(0);
  });

  // Deadlines have tests of their own: whether one passes here depends on the machine.
  test('the seeds brought about what this is for', () => {
    const { Ok, Cancelled, Unknown, PermissionDenied, FailedPrecondition, Internal, Unavailable } =
      GrpcStatus;
    for (const status of [
      Ok,
      Cancelled,
      Unknown,
      PermissionDenied,
      FailedPrecondition,
      Internal,
      Unavailable,
    ])
      expect(seen).toContain(status);
  });
});
