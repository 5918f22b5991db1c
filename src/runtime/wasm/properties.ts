import type { PluginSpec } from '../snapshot.ts';
import { PROPERTY_VALUE_BYTES } from './limits.ts';
import { writeU32 } from './pairs.ts';
import { hostPort } from './host-port.ts';
import type { AttributeFields, AttributeValue } from './stream-host.ts';

/** `envoy`: numbers in binary. `text`: everything as text, as ngx_wasm_module gives it. */
export type PropertyEncoding = PluginSpec['properties'];

/**
 * Encodes an attribute as Envoy does: text and bytes as they are, numbers, times and durations as eight
 * bytes little-endian, a boolean as one, a map in the pairs layout, a list as a map of its elements to
 * nothing, a message in protobuf.
 *
 * As text: numbers in decimal, times and durations in seconds with milliseconds, booleans `true` and
 * `false`, addresses without their port.
 *
 * @returns the bytes, which may be a buffer that the next call overwrites; null where it has none
 */
export function encodeAttribute(attribute: AttributeValue, encoding: PropertyEncoding): Uint8Array | null {
  switch (attribute.type) {
    case 'string':
      return typeof attribute.value === 'string' ? encodeText(attribute.value) : attribute.value;
    case 'bytes':
      return attribute.value;
    case 'address':
      return encodeText(encoding === 'text' ? attribute.host : hostPort(attribute.host, attribute.port));
    case 'map':
      return encodePairs(attribute.value, encoding);
    case 'list':
      return encodePairs(
        attribute.value.map((value) => [value, EMPTY]),
        encoding,
      );
    case 'message':
      return attribute.encode();
    case 'group':
      return null;
    default:
      return encoding === 'text' ? encodeText(scalarText(attribute)) : encodeScalar(attribute);
  }
}

type Scalar = Extract<AttributeValue, { type: 'int' | 'uint' | 'time' | 'duration' | 'double' | 'bool' }>;

const TRUE = Uint8Array.of(1);
const FALSE = Uint8Array.of(0);
const EIGHT = Buffer.alloc(8);
const TEXT = Buffer.alloc(PROPERTY_VALUE_BYTES);
const NOTHING = new Uint8Array(0);
const EMPTY: AttributeValue = { type: 'string', value: '' };

function encodeScalar(attribute: Scalar): Uint8Array {
  if (attribute.type === 'bool') return attribute.value ? TRUE : FALSE;
  if (attribute.type === 'double') EIGHT.writeDoubleLE(attribute.value);
  else EIGHT.writeBigInt64LE(BigInt.asIntN(64, attribute.value));
  return EIGHT;
}

/** What `encodeAttribute` makes of a number or a boolean as text. */
function scalarText(attribute: Scalar): string {
  if (attribute.type !== 'time' && attribute.type !== 'duration') return String(attribute.value);
  const ms = attribute.value / 1_000_000n;
  return `${ms / 1000n}.${String(ms % 1000n).padStart(3, '0')}`;
}

function encodeText(text: string): Uint8Array {
  // Three bytes a UTF-16 unit are the most that UTF-8 needs.
  if (3 * text.length > TEXT.length) return Buffer.from(text);
  return TEXT.subarray(0, TEXT.write(text));
}

function encodePairs(
  entries: ReadonlyArray<readonly [key: string | AttributeValue, value: AttributeValue]>,
  encoding: PropertyEncoding,
): Uint8Array {
  // Each part is copied, since a scratch buffer holds one at a time.
  const part = (value: AttributeValue): Buffer => Buffer.from(encodeAttribute(value, encoding) ?? NOTHING);
  const parts = entries.map(([key, value]) => [
    typeof key === 'string' ? Buffer.from(key) : part(key),
    part(value),
  ]);
  let size = 4;
  for (const [key, value] of parts) size += 10 + key!.length + value!.length;
  const out = Buffer.alloc(size);
  writeU32(out, 0, parts.length);
  let sizes = 4;
  let text = 4 + 8 * parts.length;
  for (const [key, value] of parts) {
    writeU32(out, sizes, key!.length);
    writeU32(out, sizes + 4, value!.length);
    sizes += 8;
    out.set(key!, text);
    out.set(value!, text + key!.length + 1);
    text += key!.length + value!.length + 2;
  }
  return out;
}

/**
 * Follows the rest of a path into a value: fields by name, elements of a list by decimal index.
 *
 * @returns undefined where it leads nowhere
 */
export function walk(
  attribute: AttributeValue | undefined,
  path: readonly string[],
): AttributeValue | undefined {
  let value = attribute;
  for (const segment of path) {
    if (value === undefined) return undefined;
    if (value.type === 'map' || value.type === 'message') value = field(value.value, segment);
    else if (value.type === 'list')
      value = /^\d{1,9}$/.test(segment) ? value.value[Number(segment)] : undefined;
    else return undefined;
  }
  return value;
}

function field(fields: AttributeFields, name: string): AttributeValue | undefined {
  return fields.find(([key]) => key === name)?.[1];
}
