import type { SourcePlace } from './place.ts';

/** Beyond this a map is not read: it would hold the thread up for longer than its line is worth. */
const MAX_CHARACTERS = 2 * 1024 * 1024;
const BASE64 = new Int8Array(128).fill(-1);
for (const [i, letter] of [...'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'].entries())
  BASE64[letter.charCodeAt(0)] = i;

/**
 * A source map (ECMA-426) of a WebAssembly module: one generated line, whose columns are offsets into
 * the module's bytes.
 */
export class SourceMap {
  readonly #sources: readonly string[];
  /** Ascending. */
  readonly #offsets: Int32Array;
  /** Source, line, column of each offset; a source of -1 where the bytes come from nowhere. */
  readonly #places: Int32Array;

  private constructor(sources: readonly string[], offsets: Int32Array, places: Int32Array) {
    this.#sources = sources;
    this.#offsets = offsets;
    this.#places = places;
  }

  /** Null where the text is no map that can be read. */
  static parse(text: string): SourceMap | null {
    if (text.length > MAX_CHARACTERS) return null;
    let map: { sources?: unknown; mappings?: unknown };
    try {
      map = JSON.parse(text) as typeof map;
    } catch {
      return null;
    }
    if (typeof map !== 'object' || map === null) return null;
    const { sources, mappings } = map;
    if (!Array.isArray(sources) || typeof mappings !== 'string') return null;
    const segments = decodeMappings(mappings);
    if (segments === null) return null;
    return new SourceMap(sources.map(String), ...segments);
  }

  find(offset: number): SourcePlace | null {
    const offsets = this.#offsets;
    let low = 0;
    let high = offsets.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (offsets[middle]! <= offset) low = middle + 1;
      else high = middle;
    }
    if (low === 0) return null;
    const at = 3 * (low - 1);
    const file = this.#sources[this.#places[at]!];
    if (file === undefined) return null;
    return { file, line: this.#places[at + 1]! + 1, column: this.#places[at + 2]! + 1 };
  }
}

/**
 * Offsets, ascending, and their places (source, line, column, from 0; a source of -1: from nowhere) of the first line;
 * null where the text breaks the form.
 */
export function decodeMappings(mappings: string): [offsets: Int32Array, places: Int32Array] | null {
  const end = mappings.includes(';') ? mappings.indexOf(';') : mappings.length;
  const offsets: number[] = [];
  const places: number[] = [];
  const state = [0, 0, 0, 0, 0];
  let field = 0;
  let value = 0;
  let shift = 0;
  for (let i = 0; i <= end; i++) {
    const code = i === end ? COMMA : mappings.charCodeAt(i);
    if (code === COMMA) {
      if (shift !== 0) return null;
      if (field === 1 || field >= 4) {
        offsets.push(state[0]!);
        places.push(field === 1 ? -1 : state[1]!, state[2]!, state[3]!);
      } else if (field !== 0) return null;
      field = 0;
      continue;
    }
    const digit = code < 128 ? BASE64[code]! : -1;
    if (digit < 0 || field > 4 || shift > 30) return null;
    value += (digit & 31) * 2 ** shift;
    shift += 5;
    if ((digit & 32) !== 0) continue;
    state[field]! += value % 2 === 1 ? -Math.floor(value / 2) : value / 2;
    field++;
    value = 0;
    shift = 0;
  }
  for (let i = 1; i < offsets.length; i++) if (offsets[i]! < offsets[i - 1]!) return null;
  return [Int32Array.from(offsets), Int32Array.from(places)];
}

const COMMA = 0x2c;
