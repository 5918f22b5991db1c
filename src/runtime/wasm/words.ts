/**
 * Copies a short run of bytes, four at a time: a quarter of what a loop over bytes costs, and for up to
 * 192 bytes less than `set(subarray())`, which makes an object. Runs must not overlap.
 */
export function copyWords(from: DataView, start: number, to: DataView, at: number, size: number): void {
  const whole = size & ~3;
  let i = 0;
  for (; i < whole; i += 4) to.setInt32(at + i, from.getInt32(start + i, true), true);
  for (; i < size; i++) to.setUint8(at + i, from.getUint8(start + i));
}
