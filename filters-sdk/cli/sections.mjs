// Custom sections of a WebAssembly module: what tools write into it beside its code.

const HEADER = 8;
const CUSTOM = 0;

/**
 * What the custom sections of a name hold, in their order; almost always one or none.
 *
 * @param {Uint8Array} bytes a module
 * @param {string} name
 * @returns {Uint8Array[]} views into the module
 * @throws {Error} where the module is cut off
 */
export function readSections(bytes, name) {
  return [...sections(bytes)].filter((section) => section.name === name).map(({ content }) => content);
}

/**
 * The module with one custom section of this name, at its end, in place of those that it had.
 *
 * @param {Uint8Array} bytes a module
 * @param {string} name
 * @param {Uint8Array | string} content text is written as UTF-8
 * @returns {Uint8Array}
 */
export function withSection(bytes, name, content) {
  const encodedName = Buffer.from(name);
  const body = [unsigned(encodedName.length), encodedName, Buffer.from(content)];
  const size = body.reduce((sum, part) => sum + part.length, 0);
  return joined([withoutSections(bytes, name), Uint8Array.of(CUSTOM), unsigned(size), ...body]);
}

/**
 * The module without its custom sections of this name.
 *
 * @param {Uint8Array} bytes a module
 * @param {string} name
 * @returns {Uint8Array}
 */
export function withoutSections(bytes, name) {
  const kept = [bytes.subarray(0, HEADER)];
  for (const section of sections(bytes)) {
    if (section.name !== name) kept.push(bytes.subarray(section.start, section.end));
  }
  return joined(kept);
}

/**
 * Every section in its order. `name` is null and `content` empty where it is not a custom one.
 *
 * @param {Uint8Array} bytes
 * @returns {Generator<{ id: number, start: number, end: number, name: string | null, content: Uint8Array }>}
 */
export function* sections(bytes) {
  for (let start = HEADER; start < bytes.length;) {
    const id = bytes[start];
    const size = leb(bytes, start + 1);
    const end = size.end + size.value;
    if (end > bytes.length) throw new Error(`the module is cut off: its section at ${start} ends at ${end}`);
    if (id !== CUSTOM) yield { id, start, end, name: null, content: new Uint8Array(0) };
    else {
      const length = leb(bytes, size.end);
      const nameEnd = length.end + length.value;
      if (nameEnd > end) throw new Error(`the name of the section at ${start} is longer than the section`);
      const name = Buffer.from(bytes.subarray(length.end, nameEnd)).toString();
      yield { id, start, end, name, content: bytes.subarray(nameEnd, end) };
    }
    start = end;
  }
}

function joined(parts) {
  return Uint8Array.from(Buffer.concat(parts));
}

/** A number as LEB128. */
export function unsigned(value) {
  const bytes = [];
  for (let rest = value; ; rest >>>= 7) {
    if (rest < 0x80) return Buffer.from([...bytes, rest]);
    bytes.push((rest & 0x7f) | 0x80);
  }
}

function leb(bytes, at) {
  let value = 0;
  for (let shift = 0; shift < 35; shift += 7) {
    const byte = bytes[at++];
    if (byte === undefined) break;
    value |= (byte & 0x7f) << shift;
    if (byte < 0x80) return { value: value >>> 0, end: at };
  }
  throw new Error('the module is cut off within a number');
}
