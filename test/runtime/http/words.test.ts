import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LOWER, VALUE } from '../../../src/runtime/http/grammar.ts';
import {
  copyLowerWords,
  copyWords,
  equalsLowerWords,
  equalsWords,
  isFieldValueWords,
} from '../../../src/runtime/http/words.ts';

const viewOf = (bytes: Uint8Array): DataView =>
  new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/** Mostly bytes on both sides of every bound that the functions know, at every offset. */
const edge = fc.constantFrom(
  0,
  8,
  9,
  10,
  13,
  31,
  32,
  33,
  64,
  65,
  90,
  91,
  95,
  96,
  97,
  122,
  126,
  127,
  128,
  193,
  218,
  255,
);
const bytes = fc
  .uint8Array({ maxLength: 40 })
  .chain((any) =>
    fc
      .array(fc.oneof(edge, fc.nat(255)), { maxLength: 40 })
      .map((list) => (any.length % 2 === 0 ? any : Uint8Array.from(list))),
  );
const placed = fc
  .record({ run: bytes, before: fc.nat(5), after: fc.nat(5) })
  .map(({ run, before, after }) => {
    const all = new Uint8Array(before + run.length + after).fill(0xee);
    all.set(run, before);
    return { run, view: viewOf(all), start: before };
  });

describe('bytes taken four at a time', () => {
  it('are copied as they are, and nothing beside them is touched', () => {
    fc.assert(
      fc.property(placed, fc.nat(6), ({ run, view, start }, at) => {
        const to = new Uint8Array(at + run.length + 3).fill(0x55);
        copyWords(view, start, viewOf(to), at, run.length);
        const wanted = new Uint8Array(to.length).fill(0x55);
        wanted.set(run, at);
        expect(to).toEqual(wanted);
      }),
    );
  });

  it('get letters in lower case as the table has them', () => {
    fc.assert(
      fc.property(placed, fc.nat(6), ({ run, view, start }, at) => {
        const to = new Uint8Array(at + run.length + 3).fill(0x55);
        copyLowerWords(view, start, viewOf(to), at, run.length);
        const wanted = new Uint8Array(to.length).fill(0x55);
        wanted.set(
          run.map((byte) => LOWER[byte]!),
          at,
        );
        expect(to).toEqual(wanted);
      }),
      { numRuns: 500 },
    );
  });

  it('are a field value where every byte is', () => {
    fc.assert(
      fc.property(placed, ({ run, view, start }) => {
        expect(isFieldValueWords(view, start, run.length)).toBe(run.every((byte) => VALUE[byte] === 1));
      }),
      { numRuns: 1000 },
    );
  });

  it('tell every single byte in every place of a word', () => {
    for (let byte = 0; byte < 256; byte++) {
      for (let place = 0; place < 8; place++) {
        const run = new Uint8Array(8).fill(0x61);
        run[place] = byte;
        expect(isFieldValueWords(viewOf(run), 0, 8), `byte ${byte}`).toBe(VALUE[byte] === 1);
        const lower = new Uint8Array(8);
        copyLowerWords(viewOf(run), 0, viewOf(lower), 0, 8);
        expect(lower[place], `byte ${byte}`).toBe(LOWER[byte]);
      }
    }
  });

  it('are equal where the bytes are, in any case of the first run where that is asked', () => {
    fc.assert(
      fc.property(
        placed,
        fc.option(fc.record({ at: fc.nat(39), byte: edge })),
        ({ run, view, start }, change) => {
          const other = run.map((byte) => LOWER[byte]!);
          if (change !== null && change.at < other.length) other[change.at] = LOWER[change.byte]!;
          const lower = run.every((byte, i) => LOWER[byte] === other[i]);
          expect(equalsLowerWords(view, start, viewOf(other), 0, run.length)).toBe(lower);
          expect(equalsWords(view, start, viewOf(other), 0, run.length)).toBe(
            run.every((byte, i) => byte === other[i]),
          );
        },
      ),
      { numRuns: 1000 },
    );
  });
});
