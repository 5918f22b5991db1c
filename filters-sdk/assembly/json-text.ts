import { Bytes, writeUtf8 } from './bytes';
import { ByteWriter } from './writer';

/** Writes a text as a JSON string, in quotes. Bytes beyond ASCII stay as they are. */
export function addJsonString(into: ByteWriter, text: Bytes): void {
  into.addByte(34);
  for (let i = 0; i < text.length; i++) {
    const byte = text.at(i);
    if (byte < 32) {
      into
        .add('\\u00')
        .addByte(48 + (byte >> 4))
        .addByte((byte & 15) < 10 ? 48 + (byte & 15) : 87 + (byte & 15));
      continue;
    }
    if (byte == 34 || byte == 92) into.addByte(92);
    into.addByte(byte);
  }
  into.addByte(34);
}

/** What a JSON string of a text that was found right says, into a writer, and views it there. */
export function decodeJsonString(quoted: Bytes, into: ByteWriter): Bytes {
  into.clear();
  const last = quoted.length - 1;
  for (let i = 1; i < last; i++) {
    const byte = quoted.at(i);
    if (byte != 92) {
      into.addByte(byte);
      continue;
    }
    const escape = quoted.at(++i);
    if (escape == 117) {
      let point = hexAt(quoted, i + 1);
      i += 4;
      if ((point & 0xfc00) == 0xd800) {
        point = 0x10000 + ((point & 0x3ff) << 10) + (hexAt(quoted, i + 3) & 0x3ff);
        i += 6;
      }
      const room = into.reserve(4);
      into.truncate(into.length - 4 + <i32>(writeUtf8(room, point) - room));
    } else if (escape == 98) into.addByte(8);
    else if (escape == 102) into.addByte(12);
    else if (escape == 110) into.addByte(10);
    else if (escape == 114) into.addByte(13);
    else if (escape == 116) into.addByte(9);
    else into.addByte(escape);
  }
  return into.view();
}

function hexAt(text: Bytes, from: i32): i32 {
  let value = 0;
  for (let i = from; i < from + 4; i++) {
    const byte = text.at(i);
    value = (value << 4) | (<u32>(byte - 48) < 10 ? byte - 48 : (byte | 32) - 87);
  }
  return value;
}
