import { CR, HTAB, LF, NEED_MORE, REFUSED, SP, TOKEN, TOKEN_ODD, VALUE } from './grammar.ts';

const COLON = 0x3a;

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
    let byte = 0;
    while (p < stop) {
      byte = bytes[p]!;
      const kind = TOKEN[byte]!;
      if (kind === 0) break;
      seen |= kind;
      p++;
    }
    if (p === stop) return this.short(stop === limit);
    if (byte !== COLON || p === at) return this.refuseName(byte, p === at);
    this.nameStart = at;
    this.nameEnd = p;
    this.odd = (seen & TOKEN_ODD) !== 0;

    p++;
    while (p < stop && ((byte = bytes[p]!) === SP || byte === HTAB)) p++;
    const valueStart = p;
    while (p < stop && VALUE[(byte = bytes[p]!)] !== 0) p++;
    if (p === stop) return this.short(stop === limit);
    if (byte !== CR) return this.refuse(byte === LF ? LineFault.BareLf : LineFault.Value);
    if (p + 1 >= end) return NEED_MORE;
    if (bytes[p + 1] !== LF) return this.refuse(LineFault.BareCr);

    let valueEnd = p;
    while (valueEnd > valueStart && ((byte = bytes[valueEnd - 1]!) === SP || byte === HTAB)) valueEnd--;
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
