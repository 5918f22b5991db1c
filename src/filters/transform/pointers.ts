import { Bytes, view } from '@weir/filters-sdk/assembly';
import { JsonKind, JsonValue, faultAt } from '@weir/filters-sdk/assembly/config';

const SLASH = 47;
const TILDE = 126;
export const NO_TOKENS: ArrayBuffer[] = [];

/** Tokens of a JSON Pointer (RFC 6901), unescaped. Faults are logged. */
export function readPointer(value: JsonValue): ArrayBuffer[] {
  if (value.kind != JsonKind.String) {
    faultAt(value, 'expected a JSON pointer');
    return NO_TOKENS;
  }
  const text = view(value.text);
  const tokens: ArrayBuffer[] = [];
  if (text.length == 0) return tokens;
  if (text.at(0) != SLASH) {
    faultAt(value, 'a JSON pointer begins with /');
    return tokens;
  }
  for (let from = 1; from <= text.length;) {
    const slash = text.indexOf(SLASH, from);
    const end = slash < 0 ? text.length : slash;
    const token = unescaped(text.slice(from, end));
    if (token === null) {
      faultAt(value, 'in a JSON pointer, ~ is written ~0 and / is written ~1');
      return tokens;
    }
    tokens.push(token);
    from = end + 1;
  }
  return tokens;
}

function unescaped(text: Bytes): ArrayBuffer | null {
  const token = text.copy();
  let size = 0;
  for (let i = 0; i < text.length; i++) {
    let byte = text.at(i);
    if (byte == TILDE) {
      const next = i + 1 < text.length ? text.at(++i) : 0;
      if (next != 48 && next != 49) return null;
      byte = next == 48 ? TILDE : SLASH;
    }
    store<u8>(changetype<usize>(token) + size++, byte);
  }
  return token.slice(0, size);
}

/** The index that a token is, -1 where it is none: digits without zeros in front. */
export function indexOf(token: Bytes): i32 {
  if (token.length == 0 || token.length > 9 || (token.length > 1 && token.at(0) == 48)) return -1;
  return <i32>token.toUnsigned();
}
