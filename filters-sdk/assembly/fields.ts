import { Bytes, isToken, lower, sizeOf, startOf, view } from './bytes';
import { requestHeaders } from './headers';

// Names and values of fields in configurations.

/** Fields that belong to the connection or frame the message: the proxy's, not a filter's. */
const RESERVED = [
  'connection',
  'content-length',
  'host',
  'keep-alive',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
];

/** The name in lower case, or null where it is not one, or not one that a filter may change. */
export function fieldName(name: ArrayBuffer): ArrayBuffer | null {
  const bytes = view(name);
  if (bytes.length == 0) return null;
  const lowered = bytes.copy();
  for (let i = 0; i < bytes.length; i++) {
    if (!isToken(bytes.at(i))) return null;
    store<u8>(changetype<usize>(lowered) + i, <u8>lower(bytes.at(i)));
  }
  for (let i = 0; i < RESERVED.length; i++) if (view(lowered).equals(RESERVED[i])) return null;
  return lowered;
}

/** No control characters but the tab, and no blank at either end. */
export function isFieldValue(value: ArrayBuffer): bool {
  const bytes = view(value);
  for (let i = 0; i < bytes.length; i++) {
    const byte = bytes.at(i);
    if ((byte < 32 && byte != 9) || byte == 127) return false;
  }
  return bytes.trim().length == bytes.length;
}

/**
 * Whether a field is, or could be taken by a server behind for, the one of this name: many turn what is not a letter or a
 * digit into `_`, so `x_user` and `x.user` may be read as `x-user`. A filter that says who somebody is removes all of these
 * before it sets its own.
 */
export function isSpellingOf<T>(name: Bytes, header: T): bool {
  if (name.length != sizeOf<T>(header) || name.length == 0 || name.at(0) == 58) return false;
  const other = Bytes.of(startOf<T>(header), name.length);
  for (let i = 0; i < name.length; i++) if (folded(name.at(i)) != folded(other.at(i))) return false;
  return true;
}

/**
 * Takes fields of these names out of the request, in every spelling: see {@link isSpellingOf}. The host is told of each name,
 * also where the request has no such field: weir lets no trailer of that name through then.
 */
export function removeSpellings(names: ArrayBuffer[]): void {
  if (names.length == 0) return;
  for (let i = 0; i < names.length; i++) requestHeaders.remove(unchecked(names[i]));
  const fields = requestHeaders.all();
  while (fields.next()) {
    for (let i = 0; i < names.length; i++) {
      if (!isSpellingOf(fields.name, unchecked(names[i]))) continue;
      requestHeaders.remove(fields.name);
      break;
    }
  }
}

/** The same for one name. */
export function removeSpellingsOf(name: ArrayBuffer): void {
  requestHeaders.remove(name);
  const fields = requestHeaders.all();
  while (fields.next()) if (isSpellingOf(fields.name, name)) requestHeaders.remove(fields.name);
}

/**
 * What stands behind the scheme in the value of a field like Authorization (RFC 9110, section 11.4); null where the scheme is
 * another. Where no blank follows it, or nothing at all, it is a credential all the same, and a wrong one: a server behind
 * may read it more kindly.
 */
export function credentialOf(value: Bytes, scheme: ArrayBuffer): Bytes | null {
  const length = scheme.byteLength;
  if (value.length < length || !value.slice(0, length).equalsIgnoreCase(scheme)) return null;
  if (value.length > length && isToken(value.at(length))) return null;
  return value.slice(length).trim();
}

/** Whether a text may stand between quotes in a field: printable characters without `"` and `\`. */
export function isQuotable(text: ArrayBuffer): bool {
  const bytes = view(text);
  for (let i = 0; i < bytes.length; i++) {
    const byte = bytes.at(i);
    if (byte < 32 || byte > 126 || byte == 34 || byte == 92) return false;
  }
  return true;
}

function folded(byte: i32): i32 {
  const letter = lower(byte);
  return <u32>(letter - 97) < 26 || <u32>(letter - 48) < 10 ? letter : 45;
}
