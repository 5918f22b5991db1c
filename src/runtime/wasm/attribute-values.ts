import type { HeaderBlock } from '../http/headers.ts';
import { protobufBytes, protobufField } from './protobuf.ts';
import type { AttributeFields, AttributeValue } from './stream-host.ts';

/** What has parts and cannot be had whole. */
export const GROUP: AttributeValue = { type: 'group' };

export function text(value: string): AttributeValue {
  return { type: 'string', value };
}

/** Undefined where the text is. */
export function maybeText(value: string | undefined): AttributeValue | undefined {
  return value === undefined ? undefined : { type: 'string', value };
}

export function int(value: number): AttributeValue {
  return { type: 'int', value: BigInt(value) };
}

export function uint(value: number): AttributeValue {
  return { type: 'uint', value: BigInt(value) };
}

export function bool(value: boolean): AttributeValue {
  return { type: 'bool', value };
}

export function nanoseconds(type: 'time' | 'duration', ms: number): AttributeValue {
  return { type, value: BigInt(Math.round(ms * 1e6)) };
}

/** Bytes, not text: header values need not be UTF-8. */
export function fieldValue(block: HeaderBlock, index: number): AttributeValue {
  return { type: 'string', value: valueBytes(block, index) };
}

function valueBytes(block: HeaderBlock, index: number): Uint8Array {
  return block.bytes.subarray(block.spans[4 * index + 2], block.spans[4 * index + 3]);
}

const COMMA = Buffer.from(',');

/** The values of a field, whatever the case of its name, joined by commas. */
export function joinedField(block: HeaderBlock, name: string): AttributeValue | undefined {
  const bytes = Buffer.from(name.toLowerCase(), 'latin1');
  const first = block.indexOf(bytes);
  if (first < 0) return undefined;
  const next = block.indexOf(bytes, first + 1);
  if (next < 0) return fieldValue(block, first);
  const values = [valueBytes(block, first)];
  for (let at = next; at >= 0; at = block.indexOf(bytes, at + 1)) values.push(COMMA, valueBytes(block, at));
  return { type: 'string', value: Buffer.concat(values) };
}

/** All fields, pseudo-headers included. A map that is not there is an empty one, as in Envoy. */
export function fieldMap(block: HeaderBlock | null): AttributeValue {
  const names = new Set<string>();
  for (let i = 0; i < (block?.count ?? 0); i++) names.add(block!.nameText(i));
  return { type: 'map', value: [...names].map((name) => [name, joinedField(block!, name)!] as const) };
}

/** Bytes of a message's head, as Envoy counts them: names and values, and two for each separator. */
export function fieldBytes(block: HeaderBlock | null): number {
  let bytes = 0;
  for (let i = 0; i < (block?.count ?? 0); i++) {
    const at = 4 * i;
    const { spans } = block!;
    bytes += spans[at + 1]! - spans[at]! + spans[at + 3]! - spans[at + 2]!;
  }
  return bytes;
}

/** `envoy.config.core.v3.Locality` where none is known. */
export const LOCALITY: AttributeValue = {
  type: 'message',
  value: [
    ['region', text('')],
    ['zone', text('')],
    ['sub_zone', text('')],
  ],
  encode: () => new Uint8Array(0),
};

/** Metadata of an object: text by key, by namespace. */
export type MetadataSpec = readonly (readonly [
  namespace: string,
  values: readonly (readonly [key: string, value: string | Uint8Array])[],
])[];

/**
 * An `envoy.config.core.v3.Metadata`: `filter_metadata`, by namespace a `google.protobuf.Struct`, here of
 * text alone.
 */
export function metadata(spec: MetadataSpec): AttributeValue {
  const namespaces: AttributeFields = spec.map(([namespace, values]) => [
    namespace,
    { type: 'map', value: values.map(([key, value]) => [key, { type: 'string', value }] as const) },
  ]);
  return {
    type: 'message',
    value: [
      ['filter_metadata', { type: 'map', value: namespaces }],
      ['typed_filter_metadata', { type: 'map', value: [] }],
    ],
    encode: () =>
      Buffer.concat(
        spec.map(([namespace, values]) => {
          const fields = values.map(([key, value]) =>
            protobufBytes(1, mapEntry(key, protobufBytes(STRING_VALUE, value))),
          );
          return protobufBytes(FILTER_METADATA, mapEntry(namespace, Buffer.concat(fields)));
        }),
      ),
  };
}

/** Field numbers of `Metadata` and of `google.protobuf.Value`. */
const FILTER_METADATA = 1;
const STRING_VALUE = 3;

function mapEntry(key: string, value: Uint8Array): Buffer {
  return Buffer.concat([protobufField(1, key), protobufBytes(2, value)]);
}
