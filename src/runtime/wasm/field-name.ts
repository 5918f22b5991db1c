import { FieldId, equalsIgnoringCase, fieldId } from '../http/fields.ts';
import { LOWER, TOKEN, TOKEN_ODD } from '../http/grammar.ts';
import { mapsToFraming } from '../http/odd-name.ts';
import { equalsWords } from '../http/words.ts';
import { FIELD_NAME_BYTES } from './limits.ts';

const COLON = 0x3a;
const SLOTS = 1024;
/** A longer name is worked out anew each time: guests use few names, and those are short. */
const LONGEST = 64;

const REQUEST_PSEUDO = [':method', ':path', ':authority', ':scheme'].map((name) => Buffer.from(name));
const RESPONSE_PSEUDO = [Buffer.from(':status')];

/** What there is to know of a field's name as a guest passed it. */
export class FieldName {
  /** In lower case. */
  readonly bytes: Buffer;
  readonly words: DataView;
  readonly size: number;
  readonly id: FieldId;
  /** A token that no server behind may read as a framing field; pseudo-headers are none. */
  readonly valid: boolean;
  /** Index among the pseudo-headers of a request; -1: none of them. */
  readonly requestPseudo: number;
  /** The same for a response. */
  readonly responsePseudo: number;
  /** As the guest spelled it. */
  readonly spelled: DataView;

  constructor(memory: Uint8Array, start: number, size: number) {
    const spelled = Buffer.from(memory.subarray(start, start + size));
    this.spelled = viewOf(spelled);
    this.bytes = Buffer.from(spelled);
    this.size = size;
    let classes = 0;
    let token = size > 0;
    for (let i = 0; i < size; i++) {
      const byte = spelled[i]!;
      if (TOKEN[byte] === 0) token = false;
      classes |= TOKEN[byte]!;
      this.bytes[i] = LOWER[byte]!;
    }
    this.words = viewOf(this.bytes);
    this.valid = token && ((classes & TOKEN_ODD) === 0 || !mapsToFraming(this.bytes, 0, size));
    this.id = this.valid ? fieldId(this.bytes, 0, size) : FieldId.Other;
    const pseudo = size > 0 && spelled[0] === COLON;
    this.requestPseudo = pseudo ? indexIn(REQUEST_PSEUDO, this.bytes) : -1;
    this.responsePseudo = pseudo ? indexIn(RESPONSE_PSEUDO, this.bytes) : -1;
  }
}

const slots = new Array<FieldName | null>(SLOTS).fill(null);
const TOO_LONG = new FieldName(new Uint8Array(0), 0, 0);

/**
 * The name at a place in guest memory that has been checked. Found by content, so that nothing a guest does
 * makes one name pass for another; what does not fit into the table is worked out again.
 *
 * @param words the same memory as `memory`
 */
export function fieldNameAt(memory: Uint8Array, words: DataView, start: number, size: number): FieldName {
  if (size > LONGEST) return size > FIELD_NAME_BYTES ? TOO_LONG : new FieldName(memory, start, size);
  const slot = hash(words, start, size) & (SLOTS - 1);
  const known = slots[slot]!;
  if (known !== null && known.size === size && equalsWords(known.spelled, 0, words, start, size))
    return known;
  const name = new FieldName(memory, start, size);
  slots[slot] = name;
  return name;
}

/** Over the first, middle and last bytes: names that differ in none of them share a slot. */
function hash(words: DataView, start: number, size: number): number {
  if (size < 4)
    return size === 0 ? 0 : Math.imul(words.getUint8(start) + words.getUint8(start + size - 1), 31) + size;
  const last = size - 4;
  const mixed =
    Math.imul(words.getInt32(start, true), 0x9e3779b1) ^
    Math.imul(words.getInt32(start + (last >> 1), true), 0x85ebca6b) ^
    Math.imul(words.getInt32(start + last, true), 0xc2b2ae35);
  return (mixed ^ (mixed >>> 15)) + size;
}

function viewOf(bytes: Buffer): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}

function indexIn(names: readonly Buffer[], name: Buffer): number {
  return names.findIndex((known) => equalsIgnoringCase(name, 0, name.length, known));
}
