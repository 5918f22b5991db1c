import { ByteWriter, Bytes, isToken, view } from '@weir/filters-sdk/assembly';
import { Config, JsonKind, JsonValue, faultAt } from '@weir/filters-sdk/assembly/config';
import { Parts, decodeQuery, encodePart } from '@weir/filters-sdk/assembly/parts';
import { Template } from '@weir/filters-sdk/assembly/template';
import { templateOf, textOf } from './values';

// Edits to what consists of `name=value`: the query of a path, and the cookies of a request.

const parts = new Parts();
const decoded = new ByteWriter(128);

/** How names and values are written. */
export enum Style {
  /** Parted by `&`, in percent encoding. */
  Query,
  /** Parted by `; `, as they are. */
  Cookie,
}

/** One change to a list of parts: reads one text and writes another. */
abstract class PartEdit {
  constructor(
    protected style: Style,
    /** Decoded. */
    protected name: ArrayBuffer,
  ) {}

  abstract apply(text: Bytes, out: ByteWriter): void;

  protected begin(text: Bytes): Parts {
    return this.style == Style.Query ? parts.parameters(text) : parts.cookies(text);
  }

  protected isNamed(part: Parts, name: ArrayBuffer): bool {
    const written = part.name;
    return this.style == Style.Query ? decodeQuery(written, decoded).equals(name) : written.equals(name);
  }

  /** Begins the next part of what is written. */
  protected next(out: ByteWriter): ByteWriter {
    if (out.length == 0) return out;
    return this.style == Style.Query ? out.addByte(38) : out.addByte(59).addByte(32);
  }

  /** Hands on a part as it came; an empty one is left out. */
  protected keep(part: Parts, out: ByteWriter): void {
    const whole = part.whole;
    if (whole.length > 0) this.next(out).add(whole);
  }

  protected write(name: ArrayBuffer, value: Template, out: ByteWriter): void {
    this.next(out);
    this.writeText(view(name), out);
    out.addByte(61);
    this.writeText(value.render(), out);
  }

  protected writeText(text: Bytes, out: ByteWriter): void {
    if (this.style == Style.Query) encodePart(text, out);
    else writeCookieText(text, out);
  }
}

class Remove extends PartEdit {
  apply(text: Bytes, out: ByteWriter): void {
    const part = this.begin(text);
    while (part.next()) if (!this.isNamed(part, this.name)) this.keep(part, out);
  }
}

/** Values go over to another name, in place of those that it has. */
class Rename extends PartEdit {
  constructor(
    style: Style,
    name: ArrayBuffer,
    private to: ArrayBuffer,
  ) {
    super(style, name);
  }

  apply(text: Bytes, out: ByteWriter): void {
    let found = false;
    let part = this.begin(text);
    while (!found && part.next()) found = this.isNamed(part, this.name);
    part = this.begin(text);
    while (part.next()) {
      if (found && this.isNamed(part, this.to)) continue;
      if (!this.isNamed(part, this.name)) {
        this.keep(part, out);
        continue;
      }
      this.next(out);
      this.writeText(view(this.to), out);
      const whole = part.whole;
      const equals = whole.indexOf(61);
      if (equals >= 0) out.add(whole.slice(equals));
    }
  }
}

/** Where the first part of the name stands, and in place of all of them; else behind the others. */
class SetTo extends PartEdit {
  constructor(
    style: Style,
    name: ArrayBuffer,
    private value: Template,
  ) {
    super(style, name);
  }

  apply(text: Bytes, out: ByteWriter): void {
    let done = false;
    const part = this.begin(text);
    while (part.next()) {
      if (!this.isNamed(part, this.name)) {
        this.keep(part, out);
      } else if (!done) {
        done = true;
        this.write(this.name, this.value, out);
      }
    }
    if (!done) this.write(this.name, this.value, out);
  }
}

class Add extends PartEdit {
  constructor(
    style: Style,
    name: ArrayBuffer,
    private value: Template,
  ) {
    super(style, name);
  }

  apply(text: Bytes, out: ByteWriter): void {
    out.add(text);
    this.write(this.name, this.value, out);
  }
}

/** All edits to a query or to cookies, in the documented order: rename, remove, set, add. */
export class PartEdits {
  private edits: PartEdit[] = [];
  private first: ByteWriter = new ByteWriter(256);
  private second: ByteWriter = new ByteWriter(256);

  constructor(private style: Style) {}

  get isEmpty(): bool {
    return this.edits.length == 0;
  }

  read(config: Config): this {
    const rename = config.object('rename').all();
    for (let i = 0; i < rename.length; i++) {
      const to = this.checked(rename[i], textOf(rename[i]));
      if (view(to).equals(rename[i].name)) faultAt(rename[i], 'that is its name already');
      this.edits.push(new Rename(this.style, this.checked(rename[i], rename[i].name), to));
    }
    const remove = config.items('remove');
    for (let i = 0; i < remove.length; i++) {
      this.edits.push(new Remove(this.style, this.checked(remove[i], textOf(remove[i]))));
    }
    const set = config.object('set').all();
    for (let i = 0; i < set.length; i++) {
      this.edits.push(new SetTo(this.style, this.checked(set[i], set[i].name), templateOf(set[i])));
    }
    // A cookie of a name that is there already would be two of one name.
    if (this.style == Style.Query) this.readAdded(config.object('add').all());
    return this;
  }

  private readAdded(add: JsonValue[]): void {
    for (let i = 0; i < add.length; i++) {
      const name = this.checked(add[i], add[i].name);
      if (add[i].kind != JsonKind.Array) {
        this.edits.push(new Add(this.style, name, templateOf(add[i])));
        continue;
      }
      const items = add[i].items;
      for (let k = 0; k < items.length; k++) this.edits.push(new Add(this.style, name, templateOf(items[k])));
    }
  }

  private checked(at: JsonValue, name: ArrayBuffer): ArrayBuffer {
    if (this.style == Style.Cookie && !isCookieName(name)) faultAt(at, 'not the name of a cookie');
    return name;
  }

  /** The text after all edits; good until the next call. */
  apply(text: Bytes): Bytes {
    let from = text;
    for (let i = 0; i < this.edits.length; i++) {
      const out = (i & 1) == 0 ? this.first : this.second;
      this.edits[i].apply(from, out.clear());
      from = out.view();
    }
    return from;
  }
}

export function isCookieName(name: ArrayBuffer): bool {
  const bytes = view(name);
  for (let i = 0; i < bytes.length; i++) if (!isToken(bytes.at(i))) return false;
  return bytes.length > 0;
}

/** What may not stand in a cookie's value (RFC 6265, section 4.1.1) becomes `%41`. */
export function writeCookieText(text: Bytes, out: ByteWriter): void {
  for (let i = 0; i < text.length; i++) {
    const byte = text.at(i);
    const stays = byte > 32 && byte < 127 && byte != 34 && byte != 44 && byte != 59 && byte != 92;
    if (stays) out.addByte(byte);
    else encodePart(text.slice(i, i + 1), out);
  }
}
