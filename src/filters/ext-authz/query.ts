import { ByteWriter, Bytes, requestHeaders, view } from '@weir/filters-sdk/assembly';

const path = new ByteWriter(512);
const DIGITS = '0123456789ABCDEF';

/**
 * Takes parameters out of the query of the running request, and sets others, which come last.
 *
 * @param set names and values, one behind the other
 */
export function changeQuery(set: ArrayBuffer[], removed: ArrayBuffer[]): void {
  const target = requestHeaders.get(':path');
  if (target === null) return;
  const mark = target.indexOf(63);
  path.clear().add(mark < 0 ? target : target.slice(0, mark));
  let separator = 63;
  for (let from = mark + 1; mark >= 0 && from <= target.length; ) {
    const next = target.indexOf(38, from);
    const end = next < 0 ? target.length : next;
    const pair = target.slice(from, end);
    const equals = pair.indexOf(61);
    const name = equals < 0 ? pair : pair.slice(0, equals);
    if (pair.length > 0 && !isNamed(set, 2, name) && !isNamed(removed, 1, name)) {
      path.addByte(separator).add(pair);
      separator = 38;
    }
    from = end + 1;
  }
  for (let i = 0; i + 1 < set.length; i += 2) {
    path.addByte(separator);
    addEncoded(view(set[i]));
    path.addByte(61);
    addEncoded(view(set[i + 1]));
    separator = 38;
  }
  requestHeaders.set(':path', path.view());
}

function isNamed(names: ArrayBuffer[], step: i32, name: Bytes): bool {
  for (let i = 0; i < names.length; i += step) if (decodesTo(name, view(names[i]))) return true;
  return false;
}

/** Whether a name in a query, which may be spelled with escapes, is this one. */
function decodesTo(spelled: Bytes, name: Bytes): bool {
  let at = 0;
  for (let i = 0; i < spelled.length; i++, at++) {
    let byte = spelled.at(i);
    if (byte == 37 && i + 2 < spelled.length) {
      const high = digit(spelled.at(i + 1));
      const low = digit(spelled.at(i + 2));
      if (high >= 0 && low >= 0) {
        byte = (high << 4) | low;
        i += 2;
      }
    } else if (byte == 43) byte = 32;
    if (at >= name.length || name.at(at) != byte) return false;
  }
  return at == name.length;
}

function digit(byte: i32): i32 {
  if (<u32>(byte - 48) < 10) return byte - 48;
  const letter = byte | 32;
  return <u32>(letter - 97) < 6 ? letter - 87 : -1;
}

/** Unreserved characters (RFC 3986, section 2.3) as they are, others escaped. */
function addEncoded(text: Bytes): void {
  for (let i = 0; i < text.length; i++) {
    const byte = text.at(i);
    const plain = <u32>((byte | 32) - 97) < 26 || <u32>(byte - 48) < 10;
    if (plain || byte == 45 || byte == 46 || byte == 95 || byte == 126) path.addByte(byte);
    else path.addByte(37).addByte(DIGITS.charCodeAt(byte >> 4)).addByte(DIGITS.charCodeAt(byte & 15));
  }
}
