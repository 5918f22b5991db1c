import { Bytes } from '@weir/filters-sdk/assembly';

/** The value of the first cookie of this name (RFC 6265, section 5.4), without quotes; null where there is none. */
export function cookieValue(field: Bytes, name: ArrayBuffer): Bytes | null {
  let at = 0;
  while (at <= field.length) {
    const semicolon = field.indexOf(59, at);
    const end = semicolon < 0 ? field.length : semicolon;
    const equals = field.indexOf(61, at);
    if (equals >= 0 && equals < end && field.slice(at, equals).trim().equals(name)) {
      const value = field.slice(equals + 1, end).trim();
      const quoted = value.length >= 2 && value.at(0) == 34 && value.at(value.length - 1) == 34;
      return quoted ? value.slice(1, value.length - 1) : value;
    }
    at = end + 1;
  }
  return null;
}
