import { Bytes } from './bytes';
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
