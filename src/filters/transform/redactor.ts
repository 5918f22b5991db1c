import { ByteWriter, Bytes } from '@weir/filters-sdk/assembly';
import { decodeString } from './json-text';
import { Redaction, Redactions, writeMasked } from './redactions';
import { MOST_DEPTH, Scanner } from './scanner';

const COMMA = 44;
/** A name, or a gap between values, that has to be kept from one piece to the next. */
const MOST_KEPT = 65536;
/** What is longer is hidden as a whole. */
const MOST_MASKED = 4096;
const NOTHING = new Redactions();
const decoded = new ByteWriter(256);
/** One for all names: a view of its own for each would fill the memory of a callback. */
const nameView = changetype<Bytes>(memory.data(8, 8));

/**
 * Reads a document in pieces, and hands on what may be seen of it. What is not redacted goes out byte for byte; whatever
 * the text is, nothing goes out before it was understood.
 */
export class Redactor extends Scanner {
  private rules: Redactions = NOTHING;
  /** For each depth, and one more for the value that comes: how far the pointers have been followed. */
  private sets: StaticArray<u64> = new StaticArray<u64>(0);
  private size: i32 = 0;
  private indexes: StaticArray<i32> = new StaticArray<i32>(MOST_DEPTH + 2);
  /** For each list: something of it went out; something of it was dropped. */
  private shown: StaticArray<u8> = new StaticArray<u8>(MOST_DEPTH + 2);
  private dropped: StaticArray<u8> = new StaticArray<u8>(MOST_DEPTH + 2);
  /** Nothing below this depth is redacted; no need to look at names. */
  private plainFrom: i32 = i32.MAX_VALUE;

  /** Depth of the value that is being left out, -1 for none. */
  private hiddenAt: i32 = -1;
  private redaction: Redaction | null = null;
  /** Of the value that comes: what was found by its name. */
  private found: i32 = -1;

  /** From where on the piece goes out as it is. */
  private run: usize = 0;
  /** Where the gap in front of the next value begins. */
  private gap: usize = 0;
  private nameAt: usize = 0;
  private maskedAt: usize = 0;
  private out: ByteWriter = decoded;
  private heldGap: ByteWriter = new ByteWriter(0);
  private heldName: ByteWriter = new ByteWriter(0);
  private masked: ByteWriter = new ByteWriter(0);

  constructor() {
    super(0);
  }

  /** To the front of a document. */
  start(rules: Redactions, maxDepth: i32): void {
    super.begin();
    this.maxDepth = maxDepth;
    this.rules = rules;
    this.size = rules.words;
    if (this.sets.length < this.size * (MOST_DEPTH + 2)) {
      this.sets = new StaticArray<u64>(this.size * (MOST_DEPTH + 2));
    }
    this.plainFrom = rules.isEmpty ? 0 : i32.MAX_VALUE;
    this.hiddenAt = -1;
    this.found = rules.ofRoot;
    this.heldGap.clear();
    this.heldName.clear();
    this.masked.clear();
  }

  @inline
  private setAt(depth: i32): usize {
    return changetype<usize>(this.sets) + 8 * this.size * depth;
  }

  /**
   * Reads a piece, and writes what may be seen.
   *
   * @returns false: it is not JSON. What was written until then was
   */
  read(piece: Bytes, out: ByteWriter): bool {
    const from = piece.start;
    const to = from + piece.length;
    this.out = out;
    this.run = from;
    this.gap = from;
    this.nameAt = from;
    this.maskedAt = from;
    if (!this.scan(from, to)) return false;
    if (this.hiddenAt >= 0) {
      this.mask(to);
      this.run = to;
    }
    const isInName = this.isName && this.isAwake;
    if (isInName) this.heldName.add(Bytes.of(this.nameAt, <i32>(to - this.nameAt)));
    // The gap belongs to a value that may have to go.
    const waits = this.rules.hasDrops && this.hiddenAt < 0 && this.depth > 0 && this.isBetween;
    if (waits) {
      this.flush(this.gap);
      this.heldGap.add(Bytes.of(this.gap, <i32>(to - this.gap)));
    } else this.flush(to);
    return this.heldGap.length <= MOST_KEPT && this.heldName.length <= MOST_KEPT;
  }

  /** The text is over: whether it was a whole document. */
  finish(out: ByteWriter): bool {
    this.out = out;
    this.maskedAt = 0;
    this.run = 0;
    return super.end();
  }

  /** Names have to be looked at. */
  @inline
  private get isAwake(): bool {
    return this.hiddenAt < 0 && this.depth < this.plainFrom;
  }

  private flush(to: usize): void {
    if (to > this.run) this.out.add(Bytes.of(this.run, <i32>(to - this.run)));
    this.run = to;
  }

  protected nameBegins(at: usize): void {
    this.nameAt = at;
  }

  protected nameEnds(at: usize): void {
    if (!this.isAwake) return;
    let raw = nameView;
    raw.start = this.nameAt;
    raw.length = <i32>(at - this.nameAt) - 1;
    if (this.heldName.length > 0) {
      // The quote may have come with this piece, or the name is what the piece before ended with.
      raw = this.heldName.add(Bytes.of(this.nameAt, <i32>(at - this.nameAt))).view();
      raw = raw.slice(0, raw.length - 1);
    }
    const depth = this.depth;
    const name = this.isEscaped ? decodeString(raw, decoded) : raw;
    this.found = this.rules.step(this.setAt(depth), this.setAt(depth + 1), name, -1);
    this.heldName.clear();
  }

  protected valueBegins(at: usize): void {
    const depth = this.depth;
    if (this.hiddenAt >= 0) return;
    if (this.isAwake && depth > 0 && !this.inObject) {
      const index = unchecked(this.indexes[depth]++);
      this.found = this.rules.step(this.setAt(depth), this.setAt(depth + 1), nameView, index);
    }
    const found = this.found;
    this.found = -1;
    if (found >= 0) this.hide(at, this.rules.at(found));
    else this.show(at);
    this.open(at);
  }

  /** The value is a list, perhaps: what is in it has its own set, and its own count. */
  private open(at: usize): void {
    const byte = load<u8>(at);
    if (this.hiddenAt >= 0 || (byte != 123 && byte != 91)) return;
    const depth = this.depth + 1;
    this.gap = at + 1;
    this.indexes[depth] = 0;
    this.shown[depth] = 0;
    this.dropped[depth] = 0;
    if (depth >= this.plainFrom) return;
    // The root's own set is the first; those of lists below were made when their name was read.
    if (this.depth == 0) this.rules.begin(this.setAt(1));
    if (this.rules.isNothing(this.setAt(depth))) this.plainFrom = depth;
  }

  private show(at: usize): void {
    this.passGap(at);
    this.shown[this.depth] = 1;
  }

  private passGap(at: usize): void {
    const depth = this.depth;
    if (this.dropped[depth] == 0 || this.shown[depth] != 0 || depth == 0) {
      this.releaseGap();
      return;
    }
    // All in front of it were dropped: the comma goes too.
    this.flush(this.gap);
    const held = this.heldGap;
    const comma = held.view().indexOf(COMMA);
    const gap = Bytes.of(this.gap, <i32>(at - this.gap));
    if (comma >= 0)
      this.out
        .add(held.view().slice(0, comma))
        .add(held.view().slice(comma + 1))
        .add(gap);
    else {
      const here = gap.indexOf(COMMA);
      this.out.add(held.view());
      if (here < 0) this.out.add(gap);
      else this.out.add(gap.slice(0, here)).add(gap.slice(here + 1));
    }
    held.clear();
    this.run = at;
  }

  private releaseGap(): void {
    if (this.heldGap.length == 0) return;
    this.out.add(this.heldGap.view());
    this.heldGap.clear();
  }

  private hide(at: usize, redaction: Redaction): void {
    this.hiddenAt = this.depth;
    this.redaction = redaction;
    if (redaction.drop) {
      this.flush(this.gap);
      this.heldGap.clear();
      this.dropped[this.depth] = 1;
      return;
    }
    this.show(at);
    this.flush(at);
    const value = redaction.value;
    if (value !== null) value.write(this.out);
    this.maskedAt = at;
    this.masked.clear();
  }

  /** Keeps of a value that is masked what of it has come. */
  private mask(to: usize): void {
    if (this.redaction!.keepLast < 0 || this.masked.length > MOST_MASKED) return;
    const size = min<usize>(to - this.maskedAt, MOST_MASKED + 1);
    this.masked.add(Bytes.of(this.maskedAt, <i32>size));
  }

  protected listEnds(_at: usize): void {
    if (this.hiddenAt < 0) this.releaseGap();
    if (this.depth == this.plainFrom && this.plainFrom > 0) this.plainFrom = i32.MAX_VALUE;
  }

  protected valueEnds(at: usize): void {
    this.gap = at;
    if (this.hiddenAt != this.depth) return;
    const redaction = this.redaction!;
    if (redaction.keepLast >= 0) {
      if (at != 0) this.mask(at);
      const text = this.masked.view();
      writeMasked(text.length > MOST_MASKED ? text.slice(0, 0) : text, redaction.keepLast, this.out);
    }
    this.hiddenAt = -1;
    this.run = at;
  }
}
