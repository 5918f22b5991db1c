import { PROPERTY_VALUE_BYTES } from './limits.ts';
import { writeU32 } from './pairs.ts';
import type { AttributeValue } from './stream-host.ts';

/**
 * Encodes an attribute as Envoy does: text and bytes as they are, numbers, times and durations as eight
 * bytes little-endian, a boolean as one, a map in the pairs layout.
 *
 * @returns the bytes; they may be a buffer that the next call overwrites
 */
export function encodeAttribute(attribute: AttributeValue): Uint8Array {
  switch (attribute.type) {
    case 'string':
      return encodeText(attribute.value);
    case 'bytes':
      return attribute.value;
    case 'bool':
      return attribute.value ? TRUE : FALSE;
    case 'double':
      EIGHT.writeDoubleLE(attribute.value);
      return EIGHT;
    case 'map':
      return encodeMap(attribute.value);
    default:
      EIGHT.writeBigInt64LE(BigInt.asIntN(64, attribute.value));
      return EIGHT;
  }
}

const TRUE = Uint8Array.of(1);
const FALSE = Uint8Array.of(0);
const EIGHT = Buffer.alloc(8);
const TEXT = Buffer.alloc(PROPERTY_VALUE_BYTES);

function encodeText(text: string): Uint8Array {
  // Three bytes a UTF-16 unit are the most that UTF-8 needs.
  if (3 * text.length > TEXT.length) return Buffer.from(text);
  return TEXT.subarray(0, TEXT.write(text));
}

function encodeMap(entries: ReadonlyArray<readonly [name: string, value: Uint8Array]>): Uint8Array {
  const names = entries.map(([name]) => Buffer.from(name));
  let size = 4;
  for (const [i, [, value]] of entries.entries()) size += 10 + names[i]!.length + value.length;
  const out = Buffer.alloc(size);
  writeU32(out, 0, entries.length);
  let sizes = 4;
  let text = 4 + 8 * entries.length;
  for (const [i, [, value]] of entries.entries()) {
    const name = names[i]!;
    writeU32(out, sizes, name.length);
    writeU32(out, sizes + 4, value.length);
    sizes += 8;
    out.set(name, text);
    out.set(value, text + name.length + 1);
    text += name.length + value.length + 2;
  }
  return out;
}

/** `envoy.config.core.v3.Node` with its first two fields: what `node` alone is. */
export function encodeNode(id: string, cluster: string): Uint8Array {
  return Buffer.concat([protobufString(1, id), protobufString(2, cluster)]);
}

function protobufString(field: number, text: string): Buffer {
  const bytes = Buffer.from(text);
  if (bytes.length === 0) return bytes;
  const head = [(field << 3) | 2];
  let size = bytes.length;
  for (; size > 0x7f; size >>>= 7) head.push((size & 0x7f) | 0x80);
  head.push(size);
  return Buffer.concat([Uint8Array.from(head), bytes]);
}
