import { decodeMappings } from './source-map.ts';

const BASE64 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
const SECTION = 'sourceMappingURL';

/**
 * A rewritten module with its source map in it, for a debugger: the map of the original, whose offsets are moved to
 * where the rewriting put the instructions.
 *
 * @param map JSON of the map that belongs to the original
 * @param trace pairs of offsets as `rewrite` leaves them, in the original and in the result
 * @returns the module as it is where the map cannot be read
 */
export function withDebugMap(module: Uint8Array, map: Uint8Array, trace: readonly number[]): Uint8Array {
  const moved = moveMap(Buffer.from(map).toString('utf8'), trace);
  if (moved === null) return module;
  const url = `data:application/json;base64,${Buffer.from(moved).toString('base64')}`;
  const content = Buffer.concat([named(SECTION), named(url)]);
  return Buffer.concat([withoutMap(module), Buffer.from([0]), unsigned(content.length), content]);
}

/** Null where the text is no map that can be read. */
function moveMap(text: string, trace: readonly number[]): string | null {
  let map: { mappings?: unknown };
  try {
    map = JSON.parse(text) as typeof map;
  } catch {
    return null;
  }
  const decoded = typeof map.mappings === 'string' ? decodeMappings(map.mappings) : null;
  if (decoded === null) return null;
  const [offsets, places] = decoded;
  const segments: string[] = [];
  const last = [0, 0, 0, 0];
  const put = (values: readonly number[]): void => {
    segments.push(values.map((value, i) => vlq(value - last[i]!)).join(''));
    for (const [i, value] of values.entries()) last[i] = value;
  };
  let run = 0;
  for (const [i, offset] of offsets.entries()) {
    while (run + 2 < trace.length && trace[run + 2]! <= offset) run += 2;
    // What lies before all code is nothing that runs.
    if (trace.length === 0 || offset < trace[0]!) continue;
    const column = trace[run + 1]! + offset - trace[run]!;
    const [source, line, start] = places.subarray(3 * i, 3 * i + 3) as unknown as [number, number, number];
    put(source < 0 ? [column] : [column, source, line, start]);
  }
  return JSON.stringify({ ...map, names: [], mappings: segments.join(',') });
}

/** Base64 VLQ (ECMA-426): five bits a digit, the sign in the lowest bit of the first. */
function vlq(value: number): string {
  let rest = value < 0 ? -2 * value + 1 : 2 * value;
  let text = '';
  do {
    const digit = rest & 31;
    rest = Math.floor(rest / 32);
    text += BASE64[digit + (rest > 0 ? 32 : 0)];
  } while (rest > 0);
  return text;
}

/** Without the section that names the original's map, of which the engine would take the first. */
function withoutMap(module: Uint8Array): Buffer {
  const kept: Uint8Array[] = [module.subarray(0, 8)];
  for (let at = 8; at < module.length;) {
    const size = readUnsigned(module, at + 1);
    const end = size.end + size.value;
    const name = module[at] === 0 ? readUnsigned(module, size.end) : null;
    const isMap =
      name !== null && Buffer.from(module.subarray(name.end, name.end + name.value)).toString() === SECTION;
    if (!isMap) kept.push(module.subarray(at, end));
    at = end;
  }
  return Buffer.concat(kept);
}

function named(text: string): Buffer {
  const bytes = Buffer.from(text);
  return Buffer.concat([unsigned(bytes.length), bytes]);
}

/** LEB128. */
function unsigned(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  for (; rest >= 0x80; rest >>>= 7) bytes.push((rest & 0x7f) | 0x80);
  return Buffer.from([...bytes, rest]);
}

function readUnsigned(bytes: Uint8Array, from: number): { value: number; end: number } {
  let value = 0;
  for (let at = from, shift = 0; ; shift += 7) {
    const byte = bytes[at++]!;
    value |= (byte & 0x7f) << shift;
    if (byte < 0x80) return { value: value >>> 0, end: at };
  }
}
