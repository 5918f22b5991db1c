import { ByteWriter, Bytes, view } from '@weir/filters-sdk/assembly';
import { allocate } from '@weir/filters-sdk/assembly/arena';
import { JsonKind, JsonValue, faultAt } from '@weir/filters-sdk/assembly/config';
import { Template, parseTemplate, templateFault } from '@weir/filters-sdk/assembly/template';
import { writeString } from './json-text';

/** A copy that is good until the callback returns. */
export function kept(text: Bytes): Bytes {
  const at = allocate(text.length);
  memory.copy(at, text.start, text.length);
  return Bytes.of(at, text.length);
}

class Piece {
  constructor(
    readonly text: ArrayBuffer,
    /** A string with variables behind the text. */
    readonly template: Template | null,
  ) {}
}

const writer = new ByteWriter(256);

/** A JSON value of the configuration whose strings may have variables; numbers stay as they are written. */
export class ValueTemplate {
  private pieces: Piece[] = [];

  /** @param text of the configuration that the value stands in */
  constructor(text: ArrayBuffer, value: JsonValue) {
    const from = this.collect(text, value, value.offset);
    this.pieces.push(new Piece(text.slice(from, value.end), null));
  }

  private collect(text: ArrayBuffer, value: JsonValue, start: i32): i32 {
    let from = start;
    if (value.kind == JsonKind.String && view(value.text).indexOf(36) >= 0) {
      const template = parseTemplate(value.text);
      if (template === null) faultAt(value, templateFault());
      this.pieces.push(new Piece(text.slice(from, value.offset), template));
      return value.end;
    }
    for (let i = 0; i < value.items.length; i++) from = this.collect(text, value.items[i], from);
    return from;
  }

  write(out: ByteWriter): void {
    for (let i = 0; i < this.pieces.length; i++) {
      const piece = this.pieces[i];
      out.add<ArrayBuffer>(piece.text);
      const template = piece.template;
      if (template !== null) writeString(template.render(), out);
    }
  }

  /** The text for the running stream, for the running callback: a copy where it has variables. */
  render(): Bytes {
    if (this.pieces.length == 1) return view(this.pieces[0].text);
    this.write(writer.clear());
    return kept(writer.view());
  }
}
