import { CR, HTAB, LF, NEED_MORE, REFUSED, SP, TOKEN, TOKEN_ODD, VALUE } from './grammar.ts';

const COLON = 0x3a;

// A table that is a constant of this very file is part of the compiled loop; an imported one is looked up
// again for every byte, which makes the scan half as fast.
const NAME_BYTE = TOKEN;
const VALUE_BYTE = VALUE;

/** What is wrong with a field line. Texts are stable: they go to logs and metrics. */
export const LineFault = {
  Name: 'bad byte in field name',
  EmptyName: 'empty field name',
  Folded: 'folded field line',
  NoColon: 'field line without colon',
  SpaceBeforeColon: 'space before colon',
  Value: 'bad byte in field value',
  BareLf: 'bare lf',
  BareCr: 'bare cr',
  TooLong: 'field too long',
} as const;
export type LineFault = (typeof LineFault)[keyof typeof LineFault];

/**
 * Scans one field line, `name ":" OWS value OWS CRLF` (RFC 9112, section 5), of a head or of trailers.
 * One object is used again for every line; the results are its fields, as offsets in the scanned buffer.
 */
export class FieldLine {
  nameStart = 0;
  nameEnd = 0;
  valueStart = 0;
  valueEnd = 0;
  /** The name has a token byte that is neither letter, digit nor `-`. */
  odd = false;
  fault: LineFault = LineFault.Name;

  /**
   * @param at where the line starts; the byte there is not the CR of the blank line
   * @param end first offset that must not be read
   * @param longest most bytes from the name to the end of the value
   * @returns offset after CRLF, `NEED_MORE`, or `REFUSED` with `fault` set. A line is refused at its first bad
   *   byte, however much of it is there, so the outcome does not depend on how the bytes were cut into pieces.
   */
  scan(bytes: Buffer, at: number, end: number, longest: number): number {
    const limit = at + longest + 1;
    const stop = end < limit ? end : limit;
    let p = at;
    let seen = 0;
    for (; p < stop; p++) {
      const kind = NAME_BYTE[bytes[p]!]!;
      if (kind === 0) break;
      seen |= kind;
    }
    if (p === stop) return this.short(stop === limit);
    if (bytes[p] !== COLON || p === at) return this.refuseName(bytes[p]!, p === at);
    this.nameStart = at;
    this.nameEnd = p;
    this.odd = (seen & TOKEN_ODD) !== 0;

    p++;
    while (p < stop && (bytes[p] === SP || bytes[p] === HTAB)) p++;
    const valueStart = p;
    if (bytes !== viewed) view(bytes);
    p = skipPlainWords(words, p, stop);
    while (p < stop && VALUE_BYTE[bytes[p]!] !== 0) p++;
    if (p === stop) return this.short(stop === limit);
    if (bytes[p] !== CR) return this.refuse(bytes[p] === LF ? LineFault.BareLf : LineFault.Value);
    if (p + 1 >= end) return NEED_MORE;
    if (bytes[p + 1] !== LF) return this.refuse(LineFault.BareCr);

    let valueEnd = p;
    while (valueEnd > valueStart && (bytes[valueEnd - 1] === SP || bytes[valueEnd - 1] === HTAB)) valueEnd--;
    this.valueStart = valueStart;
    this.valueEnd = valueEnd;
    return p + 2;
  }

  private short(tooLong: boolean): number {
    return tooLong ? this.refuse(LineFault.TooLong) : NEED_MORE;
  }

  private refuseName(byte: number, first: boolean): number {
    if (byte === SP || byte === HTAB) {
      return this.refuse(first ? LineFault.Folded : LineFault.SpaceBeforeColon);
    }
    if (byte === COLON) return this.refuse(LineFault.EmptyName);
    if (byte === LF) return this.refuse(LineFault.BareLf);
    return this.refuse(byte === CR ? LineFault.NoColon : LineFault.Name);
  }

  private refuse(fault: LineFault): number {
    this.fault = fault;
    return REFUSED;
  }
}

// One view for the whole worker: nearly all heads lie in its read buffer. A reader that kept a view of its
// own would keep alive a buffer that has been handed over.
let viewed: Buffer = Buffer.alloc(0);
let words: DataView = new DataView(viewed.buffer, 0, 0);

function view(bytes: Buffer): void {
  viewed = bytes;
  words = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}

/**
 * Skips four bytes at a time while none of them is below 0x20 or DEL; the caller goes on byte by byte.
 * Values are most of a head, and this halves the cost of the whole scan.
 *
 * In a word, `(w - 0x20…) & ~w` has the top bit of a byte set where that byte is below 0x20, and the same
 * with 1 for 0x20 finds zero bytes in `w ^ 0x7f…`. A borrow can only mark more bytes, never fewer.
 */
function skipPlainWords(from: DataView, at: number, stop: number): number {
  let p = at;
  for (const last = stop - 4; p <= last; p += 4) {
    const word = from.getInt32(p, true);
    const del = word ^ 0x7f7f7f7f;
    if (((((word - 0x20202020) & ~word) | ((del - 0x01010101) & ~del)) & 0x80808080) !== 0) break;
  }
  return p;
}
