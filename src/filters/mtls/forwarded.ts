import { ByteWriter, Bytes } from '@weir/filters-sdk/assembly';
import { Identities, Part } from './identities';

const COMMA = 44;
const SEMICOLON = 59;
const EQUALS = 61;
const QUOTE = 34;
const BACKSLASH = 92;

const unquoted = new ByteWriter(256);

/**
 * Where the n-th element from the right of an X-Forwarded-Client-Cert begins and ends; commas in quotes part nothing.
 *
 * @returns null where there are fewer, and where a quote opens or closes in the middle of a value: a proxy that appends its
 * element to what a client has sent could be taken for part of that
 */
export function elementOf(field: Bytes, fromRight: i32): Bytes | null {
  if (!isWellQuoted(field)) return null;
  let count = 1;
  for (let at = nextOf(field, 0, COMMA); at < field.length; at = nextOf(field, at + 1, COMMA)) count++;
  let skip = count - fromRight;
  if (skip < 0) return null;
  let start = 0;
  while (skip-- > 0) start = nextOf(field, start, COMMA) + 1;
  return field.slice(start, nextOf(field, start, COMMA)).trim();
}

/** Tries what one element says of a certificate: pairs of name and value, as Envoy writes them. */
export function matchElement(element: Bytes, identities: Identities): void {
  let start = 0;
  while (start < element.length) {
    const end = nextOf(element, start, SEMICOLON);
    const equals = element.indexOf(EQUALS, start);
    if (equals > start && equals < end) {
      const name = element.slice(start, equals).trim();
      const value = valueOf(element.slice(equals + 1, end).trim());
      if (name.equalsIgnoreCase('uri')) identities.match(Part.Uri, value);
      else if (name.equalsIgnoreCase('dns')) identities.match(Part.Dns, value);
      else if (name.equalsIgnoreCase('subject')) identities.match(Part.Subject, value);
      else if (name.equalsIgnoreCase('hash')) identities.match(Part.Sha256, value);
    }
    start = end + 1;
  }
}

/** Quotes open behind `=` alone, and what they hold ends with the value. */
function isWellQuoted(field: Bytes): bool {
  for (let i = 0; i < field.length; i++) {
    if (field.at(i) != QUOTE) continue;
    if (i == 0 || field.at(i - 1) != EQUALS) return false;
    for (i++; i < field.length && field.at(i) != QUOTE; i++) if (field.at(i) == BACKSLASH) i++;
    if (i >= field.length) return false;
    do i++;
    while (i < field.length && (field.at(i) == 32 || field.at(i) == 9));
    if (i < field.length && field.at(i) != COMMA && field.at(i) != SEMICOLON) return false;
  }
  return true;
}

/** The index of the next such byte outside of quotes; the length where there is none. */
function nextOf(text: Bytes, from: i32, byte: i32): i32 {
  let quoted = false;
  for (let i = from; i < text.length; i++) {
    const at = text.at(i);
    if (at == QUOTE) quoted = !quoted;
    else if (at == BACKSLASH && quoted) i++;
    else if (at == byte && !quoted) return i;
  }
  return text.length;
}

function valueOf(text: Bytes): Bytes {
  if (text.length < 2 || text.at(0) != QUOTE || text.at(text.length - 1) != QUOTE) return text;
  unquoted.clear();
  for (let i = 1; i < text.length - 1; i++) {
    if (text.at(i) == BACKSLASH && i + 2 < text.length) i++;
    unquoted.addByte(text.at(i));
  }
  return unquoted.view();
}
