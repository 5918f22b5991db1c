import { expect } from 'vitest';
import { Metered } from './metered.ts';
import type { RandomModule } from './random-module.ts';

const CALLS = 60;

interface Side {
  readonly exports: Record<string, unknown>;
}

function globalOf(side: Side, index: number): { value: number } {
  return side.exports[`g${index}`] as { value: number };
}

/** Values for parameters, the same for the same number. */
function values(params: string, seed: number): unknown[] {
  return [...params].map((letter, i) => {
    const value = Math.imul(seed + i, 0x9e37_79b9) >> (seed % 3 === 0 ? 0 : 28);
    return letter === 'I' ? BigInt(value) : value;
  });
}

function outcome(side: Side, name: string, given: unknown[]): string {
  globalOf(side, 0).value = CALLS;
  try {
    return String((side.exports[name] as (...values: unknown[]) => unknown)(...given));
  } catch (error) {
    return `${(error as Error).name}: ${(error as Error).message}`;
  }
}

function state(side: Side): unknown[] {
  const memory = new Uint8Array((side.exports['memory'] as WebAssembly.Memory).buffer);
  return [
    memory.length,
    Buffer.from(memory).toString('base64').length,
    hash(memory),
    ...[0, 1, 2, 3].map((i) => globalOf(side, i).value),
  ];
}

function hash(bytes: Uint8Array): number {
  let sum = 0;
  for (const byte of bytes) sum = (Math.imul(sum, 31) + byte) | 0;
  return sum;
}

/** Runs each function some times on both sides. @returns outcomes, for a test that they are not all alike */
export function compare({ bytes, functions }: RandomModule, seed: number, slice: number): string[] {
  const plain = new WebAssembly.Instance(new WebAssembly.Module(bytes));
  const metered = new Metered(bytes, {}, { slice });
  const seen: string[] = [];
  for (const [i, { params }] of functions.entries()) {
    const given = values(params, seed + i);
    const before = globalOf(metered, 1).value;
    metered.reset();
    const expected = outcome(plain, `f${i}`, given);
    const found = outcome(metered, `f${i}`, given);
    expect(found).toBe(expected);
    expect(state(metered)).toEqual(state(plain));
    if (!found.includes('Error') && !found.includes('Exception')) {
      // Nothing passes the meter by: each turn of a loop and each call took a unit at least, but for a small
      // function without either that was called from outside.
      expect(metered.used).toBeGreaterThanOrEqual(globalOf(metered, 1).value - before - 1);
      expect(metered.entered).toBe(0);
    }
    seen.push(found);
  }
  return seen;
}
