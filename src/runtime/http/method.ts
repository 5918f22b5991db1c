/** Request methods that the runtime treats by name; all others are `Other` and are relayed as they are. */
export const MethodId = {
  Other: 0,
  Get: 1,
  Head: 2,
  Post: 3,
  Put: 4,
  Delete: 5,
  Connect: 6,
  Options: 7,
  Trace: 8,
  Patch: 9,
} as const;
export type MethodId = (typeof MethodId)[keyof typeof MethodId];

const NAMES: readonly (readonly [Buffer, MethodId])[] = (
  [
    ['GET', MethodId.Get],
    ['HEAD', MethodId.Head],
    ['POST', MethodId.Post],
    ['PUT', MethodId.Put],
    ['DELETE', MethodId.Delete],
    ['CONNECT', MethodId.Connect],
    ['OPTIONS', MethodId.Options],
    ['TRACE', MethodId.Trace],
    ['PATCH', MethodId.Patch],
  ] as const
).map(([name, id]) => [Buffer.from(name, 'latin1'), id]);

/** Methods are case-sensitive (RFC 9110, section 9.1): `get` is `Other`. */
export function methodId(bytes: Uint8Array, start: number, end: number): MethodId {
  const size = end - start;
  // Nearly every request is one of these two; the table is for the others.
  if (size === 3 && bytes[start] === 0x47 && bytes[start + 1] === 0x45 && bytes[start + 2] === 0x54) {
    return MethodId.Get;
  }
  for (let i = 1; i < NAMES.length; i++) {
    const entry = NAMES[i]!;
    const name = entry[0];
    if (name.length !== size || name[0] !== bytes[start]) continue;
    let k = 1;
    while (k < size && name[k] === bytes[start + k]) k++;
    if (k === size) return entry[1];
  }
  return MethodId.Other;
}

/** Safe to send twice (RFC 9110, section 9.2.2). */
export function isIdempotent(method: MethodId): boolean {
  return (
    method === MethodId.Get ||
    method === MethodId.Head ||
    method === MethodId.Put ||
    method === MethodId.Delete ||
    method === MethodId.Options ||
    method === MethodId.Trace
  );
}
