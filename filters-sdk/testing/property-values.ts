import type { AttributeValue } from '../../src/runtime/wasm/stream-host.ts';
import type { PropertyValue } from './testing.d.ts';

/** Attributes as a test gives them, by path with NUL between segments. */
export function attributesOf(
  properties: Readonly<Record<string, PropertyValue>> = {},
): Map<string, AttributeValue> {
  return new Map(
    Object.entries(properties).map(([path, value]) => [
      path.includes('\0') ? path : path.replaceAll('.', '\0'),
      attributeOf(value),
    ]),
  );
}

function attributeOf(value: PropertyValue): AttributeValue {
  if (typeof value === 'string') return { type: 'string', value };
  if (typeof value === 'boolean') return { type: 'bool', value };
  if (typeof value === 'number') return { type: 'double', value };
  if (value instanceof Uint8Array) return { type: 'bytes', value };
  return { type: 'int', value: BigInt(value.int) };
}
