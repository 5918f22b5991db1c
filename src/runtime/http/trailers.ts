import type { ListenerLimits } from '../snapshot.ts';
import { FieldLine, LineFault } from './field-line.ts';
import { FieldId, fieldId } from './fields.ts';
import { CR, LF, NEED_MORE } from './grammar.ts';
import { HeaderBlock, MessageKind } from './headers.ts';
import { hasUnderscore, mapsToFraming } from './odd-name.ts';

/**
 * Names that are never taken from trailers (RFC 9110, section 6.5.1): they control or route the message,
 * authenticate, modify the request, or describe the content, and whoever relied on them has acted already.
 * Those in `FieldId` are left out too.
 */
const NOT_IN_TRAILERS = new Set([
  'accept-ranges',
  'age',
  'allow',
  'cache-control',
  'clear-site-data',
  'content-disposition',
  'content-encoding',
  'content-language',
  'content-location',
  'content-range',
  'content-security-policy',
  'content-type',
  'date',
  'expires',
  'location',
  'max-forwards',
  'origin',
  'pragma',
  'range',
  'refresh',
  'retry-after',
  'set-cookie',
  'strict-transport-security',
  'vary',
  'via',
  'warning',
  'www-authenticate',
]);

/** Whole families of fields that decide about the message: conditions, CORS, fetch metadata, proxy authentication. */
const NOT_IN_TRAILERS_PREFIX = /^(?:if-|access-control-|sec-|proxy-)/;

/**
 * Reads a trailer section up to its blank line. Trailers are rare, so this takes strings where the head
 * reader does not.
 */
export class TrailerReader {
  done = false;
  refusal = 0;
  refusalReason = '';
  trailers: HeaderBlock | null = null;

  private kind: MessageKind = MessageKind.Request;
  private limits: ListenerLimits | null = null;
  private readonly line = new FieldLine();
  /** Made for the first message that has trailers, then used again. */
  private block: HeaderBlock | null = null;
  private held = false;
  private start = 0;
  private at = 0;
  private lines = 0;

  reset(limits: ListenerLimits, kind: MessageKind): void {
    this.limits = limits;
    this.kind = kind;
    this.done = this.held = false;
    this.refusal = this.lines = 0;
    this.refusalReason = '';
    this.trailers = null;
  }

  /** @returns offset after the blank line where `done`, else `end` */
  read(buf: Buffer, start: number, end: number): number {
    // No trailers at all: the usual case, and the block is not needed.
    if (!this.held && end - start >= 2 && buf[start] === CR && buf[start + 1] === LF) {
      this.done = true;
      return start + 2;
    }
    const block = (this.block ??= new HeaderBlock(512));
    if (!this.held) {
      block.reset(MessageKind.Trailers);
      this.start = this.at = block.length;
      this.held = true;
    }
    const before = block.length;
    const most = this.start + this.limits!.headBytes - before;
    block.appendReceived(buf, start, end - start > most ? start + most : end);
    const next = this.scan(block);
    if (next < 0) {
      const full = block.length - this.start >= this.limits!.headBytes;
      if (this.refusalReason === '' && full) this.refuse(431, 'trailers too large');
      return end;
    }
    block.truncateReceived(next);
    this.done = true;
    this.trailers = block.count > 0 ? block : null;
    return start + next - before;
  }

  private scan(block: HeaderBlock): number {
    const { bytes, length } = block;
    const { line } = this;
    while (this.at < length) {
      if (bytes[this.at] === CR) {
        if (this.at + 1 >= length) return NEED_MORE;
        if (bytes[this.at + 1] !== LF) return this.refuse(400, LineFault.BareCr);
        return this.at + 2;
      }
      if (this.lines >= this.limits!.fields) return this.refuse(431, 'too many trailer fields');
      const next = line.scan(bytes, this.at, length, this.limits!.fieldBytes);
      if (next === NEED_MORE) return NEED_MORE;
      if (next < 0) return this.refuse(line.fault === LineFault.TooLong ? 431 : 400, line.fault);
      this.lines++;
      this.at = next;
      if (!this.take(block)) return NEED_MORE;
    }
    return NEED_MORE;
  }

  /** Keeps the scanned field where it may be relayed. @returns false where the message is refused */
  private take(block: HeaderBlock): boolean {
    const { nameStart, nameEnd, valueStart, valueEnd, odd } = this.line;
    if (odd) {
      if (mapsToFraming(block.bytes, nameStart, nameEnd)) {
        this.refuse(400, 'field name that maps to a framing field');
        return false;
      }
      const { underscores } = this.limits!;
      const checked = this.kind === MessageKind.Request && underscores !== 'allow';
      if (checked && hasUnderscore(block.bytes, nameStart, nameEnd)) {
        if (underscores === 'reject') this.refuse(400, 'underscore in field name');
        return underscores === 'drop';
      }
    }
    if (fieldId(block.bytes, nameStart, nameEnd) !== FieldId.Other) return true;
    const name = block.bytes.toString('latin1', nameStart, nameEnd).toLowerCase();
    if (NOT_IN_TRAILERS.has(name) || NOT_IN_TRAILERS_PREFIX.test(name)) return true;
    block.reserveFields(block.count + 1);
    block.spans.set([nameStart, nameEnd, valueStart, valueEnd], 4 * block.count);
    block.count++;
    return true;
  }

  private refuse(status: number, reason: string): number {
    this.refusal = status;
    this.refusalReason = reason;
    return NEED_MORE;
  }
}
