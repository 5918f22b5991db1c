import { Bytes, ByteWriter } from '@weir/filters-sdk/assembly';
import { hasKnownCharset, isKnownCharset } from './charset';
import { Inspector } from './inspector';
import { Target } from './rule';

const NOTHING = changetype<Bytes>(memory.data(8));
const name = new ByteWriter();
const fileName = new ByteWriter();
const delimiter = new ByteWriter();

/**
 * Looks at the fields of a form (RFC 7578): names, values, and names of files; not at what is in files.
 *
 * @returns how many fields there are; -1: it is no such body, or may be read in two ways
 */
export function lookAtMultipart(inspector: Inspector, body: Bytes, contentType: Bytes): i32 {
  const boundary = parameter(contentType, 'boundary', new ByteWriter(72));
  if (boundary === null || boundary.length == 0 || boundary.length > 70) return -1;
  const mark = delimiter.clear().add('--').add(boundary).view();
  if (!body.startsWith(mark)) return -1;
  let at = mark.length;
  let count = 0;
  while (true) {
    if (isAt(body, at, 45) && isAt(body, at + 1, 45)) return count;
    if (!isAt(body, at, 13) || !isAt(body, at + 1, 10)) return -1;
    const head = at + 2;
    const headEnd = endOfHead(body, head);
    if (headEnd < 0) return -1;
    const next = delimiterFrom(body, headEnd, mark);
    if (next < 0 || !lookAtPart(inspector, body, head, headEnd - 2, headEnd, next - 2)) return -1;
    at = next + mark.length;
    count++;
  }
}

/** Offset of the delimiter that stands on a line of its own; -1: there is none. */
function delimiterFrom(body: Bytes, from: i32, mark: Bytes): i32 {
  for (let at = body.indexOfBytes(mark, from); at >= 0; at = body.indexOfBytes(mark, at + 1))
    if (at >= from + 2 ? isAt(body, at - 2, 13) && isAt(body, at - 1, 10) : false) return at;
  return -1;
}

/** Offset behind the empty line; -1: there is none. */
function endOfHead(body: Bytes, from: i32): i32 {
  const at = body.indexOfBytes('\r\n\r\n', from);
  return at < 0 ? -1 : at + 4;
}

function lookAtPart(inspector: Inspector, body: Bytes, head: i32, headEnd: i32, from: i32, to: i32): bool {
  let disposition: Bytes | null = null;
  for (let line = head; line < headEnd;) {
    const end = body.indexOfBytes('\r\n', line);
    const row = body.slice(line, end);
    const colon = row.indexOf(58);
    // A line that is folded, or has bytes that some read as the end of one.
    if (
      colon <= 0 ||
      !isFieldName(row, colon) ||
      row.indexOf(0) >= 0 ||
      row.indexOf(10) >= 0 ||
      row.indexOf(13) >= 0
    )
      return false;
    const known = row.slice(0, colon);
    if (known.equalsIgnoreCase('content-disposition')) {
      if (disposition !== null) return false;
      disposition = row.slice(colon + 1).trim();
    } else if (known.equalsIgnoreCase('content-type') && !hasKnownCharset(row.slice(colon + 1))) return false;
    else if (known.equalsIgnoreCase('content-transfer-encoding') && !isPlain(row.slice(colon + 1).trim()))
      return false;
    line = end + 2;
  }
  if (disposition === null || !startsWithFormData(disposition)) return false;
  const field = parameter(disposition, 'name', name);
  if (field === null) return false;
  inspector.look(Target.ArgNames, field, field);
  if (isAmbiguous(field)) inspector.report('protocol/multipart-name');
  // RFC 7578, section 4.6: what it says of the others' encoding of characters is believed.
  if (field.equals('_charset_') && !isKnownCharset(body.slice(from, to))) return false;
  // RFC 7578, section 4.2: no filename*; who reads it reads another name than this.
  if (parameter(disposition, 'filename*', fileName) !== null) return false;
  const file = parameter(disposition, 'filename', fileName);
  if (file !== null) {
    inspector.look(Target.FileNames, field, file);
    if (isAmbiguous(file)) inspector.report('protocol/multipart-name');
  } else inspector.look(Target.Args, field, body.slice(from, to));
  return true;
}

/** Some take these for the end of a name. A `;` may end a character reference of HTML, as browsers write some. */
function isAmbiguous(name: Bytes): bool {
  for (let i = 0; i < name.length; i++) {
    const byte = name.at(i);
    if (byte == 34 || byte == 92 || (byte == 59 && !endsReference(name, i))) return true;
  }
  return false;
}

function endsReference(name: Bytes, end: i32): bool {
  let at = end - 1;
  while (at > 0 && (<u32>(name.at(at) - 48) < 10 || <u32>((name.at(at) | 32) - 97) < 26 || name.at(at) == 35))
    at--;
  return at >= 0 && at < end - 1 && name.at(at) == 38;
}

function isFieldName(row: Bytes, end: i32): bool {
  for (let i = 0; i < end; i++) if (row.at(i) <= 32 || row.at(i) > 126) return false;
  return true;
}

function isPlain(encoding: Bytes): bool {
  return (
    encoding.equalsIgnoreCase('binary') ||
    encoding.equalsIgnoreCase('8bit') ||
    encoding.equalsIgnoreCase('7bit')
  );
}

function startsWithFormData(value: Bytes): bool {
  return (
    value.slice(0, 9).equalsIgnoreCase('form-data') &&
    (value.length == 9 || value.at(9) == 59 || value.at(9) == 32)
  );
}

/** A parameter of a field's value, its quotes taken off; null: it is not there. Of two of a name, the first. */
function parameter(field: Bytes, wanted: string, into: ByteWriter): Bytes | null {
  let at = field.indexOf(59);
  while (at >= 0 && at < field.length) {
    at++;
    const equals = field.indexOf(61, at);
    if (equals < 0) return null;
    const isWanted = field.slice(at, equals).trim().equalsIgnoreCase(wanted);
    at = equals + 1;
    into.clear();
    if (isAt(field, at, 34)) {
      for (at++; at < field.length && field.at(at) != 34; at++) {
        // Browsers escape a quote as %22; others with a backslash.
        if (field.at(at) == 92 && isAt(field, at + 1, 34)) at++;
        into.addByte(field.at(at));
      }
      at = field.indexOf(59, at);
    } else {
      const end = field.indexOf(59, at);
      into.add(field.slice(at, end < 0 ? field.length : end).trim());
      at = end;
    }
    if (isWanted) return into.length == 0 ? NOTHING : into.view();
  }
  return null;
}

function isAt(text: Bytes, at: i32, byte: i32): bool {
  return at < text.length && text.at(at) == byte;
}
