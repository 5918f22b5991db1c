import {
  HTTPS_END,
  HTTP_START,
  KEPT_BYTES,
  PREAMBLE,
  REQUEST_NAMES,
  STATUS_START,
  USUAL_BYTES,
  copyAllowed,
  copySpans,
  moveUsed,
  newArena,
  usedBytes,
  wordsOf,
} from './arena.ts';
import { LOWER, SP, TARGET, TOKEN, VALUE } from './grammar.ts';
import type { RemovedNames } from './removed-names.ts';
import { copyWords, equalsLowerWords } from './words.ts';

// A constant of this file, for speed: see field-line.ts.
const FOLDED = LOWER;

/** What a block of fields belongs to; it decides which pseudo-headers come first. */
export const MessageKind = { Request: 0, Response: 1, Trailers: 2 } as const;
export type MessageKind = (typeof MessageKind)[keyof typeof MessageKind];

/** Indexes of the pseudo-headers of a request. */
export const Pseudo = { Method: 0, Path: 1, Authority: 2, Scheme: 3 } as const;
/** Index of the one pseudo-header of an answer. */
export const STATUS_INDEX = 0;

const DASH = 0x2d;

/**
 * The fields of one message: their bytes in an arena, and four offsets a field.
 *
 * The arena only grows while a message lives; an edit lays down a new line and moves the offsets, so
 * offsets taken before an edit still point at the bytes they pointed at, and a rollback is a matter of
 * offsets. Lines laid down here have the form `name: value CRLF`, so that the writer copies runs of them.
 *
 * What would break a line apart never gets in: a byte that no name has becomes `-`, and CR, LF, NUL and
 * other controls in a value become a space (RFC 9110, section 5.5). Callers check first and answer an
 * error; this is the last line of defence against request and response splitting.
 */
export class HeaderBlock {
  /** The arena. Replaced by a larger one when full: read the field again after every edit. */
  bytes: Buffer;
  /** The arena for copying four bytes at a time, which costs a quarter of a loop over bytes. Replaced with it. */
  words: DataView;
  /** Bytes used in the arena. */
  length = PREAMBLE.length;
  /** Name start, name end, value start, value end of each field. */
  spans = new Int32Array(4 * 32);
  /** Fields, pseudo-headers included. */
  count = 0;
  /** How many of the first fields are pseudo-headers: 4 in a request, 1 in an answer, 0 in trailers. */
  pseudo = 0;
  /** Grows with every change of the fields, so that what was worked out from them can be kept. */
  edits = 0;
  /** Grows with every change of a pseudo-header, and now and then without one. */
  pseudoEdits = 0;
  kind: MessageKind = MessageKind.Trailers;
  /** Learns what is taken out; null where no trailers can come that it would matter to. */
  removed: RemovedNames | null = null;

  /** Bytes below this were received or reserved and keep their offsets for the life of the message. */
  private fixed = PREAMBLE.length;
  private guarded = false;
  private savedBytes: Buffer | null = null;
  private savedSpans = new Int32Array(0);
  private savedCount = 0;
  private savedLength = 0;

  constructor(capacity = USUAL_BYTES) {
    this.bytes = newArena(Math.max(capacity, PREAMBLE.length));
    this.words = wordsOf(this.bytes);
  }

  /** Empties the block and lays down the pseudo-headers of `kind` with empty values (`:scheme` is `http`). */
  reset(kind: MessageKind): void {
    if (this.bytes.length > KEPT_BYTES) this.setArena(newArena(USUAL_BYTES));
    this.kind = kind;
    this.length = this.fixed = PREAMBLE.length;
    this.edits++;
    this.removed = null;
    this.guarded = false;
    this.savedBytes = null;
    if (kind === MessageKind.Request) {
      this.count = this.pseudo = 4;
      for (let i = 0; i < 4; i++) this.setSpan(i, REQUEST_NAMES[i]!, REQUEST_NAMES[i + 1]!, 0, 0);
      this.setScheme(false);
    } else if (kind === MessageKind.Response) {
      this.count = this.pseudo = 1;
      this.setSpan(STATUS_INDEX, STATUS_START, PREAMBLE.length, 0, 0);
    } else {
      this.count = this.pseudo = 0;
    }
  }

  /** Points `:scheme` of a request at `https` or `http`. Not an edit: the connection decides it. */
  setScheme(secure: boolean): void {
    this.spans[4 * Pseudo.Scheme + 2] = HTTP_START;
    this.spans[4 * Pseudo.Scheme + 3] = secure ? HTTPS_END : HTTPS_END - 1;
  }

  /** @returns index of the first field of that name at or after `from`, in any case, or -1 */
  find(name: Uint8Array, start: number, end: number, from = 0): number {
    const { bytes, spans, count } = this;
    const size = end - start;
    for (let i = from; i < count; i++) {
      const at = spans[4 * i]!;
      if (spans[4 * i + 1]! - at !== size) continue;
      let k = 0;
      while (k < size && FOLDED[bytes[at + k]!] === FOLDED[name[start + k]!]) k++;
      if (k === size) return i;
    }
    return -1;
  }

  indexOf(name: Buffer, from = 0): number {
    return this.find(name, 0, name.length, from);
  }

  /** As `find`, for a name in lower case that starts its view. */
  findWords(name: DataView, size: number, from = 0): number {
    const { words, spans, count } = this;
    for (let i = from; i < count; i++) {
      const at = spans[4 * i]!;
      if (spans[4 * i + 1]! - at === size && equalsLowerWords(words, at, name, 0, size)) return i;
    }
    return -1;
  }

  append(
    name: Uint8Array,
    nameStart: number,
    nameEnd: number,
    value: Uint8Array,
    valueStart: number,
    valueEnd: number,
  ): void {
    this.beforeEdit();
    this.reserveFields(this.count + 1);
    const index = this.count;
    this.layLine(index, name, nameStart, nameEnd, value, valueStart, valueEnd);
    this.count = index + 1;
  }

  /** For cold paths; text is taken as latin1. */
  appendText(name: string, value: string): void {
    const nameBytes = Buffer.from(name, 'latin1');
    const valueBytes = Buffer.from(value, 'latin1');
    this.append(nameBytes, 0, nameBytes.length, valueBytes, 0, valueBytes.length);
  }

  setValue(index: number, value: Uint8Array, start: number, end: number): void {
    this.beforeEdit();
    if (index >= this.pseudo) {
      const nameStart = this.spans[4 * index]!;
      this.layLine(index, this.bytes, nameStart, this.spans[4 * index + 1]!, value, start, end);
      return;
    }
    this.reserve(end - start);
    this.pseudoEdits++;
    const at = this.length;
    this.length = copyAllowed(TARGET, DASH, value, start, end, this.bytes, at);
    this.spans[4 * index + 2] = at;
    this.spans[4 * index + 3] = this.length;
  }

  /** For cold paths; text is taken as latin1. */
  setValueText(index: number, value: string): void {
    const bytes = Buffer.from(value, 'latin1');
    this.setValue(index, bytes, 0, bytes.length);
  }

  /** The first field of that name gets the value and keeps its place, others of that name go; appends where there is none. */
  replace(
    name: Uint8Array,
    nameStart: number,
    nameEnd: number,
    value: Uint8Array,
    valueStart: number,
    valueEnd: number,
  ): void {
    const first = this.find(name, nameStart, nameEnd);
    if (first < 0) {
      this.append(name, nameStart, nameEnd, value, valueStart, valueEnd);
      return;
    }
    this.setValue(first, value, valueStart, valueEnd);
    let other = this.find(name, nameStart, nameEnd, first + 1);
    while (other >= 0) {
      this.removeAt(other);
      other = this.find(name, nameStart, nameEnd, other);
    }
  }

  /**
   * As `append`, for a name in lower case that starts its view and a value, both of which were checked: they
   * are copied as they are.
   */
  appendWords(name: DataView, nameSize: number, value: DataView, valueStart: number, valueEnd: number): void {
    this.beforeEdit();
    this.reserveFields(this.count + 1);
    const index = this.count;
    this.layWords(index, name, 0, nameSize, value, valueStart, valueEnd);
    this.count = index + 1;
  }

  /** As `replace`, under the terms of `appendWords`. */
  replaceWords(
    name: DataView,
    nameSize: number,
    value: DataView,
    valueStart: number,
    valueEnd: number,
  ): void {
    const first = this.findWords(name, nameSize, this.pseudo);
    if (first < 0) {
      this.appendWords(name, nameSize, value, valueStart, valueEnd);
      return;
    }
    this.beforeEdit();
    // The name as it stands: what was received keeps its spelling.
    this.layWords(first, this.words, this.spans[4 * first]!, nameSize, value, valueStart, valueEnd);
    this.removeWords(name, nameSize, first + 1);
  }

  /** Removes the fields of a name in lower case that starts its view, from a field on. */
  removeWords(name: DataView, size: number, from = this.pseudo): void {
    this.removed?.add(new Uint8Array(name.buffer, name.byteOffset, size), 0, size);
    let index = this.findWords(name, size, from);
    while (index >= 0) {
      this.removeAt(index);
      index = this.findWords(name, size, index);
    }
  }

  /** For cold paths; text is taken as latin1. */
  replaceText(name: string, value: string): void {
    const nameBytes = Buffer.from(name, 'latin1');
    const valueBytes = Buffer.from(value, 'latin1');
    this.replace(nameBytes, 0, nameBytes.length, valueBytes, 0, valueBytes.length);
  }

  /** Pseudo-headers have fixed places and stay: removing one does nothing. */
  removeAt(index: number): void {
    if (index < this.pseudo || index >= this.count) return;
    this.beforeEdit();
    const { spans } = this;
    this.removed?.add(this.bytes, spans[4 * index]!, spans[4 * index + 1]!);
    const end = 4 * --this.count;
    // A call of copyWithin costs more than moving what a usual head holds.
    for (let i = 4 * index; i < end; i++) spans[i] = spans[i + 4]!;
  }

  /** @returns how many fields went */
  remove(name: Uint8Array, start: number, end: number): number {
    this.removed?.add(name, start, end);
    let removed = 0;
    let index = this.find(name, start, end, this.pseudo);
    while (index >= 0) {
      this.removeAt(index);
      removed++;
      index = this.find(name, start, end, index);
    }
    return removed;
  }

  removeAll(name: Buffer): number {
    return this.remove(name, 0, name.length);
  }

  equalsValue(index: number, expected: Buffer): boolean {
    const start = this.spans[4 * index + 2]!;
    const size = expected.length;
    if (this.spans[4 * index + 3]! - start !== size) return false;
    for (let k = 0; k < size; k++) if (this.bytes[start + k] !== expected[k]) return false;
    return true;
  }

  /** latin1, lower case. */
  nameText(index: number): string {
    return this.bytes.toString('latin1', this.spans[4 * index], this.spans[4 * index + 1]).toLowerCase();
  }

  /** latin1. */
  valueText(index: number): string {
    return this.bytes.toString('latin1', this.spans[4 * index + 2], this.spans[4 * index + 3]);
  }

  /** The first value of a name, for cold paths. */
  get(name: string): string | undefined {
    const index = this.indexOf(Buffer.from(name, 'latin1'));
    return index < 0 ? undefined : this.valueText(index);
  }

  /** All fields in order, pseudo-headers first, for cold paths. */
  entries(): [string, string][] {
    return Array.from({ length: this.count }, (_, i) => [this.nameText(i), this.valueText(i)]);
  }

  /** From here on the fields can be brought back with `rollback`, until `commit`. Costs nothing before the first edit. */
  checkpoint(): void {
    this.guarded = true;
    this.savedBytes = null;
  }

  rollback(): void {
    if (this.savedBytes !== null) {
      if (this.bytes !== this.savedBytes) this.setArena(this.savedBytes);
      this.length = this.savedLength;
      this.count = this.savedCount;
      copySpans(this.savedSpans, this.spans, this.count);
      this.edits++;
      this.pseudoEdits++;
    }
    this.commit();
  }

  commit(): void {
    this.guarded = false;
    this.savedBytes = null;
  }

  /** Takes over the other block's kind, bytes and fields. */
  copyFrom(other: HeaderBlock): void {
    this.beforeEdit();
    this.pseudoEdits++;
    this.kind = other.kind;
    this.pseudo = other.pseudo;
    // Another block's bytes under this block's saved offsets would be nonsense: take a fresh arena then.
    if (this.bytes.length < other.length || this.savedBytes === this.bytes) {
      this.setArena(newArena(Math.max(other.length, this.bytes.length)));
    }
    other.bytes.copy(this.bytes, 0, 0, other.length);
    this.length = other.length;
    this.fixed = other.fixed;
    this.reserveFields(other.count);
    copySpans(other.spans, this.spans, other.count);
    this.count = other.count;
  }

  /**
   * For readers: copies received bytes to the end of the arena as they are.
   *
   * @returns offset of the first of them
   */
  appendReceived(from: Buffer, start: number, end: number): number {
    const at = this.length;
    const size = end - start;
    if (at + size > this.bytes.length) {
      // Spans of a reader may lie in bytes that are only now copied: offsets must stay.
      const old = this.bytes;
      this.setArena(newArena(2 * (at + size)));
      old.copy(this.bytes, 0, 0, at);
    }
    // `copy` makes one small view object; a loop costs ten times as much at the size of a head.
    from.copy(this.bytes, at, start, end);
    this.length = this.fixed = at + size;
    return at;
  }

  /** For readers: forgets received bytes from `length` on, such as the start of a body that came in the same read. */
  truncateReceived(length: number): void {
    this.length = this.fixed = length;
  }

  /** For readers: makes room for that many fields, so that writing spans needs no check. */
  reserveFields(count: number): void {
    if (4 * count <= this.spans.length) return;
    const larger = new Int32Array(Math.max(4 * count, 2 * this.spans.length));
    larger.set(this.spans);
    this.spans = larger;
  }

  /**
   * Appends lines of weir's own that were made once, each `name: value CRLF`, without looking at their bytes.
   *
   * @param offsets four a field, as in `spans`, counted from the start of `lines`
   * @returns where `lines` begins in the arena
   */
  appendLines(lines: Buffer, offsets: Int32Array): number {
    this.beforeEdit();
    this.reserve(lines.length);
    const fields = offsets.length / 4;
    this.reserveFields(this.count + fields);
    const { bytes, spans } = this;
    const at = this.length;
    bytes.set(lines, at);
    let to = 4 * this.count;
    for (let i = 0; i < offsets.length; i++) spans[to++] = at + offsets[i]!;
    this.length = at + lines.length;
    this.count += fields;
    return at;
  }

  /** For rewriters of a pseudo-header: makes room for `size` bytes at `length` and counts an edit. */
  prepareEdit(size: number): void {
    this.beforeEdit();
    this.pseudoEdits++;
    this.reserve(size);
  }

  private setArena(bytes: Buffer): void {
    this.bytes = bytes;
    this.words = wordsOf(bytes);
  }

  private setSpan(
    index: number,
    nameStart: number,
    nameEnd: number,
    valueStart: number,
    valueEnd: number,
  ): void {
    this.spans[4 * index] = nameStart;
    this.spans[4 * index + 1] = nameEnd;
    this.spans[4 * index + 2] = valueStart;
    this.spans[4 * index + 3] = valueEnd;
  }

  /** Writes `name: value CRLF` at the end of the arena and points the field at it. The name may lie in this arena. */
  private layLine(
    index: number,
    name: Uint8Array,
    nameStart: number,
    nameEnd: number,
    value: Uint8Array,
    valueStart: number,
    valueEnd: number,
  ): void {
    // This may move everything to another arena; `name` and `value` then still point into the old one.
    this.reserve(nameEnd - nameStart + valueEnd - valueStart + 4);
    const { bytes } = this;
    const at = this.length;
    const colon = copyAllowed(TOKEN, DASH, name, nameStart, nameEnd, bytes, at);
    bytes[colon] = 0x3a;
    bytes[colon + 1] = SP;
    const end = copyAllowed(VALUE, SP, value, valueStart, valueEnd, bytes, colon + 2);
    bytes[end] = 0x0d;
    bytes[end + 1] = 0x0a;
    this.length = end + 2;
    this.setSpan(index, at, colon, colon + 2, end);
  }

  /** The same for bytes that were checked. */
  private layWords(
    index: number,
    name: DataView,
    nameStart: number,
    nameSize: number,
    value: DataView,
    valueStart: number,
    valueEnd: number,
  ): void {
    const valueSize = valueEnd - valueStart;
    this.reserve(nameSize + valueSize + 4);
    const { bytes, words } = this;
    const at = this.length;
    copyWords(name, nameStart, words, at, nameSize);
    const colon = at + nameSize;
    bytes[colon] = 0x3a;
    bytes[colon + 1] = SP;
    copyWords(value, valueStart, words, colon + 2, valueSize);
    const end = colon + 2 + valueSize;
    bytes[end] = 0x0d;
    bytes[end + 1] = 0x0a;
    this.length = end + 2;
    this.setSpan(index, at, colon, colon + 2, end);
  }

  private beforeEdit(): void {
    this.edits++;
    if (!this.guarded || this.savedBytes !== null) return;
    if (this.savedSpans.length < 4 * this.count) this.savedSpans = new Int32Array(this.spans.length);
    copySpans(this.spans, this.savedSpans, this.count);
    this.savedCount = this.count;
    this.savedBytes = this.bytes;
    this.savedLength = this.length;
  }

  private reserve(size: number): void {
    if (this.length + size <= this.bytes.length) return;
    this.replaceArena(usedBytes(this.spans, this.count, this.pseudo, this.fixed) + size);
  }

  /**
   * Moves into a larger arena, leaving behind lines that no field uses: a filter that sets a field
   * again and again costs no more memory than the largest state it makes.
   */
  private replaceArena(atLeast: number): void {
    const old = this.bytes;
    this.setArena(newArena(2 * atLeast));
    this.length = moveUsed(old, this.bytes, this.spans, this.count, this.pseudo, this.fixed);
  }
}
