import { ByteTable, bytesEqual, hashForwards, HASH_START, hashStep } from './byte-table.ts';
import { type HeaderBlock, Pseudo } from './http/headers.ts';
import { LinearRegex } from './regex.ts';
import type { MatchSpec } from './snapshot.ts';
import { HeaderTest, QueryTest } from './value-match.ts';

const SLASH = 0x2f;
const QUESTION = 0x3f;

// Up to here trying one after the other is as fast as the tables.
const LINEAR = 8;

const PathKind = { Any: 0, Exact: 1, Prefix: 2, Regex: 3 } as const;

const NOTHING = Buffer.alloc(0);

/** One entry of a virtual host, with everything encoded. */
export class CompiledMatch {
  readonly rule: number;
  readonly kind: number;
  /** Exact path, or prefix without its last slash ("/" is the empty prefix); empty for the other kinds. */
  readonly path: Buffer;
  readonly regex: LinearRegex | null;
  readonly method: Buffer | null;
  readonly headers: readonly HeaderTest[];
  readonly query: readonly QueryTest[];

  constructor(spec: MatchSpec) {
    this.rule = spec.rule;
    this.kind = kindOf(spec);
    this.path = pathOf(spec);
    this.regex = spec.path?.type === 'regex' ? new LinearRegex(spec.path.value) : null;
    this.method = spec.method === null ? null : Buffer.from(spec.method, 'latin1');
    this.headers = spec.headers.map((match) => new HeaderTest(match));
    this.query = spec.query.map((match) => new QueryTest(match));
  }

  /** Whether the path holds. */
  takes(bytes: Uint8Array, start: number, end: number): boolean {
    const length = this.path.length;
    switch (this.kind) {
      case PathKind.Any:
        return true;
      case PathKind.Exact:
        return end - start === length && bytesEqual(this.path, bytes, start);
      case PathKind.Prefix:
        if (end - start < length) return false;
        // Whole segments: "/foo" takes "/foo" and "/foo/bar", not "/foobar".
        if (end - start > length ? bytes[start + length] !== SLASH : length === 0) return false;
        return bytesEqual(this.path, bytes, start);
      default:
        return this.regex!.matches(bytes, start, end);
    }
  }

  /** Whether everything but the path holds. */
  admits(block: HeaderBlock, queryStart: number, queryEnd: number): boolean {
    if (this.method !== null && !block.equalsValue(Pseudo.Method, this.method)) return false;
    const headers = this.headers;
    for (let i = 0; i < headers.length; i++) if (!headers[i]!.holds(block)) return false;
    const query = this.query;
    for (let i = 0; i < query.length; i++)
      if (!query[i]!.holds(block.bytes, queryStart, queryEnd)) return false;
    return true;
  }
}

/**
 * The matches of one hostname. The first that holds wins. With more than a few, paths are looked up
 * in tables: exact ones by the whole path, prefixes by each run of whole segments of it, and only
 * the matches found so are tried; among them the smallest index decides, which keeps the order.
 */
export class CompiledVirtualHost {
  readonly #matches: readonly CompiledMatch[];
  readonly #exact: PathIndex;
  readonly #prefix: PathIndex;
  /** Matches that no table narrows down: of any path, and regular expressions. */
  readonly #others: Uint32Array;
  readonly #longestPrefix: number;
  /** Entries of the prefix table found on the way through a path; as many as it has lengths. */
  readonly #hits: Int32Array;

  constructor(specs: readonly MatchSpec[]) {
    const matches = specs.map((spec) => new CompiledMatch(spec));
    const indexes = matches.map((_, i) => i);
    const prefixes = indexes.filter((i) => matches[i]!.kind === PathKind.Prefix);
    this.#matches = matches;
    this.#exact = new PathIndex(
      matches,
      indexes.filter((i) => matches[i]!.kind === PathKind.Exact),
    );
    this.#prefix = new PathIndex(matches, prefixes);
    this.#others = Uint32Array.from(
      indexes.filter((i) => matches[i]!.kind === PathKind.Any || matches[i]!.kind === PathKind.Regex),
    );
    this.#longestPrefix = Math.max(-1, ...prefixes.map((i) => matches[i]!.path.length));
    this.#hits = new Int32Array(new Set(prefixes.map((i) => matches[i]!.path.length)).size);
  }

  find(block: HeaderBlock): CompiledMatch | null {
    const start = block.spans[4 * Pseudo.Path + 2]!;
    const end = block.spans[4 * Pseudo.Path + 3]!;
    return this.#matches.length <= LINEAR ? this.#try(block, start, end) : this.#lookUp(block, start, end);
  }

  #try(block: HeaderBlock, start: number, end: number): CompiledMatch | null {
    const bytes = block.bytes;
    let pathEnd = start;
    while (pathEnd < end && bytes[pathEnd] !== QUESTION) pathEnd++;
    const matches = this.#matches;
    for (let i = 0; i < matches.length; i++) {
      const match = matches[i]!;
      if (match.takes(bytes, start, pathEnd) && match.admits(block, pathEnd + 1, end)) return match;
    }
    return null;
  }

  #lookUp(block: HeaderBlock, start: number, end: number): CompiledMatch | null {
    const bytes = block.bytes;
    const prefix = this.#prefix;
    const hits = this.#hits;
    const lastPrefixEnd = start + this.#longestPrefix;
    let found = 0;
    let hash = HASH_START;
    let at = start;
    for (; at < end; at++) {
      const byte = bytes[at]!;
      if (byte === QUESTION) break;
      if (byte === SLASH && at <= lastPrefixEnd) {
        const entry = prefix.table.find(hash, bytes, start, at);
        if (entry !== -1) hits[found++] = entry;
      }
      hash = hashStep(hash, byte);
    }
    // The empty prefix took the slash that begins the path, and takes nothing without one.
    if (at <= lastPrefixEnd && at > start) {
      const entry = prefix.table.find(hash, bytes, start, at);
      if (entry !== -1) hits[found++] = entry;
    }
    let best = this.#matches.length;
    const exact = this.#exact.table.find(hash, bytes, start, at);
    if (exact !== -1) best = this.#first(this.#exact.lists[exact]!, best, false, block, start, at, end);
    // Longest first: it is the likeliest to be the best, and spares the others their conditions.
    while (found > 0) best = this.#first(prefix.lists[hits[--found]!]!, best, false, block, start, at, end);
    best = this.#first(this.#others, best, true, block, start, at, end);
    return best < this.#matches.length ? this.#matches[best]! : null;
  }

  /** The first of `list` that holds and comes before `best`, else `best`. */
  #first(
    list: Uint32Array,
    best: number,
    withPath: boolean,
    block: HeaderBlock,
    start: number,
    pathEnd: number,
    end: number,
  ): number {
    for (let i = 0; i < list.length && list[i]! < best; i++) {
      const match = this.#matches[list[i]!]!;
      if (withPath && !match.takes(block.bytes, start, pathEnd)) continue;
      if (match.admits(block, pathEnd + 1, end)) return list[i]!;
    }
    return best;
  }
}

/** Matches by their path. */
class PathIndex {
  readonly table: ByteTable;
  /** By entry of the table: matches with that path, ascending. */
  readonly lists: readonly Uint32Array[];

  constructor(matches: readonly CompiledMatch[], indexes: readonly number[]) {
    const byPath = new Map<string, number[]>();
    for (const i of indexes) {
      const path = matches[i]!.path.toString('latin1');
      const list = byPath.get(path);
      if (list === undefined) byPath.set(path, [i]);
      else list.push(i);
    }
    this.table = new ByteTable(
      [...byPath.keys()].map((path) => Buffer.from(path, 'latin1')),
      hashForwards,
    );
    this.lists = [...byPath.values()].map((list) => Uint32Array.from(list));
  }
}

function kindOf(spec: MatchSpec): number {
  if (spec.path === null) return PathKind.Any;
  return { exact: PathKind.Exact, prefix: PathKind.Prefix, regex: PathKind.Regex }[spec.path.type];
}

function pathOf(spec: MatchSpec): Buffer {
  if (spec.path === null || spec.path.type === 'regex') return NOTHING;
  const { type, value } = spec.path;
  return Buffer.from(type === 'prefix' && value.endsWith('/') ? value.slice(0, -1) : value, 'utf8');
}
