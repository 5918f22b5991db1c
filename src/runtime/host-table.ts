import { ByteTable, hashBackwards, HASH_START, hashStep } from './byte-table.ts';

const DOT = 0x2e;
const COLON = 0x3a;

/**
 * Finds the most specific of a list of hostnames: an exact one, else the wildcard with the longest
 * suffix, else the one for any host. `*.example.com` covers one or more labels in front.
 */
export class HostTable {
  readonly #exact: ByteTable;
  readonly #exactIndex: readonly number[];
  /** Keys begin with the dot: `.example.com`. */
  readonly #suffix: ByteTable;
  readonly #suffixIndex: readonly number[];
  readonly #any: number;

  /** @param hostnames lower-case; where one is there twice, the first counts */
  constructor(hostnames: readonly string[]) {
    const exact = new Map<string, number>();
    const suffix = new Map<string, number>();
    let any = -1;
    for (const [i, hostname] of hostnames.entries()) {
      if (hostname === '' || hostname === '*') any = any === -1 ? i : any;
      else if (hostname.startsWith('*.')) putFirst(suffix, hostname.slice(1), i);
      else putFirst(exact, hostname, i);
    }
    this.#exact = new ByteTable(encode(exact), hashBackwards);
    this.#exactIndex = [...exact.values()];
    this.#suffix = new ByteTable(encode(suffix), hashBackwards);
    this.#suffixIndex = [...suffix.values()];
    this.#any = any;
  }

  /** @returns index into the list, or -1 where none covers the host `bytes[start … end)` */
  find(bytes: Uint8Array, start: number, end: number): number {
    const suffixes = this.#suffix.size > 0;
    if (!suffixes && this.#exact.size === 0) return this.#any;
    let hash = HASH_START;
    let wildcard = -1;
    // From the end, so that one walk has the hash of every suffix. Later ones are longer.
    for (let i = end - 1; i >= start; i--) {
      const byte = bytes[i]!;
      hash = hashStep(hash, byte);
      if (byte !== DOT || !suffixes || i === start) continue;
      const found = this.#suffix.find(hash, bytes, i, end);
      if (found !== -1) wildcard = this.#suffixIndex[found]!;
    }
    const exact = this.#exact.find(hash, bytes, start, end);
    if (exact !== -1) return this.#exactIndex[exact]!;
    return wildcard !== -1 ? wildcard : this.#any;
  }
}

/** End of the host in an authority: in front of `:port`, where there is one. */
export function hostEnd(bytes: Uint8Array, start: number, end: number): number {
  let i = end - 1;
  while (i > start && bytes[i]! >= 0x30 && bytes[i]! <= 0x39) i--;
  return i > start && bytes[i] === COLON ? i : end;
}

function putFirst(map: Map<string, number>, key: string, value: number): void {
  if (!map.has(key)) map.set(key, value);
}

function encode(map: ReadonlyMap<string, number>): readonly Buffer[] {
  return [...map.keys()].map((key) => Buffer.from(key, 'latin1'));
}
