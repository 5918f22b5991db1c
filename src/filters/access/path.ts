import { ByteWriter, Bytes, lower, view } from '@weir/filters-sdk/assembly';
import { JsonValue, faultAt } from '@weir/filters-sdk/assembly/config';

const SLASH = 47;
const PERCENT = 37;
const SEMICOLON = 59;
const BACKSLASH = 92;
const QUESTION = 63;
const HASH = 35;
/** From here on a byte begins a sequence of UTF-8. */
const SEQUENCE = 0xc0;
/** How often escapes of escapes are decoded. */
const DECODINGS = 3;

/**
 * The path of a request in two forms. Rules that allow compare `strict`, the form that routes compare, with the digits of
 * escapes in capitals. Rules that deny compare `loose`, which is what a careless server behind could make of it: all escapes
 * decoded, also those of escapes and of letters in more bytes than UTF-8 gives them, slashes merged, parameters (`;a=b`) left out.
 */
export class PathForms {
  strict: Bytes = changetype<Bytes>(0);
  loose: Bytes = changetype<Bytes>(0);
  /** Where a query would begin in `loose`, or a text of C end; -1: nowhere. */
  end: i32 = -1;
  /** Decoding brought a dot segment to light, or had no end: nobody can say where the request ends up. */
  unsure: bool = false;
  private strictText: ByteWriter = new ByteWriter(256);
  private looseText: ByteWriter = new ByteWriter(256);
  private decoded: ByteWriter = new ByteWriter(256);
  private decodedAgain: ByteWriter = new ByteWriter(256);

  /** @param path without the query, as the host has normalised it */
  read(path: Bytes): void {
    this.strict = path;
    this.loose = path;
    this.end = -1;
    this.unsure = false;
    for (let i = 0, before = 0; i < path.length; i++) {
      const byte = path.at(i);
      const odd = byte == PERCENT || byte == SEMICOLON || byte >= SEQUENCE;
      if (odd || (byte == SLASH && before == SLASH)) {
        this.rewrite(path);
        return;
      }
      before = byte;
    }
  }

  /** The same where the path may need it, or comes from elsewhere. */
  rewrite(path: Bytes): void {
    this.strict = canonical(path, this.strictText.clear());
    const text = this.decode(path);
    const loose = this.looseText.clear();
    let segment = 0;
    let inParameter = false;
    for (let i = 0; i < text.length; i++) {
      let byte = text.at(i);
      if (byte >= SEQUENCE) {
        const size = byte < 0xe0 ? 2 : byte < 0xf0 ? 3 : 4;
        const ascii = overlongAt(text, i, size);
        if (ascii >= 0) {
          byte = ascii;
          i += size - 1;
        }
      }
      if (byte == BACKSLASH) byte = SLASH;
      if (this.end < 0 && (byte == QUESTION || byte == HASH || byte == 0)) {
        this.lookAt(loose.view().slice(segment));
        this.end = loose.length;
      }
      if (byte == SLASH) {
        inParameter = false;
        this.lookAt(loose.view().slice(segment));
        if (loose.length > 0 && segment == loose.length) continue;
      } else if (byte == SEMICOLON) inParameter = true;
      if (inParameter) continue;
      loose.addByte(byte);
      if (byte == SLASH) segment = loose.length;
    }
    this.lookAt(loose.view().slice(segment));
    this.loose = loose.view();
  }

  /** Until there is no escape left. */
  private decode(path: Bytes): Bytes {
    let text = path;
    for (let turn = 0; hasEscape(text); turn++) {
      if (turn == DECODINGS) {
        this.unsure = true;
        break;
      }
      const into = (turn & 1) == 0 ? this.decoded.clear() : this.decodedAgain.clear();
      for (let i = 0; i < text.length; i++) {
        const escaped = text.at(i) == PERCENT ? escapeAt(text, i) : -1;
        into.addByte(escaped < 0 ? text.at(i) : escaped);
        if (escaped >= 0) i += 2;
      }
      text = into.view();
    }
    return text;
  }

  private lookAt(segment: Bytes): void {
    const dots = segment.length <= 2 && segment.length > 0;
    if (dots && segment.at(0) == 46 && segment.at(segment.length - 1) == 46) this.unsure = true;
  }
}

function hasEscape(text: Bytes): bool {
  for (let i = 0; i < text.length; i++) if (text.at(i) == PERCENT && escapeAt(text, i) >= 0) return true;
  return false;
}

/** The letter of ASCII that so many bytes stand for where nobody checks that they are the fewest; else -1. */
function overlongAt(text: Bytes, at: i32, size: i32): i32 {
  if (at + size > text.length) return -1;
  let value = text.at(at) & (0x7f >> size);
  for (let i = 1; i < size; i++) {
    const byte = text.at(at + i);
    if ((byte & 0xc0) != 0x80) return -1;
    value = (value << 6) | (byte & 0x3f);
  }
  return value < 0x80 ? value : -1;
}

/** What an escape stands for; -1 where none is at this place. */
function escapeAt(text: Bytes, at: i32): i32 {
  if (at + 2 >= text.length) return -1;
  const high = hexOf(text.at(at + 1));
  const low = hexOf(text.at(at + 2));
  return high < 0 || low < 0 ? -1 : (high << 4) | low;
}

function hexOf(byte: i32): i32 {
  if (<u32>(byte - 48) < 10) return byte - 48;
  const letter = lower(byte);
  return <u32>(letter - 97) < 6 ? letter - 87 : -1;
}

function isUnreserved(byte: i32): bool {
  if (<u32>(lower(byte) - 97) < 26 || <u32>(byte - 48) < 10) return true;
  return byte == 45 || byte == 46 || byte == 95 || byte == 126;
}

/** Escapes what is beyond ASCII, decodes what needs no escape, and writes the digits of the others in capitals. */
function canonical(text: Bytes, into: ByteWriter): Bytes {
  for (let i = 0; i < text.length; i++) {
    const byte = text.at(i);
    const escaped = byte == PERCENT ? escapeAt(text, i) : -1;
    if (escaped >= 0) i += 2;
    if (escaped >= 0 && isUnreserved(escaped)) into.addByte(escaped);
    else if (escaped >= 0 || byte > 126) addEscape(into, escaped >= 0 ? escaped : byte);
    else into.addByte(byte);
  }
  return into.view();
}

function addEscape(into: ByteWriter, byte: i32): void {
  into
    .addByte(PERCENT)
    .addByte(digitOf(byte >> 4))
    .addByte(digitOf(byte & 15));
}

function digitOf(value: i32): i32 {
  return value < 10 ? 48 + value : 55 + value;
}

export enum PathKind {
  Exact,
  /** Whole segments: `/a` takes `/a` and `/a/b`, not `/ab`. */
  Prefix,
  /** `{name}` stands for one segment. */
  Template,
}

export const PATH_KINDS = ['Exact', 'PathPrefix', 'Template', 'RegularExpression'];

/** One path of a rule, but for regular expressions. */
export class PathPattern {
  private strict: ArrayBuffer;
  private loose: ArrayBuffer;

  constructor(
    readonly kind: PathKind,
    value: JsonValue,
  ) {
    let text = view(value.text);
    if (text.length == 0 || text.at(0) != SLASH) faultAt(value, 'must begin with "/"');
    if (text.indexOf(63) >= 0 || text.indexOf(35) >= 0) faultAt(value, 'must not hold "?" or "#"');
    if (kind == PathKind.Template) checkTemplate(value);
    if (kind == PathKind.Prefix && text.length > 0 && text.at(text.length - 1) == SLASH)
      text = text.slice(0, text.length - 1);
    const forms = new PathForms();
    this.strict = canonical(text, new ByteWriter(64)).copy();
    forms.rewrite(text);
    this.loose = forms.loose.copy();
    if (forms.unsure) faultAt(value, 'must not hold dot segments');
  }

  takes(path: PathForms, lenient: bool): bool {
    if (!lenient) return (!path.unsure || this.takesAll) && this.fits(path.strict, view(this.strict));
    const wanted = view(this.loose);
    if (path.unsure || this.fits(path.loose, wanted)) return true;
    return path.end >= 0 && this.fits(path.loose.slice(0, path.end), wanted);
  }

  private get takesAll(): bool {
    return this.kind == PathKind.Prefix && this.strict.byteLength == 0;
  }

  private fits(path: Bytes, wanted: Bytes): bool {
    if (this.kind == PathKind.Template) return fitsTemplate(path, wanted);
    if (this.kind == PathKind.Exact) return path.equals(wanted);
    return path.startsWith(wanted) && (path.length == wanted.length || path.at(wanted.length) == SLASH);
  }

  /** The first segment that all paths that it takes have; null where they differ. */
  firstSegment(lenient: bool): Bytes | null {
    const path = view(lenient ? this.loose : this.strict);
    if (this.kind == PathKind.Prefix && path.length == 0) return null;
    const segment = firstSegmentOf(path);
    return this.kind == PathKind.Template && segment.indexOf(123) >= 0 ? null : segment;
  }
}

/** `a` of `/a/b`. */
export function firstSegmentOf(path: Bytes): Bytes {
  const end = path.indexOf(SLASH, 1);
  return path.slice(1, end < 0 ? path.length : end);
}

function checkTemplate(value: JsonValue): void {
  const text = view(value.text);
  for (let at = 0; at < text.length;) {
    const slash = text.indexOf(SLASH, at);
    const end = slash < 0 ? text.length : slash;
    const segment = text.slice(at, end);
    const open = segment.indexOf(123);
    const close = segment.indexOf(125);
    const isName = open == 0 && close == segment.length - 1 && close > 1 && segment.indexOf(123, 1) < 0;
    if ((open >= 0 || close >= 0) && !isName)
      faultAt(value, 'a name in braces must be a whole segment, as in /orders/{id}');
    at = end + 1;
  }
}

function fitsTemplate(path: Bytes, wanted: Bytes): bool {
  let at = 0;
  let from = 0;
  while (true) {
    const slash = path.indexOf(SLASH, at);
    const other = wanted.indexOf(SLASH, from);
    if (slash < 0 != other < 0) return false;
    const segment = path.slice(at, slash < 0 ? path.length : slash);
    const part = wanted.slice(from, other < 0 ? wanted.length : other);
    if (part.length > 0 && part.at(0) == 123) {
      if (segment.length == 0) return false;
    } else if (!segment.equals(part)) return false;
    if (slash < 0) return true;
    at = slash + 1;
    from = other + 1;
  }
}
