import { ByteWriter, Bytes } from '@weir/filters-sdk/assembly';
import { allocate } from '@weir/filters-sdk/assembly/arena';
import { decodeString, isJsonBlank, skipBlanks, skipString, skipValue, writeString } from './json-text';
import { kept } from './json-value';
import { indexOf } from './pointers';

const COMMA = 44;
const OBJECT = 123;
const LIST = 91;
const EMPTY_OBJECT = memory.data<u8>([123, 125]);

const decoded = new ByteWriter(128);
const written = new ByteWriter(1024);

/** Values in all lists that an edit goes through: more cost more than a request may. */
const MOST_VALUES = 10000;

let opened = 0;
let unclear = false;

/**
 * Whether an edit went through an object in which a name stands twice, of which readers do not agree which one counts, or through
 * too many values; since {@link beginEdit}.
 */
export function isUnclear(): bool {
  return unclear;
}

export function beginEdit(): void {
  unclear = false;
  opened = 0;
}

/**
 * A value of a document that is known to be valid, as text and, once it is opened, as a list of values. What is not edited is
 * written as it stood. Lives as long as the callback.
 */
@unmanaged
export class Node {
  /** Of the value. */
  start: usize;
  end: usize;
  /** What stands in front of it in its list: blanks, a comma, the name and the colon. */
  gap: usize;
  gapEnd: usize;
  /** Raw, between its quotes. */
  name: usize;
  nameEnd: usize;
  /** Behind the last value of a list. */
  tail: usize;
  first: Node | null;
  last: Node | null;
  next: Node | null;
  parent: Node | null;
  count: i32;
  isOpen: bool;
  isChanged: bool;

  static of(start: usize, end: usize, parent: Node | null): Node {
    const at = allocate(offsetof<Node>());
    memory.fill(at, 0, offsetof<Node>());
    const node = changetype<Node>(at);
    node.start = start;
    node.end = end;
    node.parent = parent;
    return node;
  }

  /** The document of a valid text, without what stands around it. */
  static ofText(text: Bytes): Node {
    const end = text.start + text.length;
    // A byte order mark is no part of it.
    const start = skipBlanks(text.length > 2 && text.at(0) == 0xef ? text.start + 3 : text.start, end);
    return Node.of(start, skipValue(start, end), null);
  }

  /** Its first byte, which says what it is. */
  get kind(): i32 {
    return load<u8>(this.start);
  }

  get isObject(): bool {
    return this.kind == OBJECT;
  }

  get isList(): bool {
    return this.kind == LIST;
  }

  get nameText(): Bytes {
    return Bytes.of(this.name, <i32>(this.nameEnd - this.name));
  }

  /** Reads what is in an object or a list. */
  open(): void {
    if (this.isOpen) return;
    this.isOpen = true;
    const isObject = this.isObject;
    const close = this.end - 1;
    let at = this.start + 1;
    this.tail = at;
    while (true) {
      const gap = at;
      at = skipBlanks(at, close);
      if (at >= close) return;
      if (load<u8>(at) == COMMA) at = skipBlanks(at + 1, close);
      if (++opened > MOST_VALUES) {
        unclear = true;
        return;
      }
      const child = Node.of(0, 0, this);
      child.gap = gap;
      if (isObject) {
        child.name = at + 1;
        at = skipString(at);
        child.nameEnd = at - 1;
        // The colon.
        at = skipBlanks(skipBlanks(at, close) + 1, close);
      }
      child.gapEnd = at;
      child.start = at;
      at = skipValue(at, close);
      child.end = at;
      this.tail = at;
      this.link(child);
    }
  }

  private link(child: Node): void {
    const last = this.last;
    if (last === null) this.first = child;
    else last.next = child;
    this.last = child;
    this.count++;
  }

  /** The member of a name, decoded; null where there is none. */
  member(name: Bytes): Node | null {
    this.open();
    let found: Node | null = null;
    let child = this.first;
    while (child !== null) {
      if (decodeString(child.nameText, decoded).equals(name)) {
        if (found !== null) unclear = true;
        found = child;
      }
      child = child.next;
    }
    return found;
  }

  /** The item at an index, null where there is none. */
  item(index: i32): Node | null {
    if (index < 0) return null;
    this.open();
    let child = this.first;
    while (child !== null && index > 0) {
      child = child.next;
      index--;
    }
    return child;
  }

  /** What a token of a pointer names in it. */
  child(token: Bytes): Node | null {
    if (this.isObject) return this.member(token);
    return this.isList ? this.item(indexOf(token)) : null;
  }

  /** A new member, behind the others. */
  append(name: Bytes, value: Bytes): void {
    this.open();
    written.clear();
    writeString(name, written);
    const gap = kept(written.addByte(58).view());
    const child = Node.of(value.start, value.start + value.length, this);
    child.gap = gap.start;
    child.gapEnd = gap.start + gap.length;
    child.name = gap.start + 1;
    child.nameEnd = child.gapEnd - 2;
    this.link(child);
    this.touch();
  }

  /** A new item in front of that at an index, which is at most their number. */
  insert(index: i32, value: Bytes): void {
    this.open();
    const child = Node.of(value.start, value.start + value.length, this);
    this.touch();
    if (index == this.count) {
      this.link(child);
      return;
    }
    this.count++;
    if (index == 0) {
      child.next = this.first;
      this.first = child;
      return;
    }
    const before = this.item(index - 1)!;
    child.next = before.next;
    before.next = child;
  }

  remove(child: Node): void {
    let before: Node | null = null;
    let other = this.first;
    while (other !== null && other !== child) {
      before = other;
      other = other.next;
    }
    if (before === null) this.first = child.next;
    else before.next = child.next;
    if (this.last === child) this.last = before;
    this.count--;
    this.touch();
  }

  /** Another value in its place. */
  set(value: Bytes): void {
    this.start = value.start;
    this.end = value.start + value.length;
    this.first = null;
    this.last = null;
    this.count = 0;
    this.isOpen = false;
    this.isChanged = false;
    const parent = this.parent;
    if (parent !== null) parent.touch();
  }

  /** An object without members. */
  empty(): void {
    this.set(Bytes.of(EMPTY_OBJECT, 2));
  }

  private touch(): void {
    let node: Node | null = this;
    while (node !== null && !node.isChanged) {
      node.isChanged = true;
      node = node.parent;
    }
  }

  write(out: ByteWriter): void {
    if (!this.isChanged) {
      out.add(Bytes.of(this.start, <i32>(this.end - this.start)));
      return;
    }
    out.addByte(this.kind);
    let child = this.first;
    while (child !== null) {
      child.writeGap(child === this.first, out);
      child.write(out);
      child = child.next;
    }
    out.add(Bytes.of(this.tail, <i32>(this.end - this.tail)));
  }

  /** The comma comes and goes with the place. */
  private writeGap(isFirst: bool, out: ByteWriter): void {
    let comma = this.gap;
    while (comma < this.gapEnd && isJsonBlank(load<u8>(comma))) comma++;
    const hasComma = comma < this.gapEnd && load<u8>(comma) == COMMA;
    if (hasComma && isFirst) {
      out.add(Bytes.of(this.gap, <i32>(comma - this.gap)));
      out.add(Bytes.of(comma + 1, <i32>(this.gapEnd - comma) - 1));
      return;
    }
    if (!hasComma && !isFirst) out.addByte(COMMA);
    out.add(Bytes.of(this.gap, <i32>(this.gapEnd - this.gap)));
  }

  /** Its text as it is now, to be put somewhere else. */
  text(): Bytes {
    if (!this.isChanged) return Bytes.of(this.start, <i32>(this.end - this.start));
    this.write(written.clear());
    return kept(written.view());
  }
}
