import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { InboundGuard, OutboundGuard } from '../../../src/runtime/grpc/frame-guard.ts';
import { wire } from '../../support/grpc-server.ts';

const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');

/** The same bytes in pieces that end where `cuts` say. */
function pieces(bytes: Buffer, cuts: readonly number[]): Buffer[] {
  const ends = [...new Set(cuts.map((cut) => cut % (bytes.length + 1)))].sort((a, b) => a - b);
  return [0, ...ends].map((start, i) => bytes.subarray(start, ends[i] ?? bytes.length));
}

const walk = (guard: InboundGuard | OutboundGuard, parts: readonly Buffer[]): string | null =>
  parts.reduce<string | null>((fault, part) => fault ?? guard.walk(part), null);

const many = (count: number, frame: Buffer): Buffer =>
  Buffer.concat(Array.from({ length: count }, () => frame));

describe('what a server sends', () => {
  const usual = Buffer.concat([
    wire.settings(),
    wire.head(1, { 'content-type': 'application/grpc' }, 0),
    ...Array.from({ length: 8 }, () => wire.frame(9, 0, 1, Buffer.from([0x88]))),
    wire.data(1, Buffer.alloc(16_384)),
    wire.frame(8, 0, 0, Buffer.alloc(4)),
    wire.data(1, Buffer.alloc(0), 1),
    wire.goaway(1, 11),
  ]);

  test('passes where it keeps to the rules, however it is cut', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(20_000), { maxLength: 30 }), (cuts) => {
        expect(walk(new InboundGuard(() => 5000), pieces(usual, cuts))).toBeNull();
      }),
      { numRuns: 50 },
    );
  });

  test.each<[string, Buffer, Buffer]>([
    ['settings', many(10, wire.settings()), wire.settings()],
    ['pings', many(10, wire.frame(6, 0, 0, Buffer.alloc(8))), wire.frame(6, 0, 0, Buffer.alloc(8))],
    ['empty data', many(100, wire.data(1, Buffer.alloc(0))), wire.data(1, Buffer.alloc(0))],
    ['priorities', many(100, wire.frame(2, 0, 1, Buffer.alloc(5))), wire.frame(2, 0, 1, Buffer.alloc(5))],
    ['unknown frames', many(100, wire.frame(200, 0, 1)), wire.frame(200, 0, 1)],
    [
      'frames of one head',
      Buffer.concat([wire.head(1, {}, 0), many(8, wire.frame(9, 0, 1))]),
      wire.frame(9, 0, 1),
    ],
    ['bytes of a frame', wire.data(1, Buffer.alloc(16_384)), wire.data(1, Buffer.alloc(16_385))],
  ])('may have so many %s and no more', (_name, most, more) => {
    fc.assert(
      fc.property(fc.array(fc.nat(20_000), { maxLength: 10 }), (cuts) => {
        const guard = new InboundGuard(() => 5000);
        expect(walk(guard, pieces(most, cuts))).toBeNull();
        expect(guard.walk(more)).not.toBeNull();
      }),
      { numRuns: 20 },
    );
  });

  test('may have as many again in the next second', () => {
    let now = 5000;
    const guard = new InboundGuard(() => now);
    for (let i = 0; i < 5; i++) {
      expect(guard.walk(many(10, wire.settings()))).toBeNull();
      now += 1000;
    }
  });
});

describe('what nghttp2 sends', () => {
  test('tells of a broken rule by GOAWAY with an error, however it is cut', () => {
    const bytes = Buffer.concat([
      PREFACE,
      wire.settings(),
      wire.data(1, Buffer.alloc(100)),
      wire.goaway(0, 9),
    ]);
    fc.assert(
      fc.property(fc.array(fc.nat(200), { maxLength: 10 }), (cuts) => {
        expect(walk(new OutboundGuard(), pieces(bytes, cuts))).toBe('HTTP/2 error 9');
      }),
      { numRuns: 50 },
    );
  });

  test('and means no fault by one without', () => {
    expect(new OutboundGuard().walk(Buffer.concat([PREFACE, wire.goaway(7, 0)]))).toBeNull();
  });
});
