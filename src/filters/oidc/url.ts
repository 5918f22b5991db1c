import { ByteWriter, Bytes, encode, view } from '@weir/filters-sdk/assembly';
import { sizeOf, startOf } from '@weir/filters-sdk/assembly/bytes';
import { encodePart } from '@weir/filters-sdk/assembly/parts';
import { HttpUrl } from '@weir/filters-sdk/assembly/url';

/** An address of a provider: as strict as can be, for what it says of itself is believed. Null where the text is none. */
export function parseEndpoint(text: Bytes): HttpUrl | null {
  for (let i = 0; i < text.length; i++) if (text.at(i) <= 32 || text.at(i) >= 127) return null;
  const url = HttpUrl.parse(text);
  if (url === null || url.authority.byteLength == 0 || view(url.authority).indexOf(64) >= 0) return null;
  return url;
}

/** Adds `name=value` to a form or a query, with what has to stand before it. */
export function addParameter<V>(writer: ByteWriter, name: string, value: V): void {
  const text = writer.view();
  const last = text.length == 0 ? 38 : text.at(text.length - 1);
  if (last != 38 && last != 63) writer.addByte(38);
  writer.add(name).addByte(61);
  if (isString<V>()) encodePart(encode(changetype<string>(value)), writer);
  else encodePart(Bytes.of(startOf<V>(value), sizeOf<V>(value)), writer);
}

/**
 * Whether a target leads to this host and nowhere else: a path, and none that browsers take for another host's
 * (`//host`, `/\host`).
 */
export function isLocal(target: Bytes): bool {
  if (target.length == 0 || target.at(0) != 47) return false;
  for (let i = 0; i < target.length; i++) {
    const byte = target.at(i);
    if (byte <= 32 || byte >= 127 || byte == 92) return false;
  }
  return target.length == 1 || target.at(1) != 47;
}
