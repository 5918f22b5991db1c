import { ByteWriter, Bytes, encode, utf8 } from '@weir/filters-sdk/assembly';
import { sizeOf, startOf } from '@weir/filters-sdk/assembly/bytes';

const DIGITS = '0123456789ABCDEF';

/** An http or https URL, in the parts that a call of it needs. */
export class Url {
  constructor(
    public scheme: string,
    public authority: ArrayBuffer,
    /** With the query. */
    public path: ArrayBuffer,
  ) {}

  /** Null where the text is no such URL. */
  static parse(text: Bytes): Url | null {
    const secure = text.startsWith('https://');
    const from = secure ? 8 : 7;
    if ((!secure && !text.startsWith('http://')) || text.length <= from) return null;
    for (let i = 0; i < text.length; i++) if (text.at(i) <= 32 || text.at(i) >= 127) return null;
    const slash = text.indexOf(47, from);
    const authority = text.slice(from, slash < 0 ? text.length : slash);
    if (authority.length == 0 || authority.indexOf(64) >= 0) return null;
    const path = slash < 0 ? utf8('/') : text.slice(slash).copy();
    return new Url(secure ? 'https' : 'http', authority.copy(), path);
  }
}

/** Adds `name=value` to a form or a query, with what has to stand before it. */
export function addParameter<V>(writer: ByteWriter, name: string, value: V): void {
  const text = writer.view();
  const last = text.length == 0 ? 38 : text.at(text.length - 1);
  if (last != 38 && last != 63) writer.addByte(38);
  writer.add(name).addByte(61);
  if (isString<V>()) addEncoded(writer, encode(changetype<string>(value)));
  else addEncoded(writer, Bytes.of(startOf<V>(value), sizeOf<V>(value)));
}

/** Unreserved characters (RFC 3986, section 2.3) as they are, others escaped. */
export function addEncoded(writer: ByteWriter, text: Bytes): void {
  for (let i = 0; i < text.length; i++) {
    const byte = text.at(i);
    const plain = <u32>((byte | 32) - 97) < 26 || <u32>(byte - 48) < 10;
    if (plain || byte == 45 || byte == 46 || byte == 95 || byte == 126) writer.addByte(byte);
    else
      writer
        .addByte(37)
        .addByte(DIGITS.charCodeAt(byte >> 4))
        .addByte(DIGITS.charCodeAt(byte & 15));
  }
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
