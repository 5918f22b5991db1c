import { readShape } from '../binary.ts';
import { milliseconds } from './clock.ts';
import { rewriteNow } from './rewrite.ts';

/** Units a millisecond where nothing was measured, and the bounds of what is believed. */
const LEAST = 200_000;
const MOST = 20_000_000;
/** The measurement takes about three times this. */
const ROUND_MS = 0.7;

/**
 * A loop that mixes loads, stores, multiplication and branches over 64 KiB:
 *
 *     (memory (export "memory") 1)
 *     (func (export "run") (param $n i32) (result i32) (local $x i32)
 *       (loop $l
 *         (local.set $x (i32.add (i32.mul (local.get $x) (i32.const 1664525)) (i32.const 1013904223)))
 *         (i32.store16 (i32.shr_u (local.get $x) (i32.const 17))
 *           (i32.add (i32.load16_u (i32.shr_u (local.get $x) (i32.const 17))) (local.get $x)))
 *         (br_if $l (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
 *       (local.get $x))
 */
const KERNEL = Uint8Array.of(
  ...[0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00],
  ...[1, 6, 1, 0x60, 1, 0x7f, 1, 0x7f],
  ...[3, 2, 1, 0],
  ...[5, 3, 1, 0, 1],
  ...[7, 7, 1, 3, 0x72, 0x75, 0x6e, 0, 0],
  ...[10, 56, 1, 54, 1, 1, 0x7f, 0x03, 0x40],
  ...[0x20, 1, 0x41, 0x8d, 0xcc, 0xe5, 0x00, 0x6c, 0x41, 0xdf, 0xe6, 0xbb, 0xe3, 0x03, 0x6a, 0x21, 1],
  ...[0x20, 1, 0x41, 17, 0x76, 0x20, 1, 0x41, 17, 0x76, 0x2f, 1, 0, 0x20, 1, 0x6a, 0x3b, 1, 0],
  ...[0x20, 0, 0x41, 1, 0x6b, 0x22, 0, 0x0d, 0, 0x0b, 0x20, 1, 0x0b],
);

/**
 * How many units of fuel this machine works off in a millisecond, with code that the engine has optimised.
 * Takes about 2 ms. It sets the length of a slice and turns fuel into time for what is shorter than a
 * slice; what is longer is held to the clock.
 */
export function measureSpeed(): number {
  const shape = readShape(KERNEL);
  const { bytes, prefix } = rewriteNow(KERNEL, shape, { memoryBytes: 65_536 });
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(bytes));
  const run = exports.run as (turns: number) => number;
  const reset = exports[`${prefix}reset`] as (units: number, frames: number) => void;
  const left = exports[`${prefix}left`] as () => number;
  const fuel = 2_000_000_000;
  let best = 0;
  for (let round = 0; round < 3; round++) {
    const end = milliseconds() + ROUND_MS;
    for (let now = milliseconds(); now < end;) {
      reset(fuel, 1);
      run(4000);
      const then = milliseconds();
      best = Math.max(best, (fuel - left()) / (then - now));
      now = then;
    }
  }
  return Math.min(Math.max(best, LEAST), MOST);
}

let speed = 0;

/** `measureSpeed`, once a thread. Units a millisecond. */
export function fuelSpeed(): number {
  if (speed === 0) speed = measureSpeed();
  return speed;
}
