/**
 * Maps places in the code of a rewritten module to places in the original: those that stacks of traps name
 * to those that source maps and DWARF know.
 *
 * @param trace as `rewrite` leaves it: pairs of offsets, in the original and in the rewritten module
 * @param length of the rewritten module
 * @returns offset in the rewritten module → offset in the original. What was put in belongs to the
 *   instruction behind it; places that are not code of the module's own have -1
 */
export function originalOffsets(trace: readonly number[], length: number): (at: number) => number {
  return (at) => {
    if (trace.length === 0 || at < trace[1]! || at >= length) return -1;
    let low = 0;
    let high = trace.length / 2 - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (trace[2 * middle + 1]! <= at) low = middle;
      else high = middle - 1;
    }
    const place = trace[2 * low]! + at - trace[2 * low + 1]!;
    return low * 2 + 2 < trace.length ? Math.min(place, trace[2 * low + 2]!) : place;
  };
}
