import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Interner, latin1 } from '../../../src/runtime/wasm/intern.ts';

const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.length);

test('the same bytes give the same value, other bytes never do', () => {
  const values = new Interner((bytes) => ({ text: latin1(bytes) }));
  const byText = new Map<string, { text: string }>();
  // Few different bytes, so that runs repeat and share slots.
  const runs = fc.array(fc.uint8Array({ max: 3, maxLength: 9 }), { maxLength: 50 });
  fc.assert(
    fc.property(runs, fc.nat(3), (all, before) => {
      for (const run of all) {
        const memory = new Uint8Array(before + run.length);
        memory.set(run, before);
        const value = values.at(viewOf(memory), before, run.length);
        expect(value.text).toBe(latin1(Buffer.from(run)));
        byText.set(value.text, value);
        // What the guest does with its memory afterwards changes nothing.
        memory.fill(0xff);
        expect(byText.get(value.text)!.text).toBe(value.text);
      }
    }),
  );
  const once = values.at(viewOf(Buffer.from('a name')), 0, 6);
  expect(values.at(viewOf(Buffer.from('..a name')), 2, 6)).toBe(once);
});

test('long bytes are made anew', () => {
  const values = new Interner((bytes) => ({ size: bytes.length }));
  const memory = viewOf(new Uint8Array(200));
  expect(values.at(memory, 0, 200)).not.toBe(values.at(memory, 0, 200));
  expect(values.at(memory, 0, 200).size).toBe(200);
});
