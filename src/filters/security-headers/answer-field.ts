import { ByteWriter, responseHeaders, utf8 } from '@weir/filters-sdk/assembly';

export const TRANSPORT_SECURITY = utf8('strict-transport-security');

const NONCE_BEFORE = "'nonce-";
const line = new ByteWriter();

/** A field that is put on every answer. */
export class AnswerField {
  /** Of a value with nonces: what stands around them. Otherwise the whole value. */
  private parts: ArrayBuffer[] = [];

  constructor(public name: ArrayBuffer) {}

  static of(name: ArrayBuffer, value: ArrayBuffer): AnswerField {
    const field = new AnswerField(name);
    field.parts.push(value);
    return field;
  }

  /** A nonce of the answer follows what was added so far. */
  addPart(part: ArrayBuffer): void {
    this.parts.push(part);
  }

  get hasNonce(): bool {
    return this.parts.length > 1;
  }

  set(nonce: ArrayBuffer): void {
    const parts = this.parts;
    if (parts.length == 1) {
      responseHeaders.set(this.name, unchecked(parts[0]));
      return;
    }
    line.clear().add(unchecked(parts[0]));
    for (let i = 1; i < parts.length; i++) {
      line.add(NONCE_BEFORE).add(nonce).addByte(39).add(unchecked(parts[i]));
    }
    responseHeaders.set(this.name, line.view());
  }
}
