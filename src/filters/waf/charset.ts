import { Bytes } from '@weir/filters-sdk/assembly';

/** Encodings of characters in which ASCII stands for itself. */
const CHARSETS = ['utf-8', 'utf8', 'us-ascii'];
const FAMILIES = ['iso-8859-', 'windows-125'];

/** In UTF-7 or an EBCDIC what is dangerous looks like nothing. */
export function isKnownCharset(name: Bytes): bool {
  for (let i = 0; i < CHARSETS.length; i++) if (name.equalsIgnoreCase(CHARSETS[i])) return true;
  for (let i = 0; i < FAMILIES.length; i++)
    if (name.slice(0, FAMILIES[i].length).equalsIgnoreCase(FAMILIES[i])) return true;
  return false;
}

/** Of a Content-Type; one that names two is read in two ways. */
export function hasKnownCharset(type: Bytes): bool {
  let count = 0;
  for (let at = type.indexOf(59); at >= 0; at = type.indexOf(59, at)) {
    at++;
    const end = type.indexOf(59, at);
    const part = type.slice(at, end < 0 ? type.length : end).trim();
    if (!part.slice(0, 8).equalsIgnoreCase('charset=')) continue;
    let value = part.slice(8);
    if (value.length >= 2 && value.at(0) == 34) value = value.slice(1, value.length - 1);
    if (!isKnownCharset(value) || ++count > 1) return false;
  }
  return true;
}
