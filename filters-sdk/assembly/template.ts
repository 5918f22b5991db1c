import { Attribute, parseAttribute } from './attributes';
import { Bytes, view } from './bytes';
import { ByteWriter } from './writer';

class Segment {
  constructor(
    public literal: ArrayBuffer,
    public attribute: Attribute | null,
  ) {}
}

const NOTHING = new ArrayBuffer(0);
const writer = new ByteWriter(512);

/** Text with variables, such as `from ${source.address}`, compiled once. */
export class Template {
  private segments: Segment[] = [];
  /** The whole text where it has no variables. The SDK's. */
  literal: ArrayBuffer | null = NOTHING;

  /** The SDK's. */
  add(literal: Bytes, attribute: Attribute | null): void {
    if (literal.length == 0 && attribute === null) return;
    const segment = new Segment(literal.copy(), attribute);
    this.literal = this.segments.length == 0 && attribute === null ? segment.literal : null;
    this.segments.push(segment);
  }

  /** Whether it is the empty text. */
  get isNothing(): bool {
    return this.segments.length == 0;
  }

  /**
   * Writes the text behind what a writer has: what stands in the configuration as it is, and each variable through `encode`.
   *
   * @returns false as soon as `encode` does
   */
  renderInto(out: ByteWriter, encode: (text: Bytes, into: ByteWriter) => bool): bool {
    const segments = this.segments;
    for (let i = 0; i < segments.length; i++) {
      const segment = unchecked(segments[i]);
      out.add<ArrayBuffer>(segment.literal);
      const attribute = segment.attribute;
      if (attribute === null) continue;
      attribute.write(writer.clear());
      if (!encode(writer.view(), out)) return false;
    }
    return true;
  }

  /** The text for the running stream, valid until the next template is rendered. A variable that is not there is empty. */
  render(): Bytes {
    const literal = this.literal;
    if (literal !== null) return view(literal);
    writer.clear();
    const segments = this.segments;
    for (let i = 0; i < segments.length; i++) {
      const segment = unchecked(segments[i]);
      writer.add<ArrayBuffer>(segment.literal);
      const attribute = segment.attribute;
      if (attribute !== null) attribute.write(writer);
    }
    return writer.view();
  }
}

let fault = '';

/** Why {@link parseTemplate} answered null. */
export function templateFault(): string {
  return fault;
}

/** `${name}` is an attribute, `$$` a dollar sign. Null where the text is not valid. */
export function parseTemplate(text: ArrayBuffer): Template | null {
  const template = new Template();
  const literal = new ByteWriter(64);
  const bytes = view(text);
  for (let i = 0; i < bytes.length; i++) {
    const byte = bytes.at(i);
    const next = i + 1 < bytes.length ? bytes.at(i + 1) : 0;
    if (byte != 36 || (next != 36 && next != 123)) {
      literal.addByte(byte);
    } else if (next == 36) {
      literal.addByte(36);
      i++;
    } else {
      const end = bytes.indexOf(125, i);
      if (end < 0) {
        fault = 'expected } after ${';
        return null;
      }
      const name = bytes.slice(i + 2, end).trim();
      const attribute = parseAttribute(name);
      if (attribute === null) {
        fault = 'unknown variable ' + name.toString() + '; a dollar sign is written $$';
        return null;
      }
      template.add(literal.view(), attribute);
      literal.clear();
      i = end;
    }
  }
  template.add(literal.view(), null);
  return template;
}
