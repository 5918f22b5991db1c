import type { ListenerLimits } from '../snapshot.ts';
import { ConnectionOptions } from './connection-options.ts';
import { FieldLine, LineFault } from './field-line.ts';
import { elementEnd, firstProtocol, listHolds } from './field-value.ts';
import { FieldId, Keep, equalsIgnoringCase, fieldId } from './fields.ts';
import { BodyFraming, Framing } from './framing.ts';
import { CR, LF, NEED_MORE, REFUSED } from './grammar.ts';
import { HeaderBlock, MessageKind, Pseudo, STATUS_INDEX } from './headers.ts';
import { MethodId } from './method.ts';
import { hasUnderscore, mappedFieldId } from './odd-name.ts';
import { settleTarget } from './request-target.ts';
import { StartLine, TargetForm } from './start-line.ts';

export { Framing } from './framing.ts';
export { NEED_MORE, REFUSED } from './grammar.ts';
export { MethodId } from './method.ts';

/** Empty lines that may precede a request line; some clients end a form with one too many. */
const EMPTY_LINES = 4;
const EMPTY_LINE_BYTES = 2 * (EMPTY_LINES + 1);

const TRAILERS = Buffer.from('trailers', 'latin1');
const CONTINUE = Buffer.from('100-continue', 'latin1');

/**
 * Reads the head of an HTTP/1 message, strictly (RFC 9112), into a header block. One object serves all
 * messages of a connection, one after the other; it allocates nothing for a message.
 *
 * A head that is there in one piece is scanned where it lies, and its bytes are copied once. Otherwise
 * what came is kept in the block's arena, and the scan goes on from the start of the unfinished line.
 * The outcome does not depend on how the bytes were cut.
 *
 * When `read` returned an offset, the block holds end-to-end fields only: those for one connection and
 * those that Connection nominates are gone, so are Host (it became `:authority`), Expect (it became
 * `expectContinue`), and in requests, where no proxy in front is trusted, the forwarding fields.
 * Content-Length stays; the writer leaves it out and writes its own.
 */
export class HeadReader {
  framing: Framing = Framing.None;
  /** Of the Content-Length field, or -1 where there is none. */
  contentLength = -1;
  keepAlive = false;
  minorVersion: 0 | 1 = 1;
  method: MethodId = MethodId.Other;
  expectContinue = false;
  /** Connection names `upgrade`, there is an Upgrade field with a protocol other than h2c, and no body. */
  upgrade = false;
  /** The protocol of Upgrade that comes first, in the block's arena. */
  upgradeStart = 0;
  upgradeEnd = 0;
  /** TE lists `trailers`. */
  teTrailers = false;
  /** Bytes of the head as it came, its last empty line included. */
  headBytes = 0;
  /** Of an answer. */
  status = 0;
  /** Status to answer with when `read` returned `REFUSED`; always 502 for an answer. */
  refusal = 0;
  /** Why, in stable lower-case words. */
  refusalReason = '';

  private block: HeaderBlock;
  private kind: MessageKind = MessageKind.Request;
  private limits: ListenerLimits | null = null;
  private requestMethod: MethodId = MethodId.Get;
  private secure = false;

  private readonly start = new StartLine();
  private readonly line = new FieldLine();
  private readonly options = new ConnectionOptions();
  private readonly body = new BodyFraming();

  /** Some bytes of this head are in the arena. */
  private held = false;
  /** In the arena: where the scan goes on, and where the first line starts. */
  private at = 0;
  private headStart = 0;
  private emptyLines = 0;
  private startLineDone = false;
  private lines = 0;
  private hosts = 0;
  private hostStart = 0;
  private hostEnd = 0;
  private expects = 0;

  constructor() {
    // Replaced by `begin`; never null, so that the hot path has nothing to check.
    this.block = NO_BLOCK;
  }

  /**
   * Makes ready for one message.
   *
   * @param requestMethod of the request that an answer belongs to
   * @param secure whether the connection is TLS: decides `:scheme` and which port of Host is the default one
   */
  begin(
    block: HeaderBlock,
    kind: typeof MessageKind.Request | typeof MessageKind.Response,
    limits: ListenerLimits,
    requestMethod: MethodId = MethodId.Get,
    secure = false,
  ): void {
    block.reset(kind);
    block.reserveFields(limits.fields + block.pseudo);
    if (secure && kind === MessageKind.Request) block.setScheme(true);
    this.block = block;
    this.kind = kind;
    this.limits = limits;
    this.requestMethod = requestMethod;
    this.secure = secure;
    this.options.reset();
    this.body.reset();
    this.framing = Framing.None;
    this.contentLength = -1;
    this.expectContinue = this.upgrade = this.teTrailers = false;
    this.upgradeStart = this.upgradeEnd = 0;
    this.status = this.refusal = 0;
    this.refusalReason = '';
    this.held = this.startLineDone = false;
    this.at = this.headStart = block.length;
    this.emptyLines = this.lines = this.hosts = this.expects = 0;
  }

  /** Fields that the head came with, those for one connection included. */
  get fields(): number {
    return this.lines;
  }

  /** Bytes of the request target as it came. */
  get targetBytes(): number {
    return this.start.targetEnd - this.start.targetStart;
  }

  /** True from the first byte of a head until its end. */
  get started(): boolean {
    return this.held;
  }

  /** @returns offset just after the head, `NEED_MORE` when all bytes were taken, or `REFUSED` */
  read(buf: Buffer, start: number, end: number): number {
    const { block } = this;
    if (!this.held) {
      const next = this.scan(buf, start, end, block.length - start);
      if (start === end) return next;
      // A refused head is kept too, for the access log: what the block holds by then must lie in its arena.
      block.appendReceived(
        buf,
        start,
        next < 0 ? Math.min(end, start + EMPTY_LINE_BYTES + this.limits!.headBytes) : next,
      );
      this.held = true;
      return next < 0 ? next : this.finish(next);
    }
    const before = block.length;
    // A body may follow in the same piece: no more is taken than a head can have. Where it starts may not be
    // known yet, if the piece before ended among the empty lines.
    const most = this.headStart + EMPTY_LINE_BYTES + this.limits!.headBytes - before;
    block.appendReceived(buf, start, end - start > most ? start + most : end);
    const next = this.scan(block.bytes, this.at, block.length, 0);
    if (next < 0) return next;
    block.truncateReceived(next);
    return this.finish(start + next - before);
  }

  /** Scans from `from` on. @param delta from offsets in `bytes` to offsets in the arena */
  private scan(bytes: Buffer, from: number, end: number, delta: number): number {
    let p = from;
    if (!this.startLineDone) {
      p = this.scanStartLine(bytes, p, end, delta);
      if (p < 0) return p;
    }
    return this.scanFields(bytes, p, end, delta);
  }

  private scanStartLine(bytes: Buffer, from: number, end: number, delta: number): number {
    let p = from;
    if (this.kind === MessageKind.Request) {
      for (; p < end && bytes[p] === CR; p += 2) {
        if (p + 1 >= end) return this.pause(p, delta, end);
        if (bytes[p + 1] !== LF) return this.refuse(400, LineFault.BareCr);
        if (++this.emptyLines > EMPTY_LINES) return this.refuse(400, 'empty lines before the request line');
      }
      this.headStart = p + delta;
    }
    const { start } = this;
    const limits = this.limits!;
    const limit = this.headStart - delta + limits.headBytes;
    const stop = end < limit ? end : limit;
    const isRequest = this.kind === MessageKind.Request;
    const next = isRequest ? start.request(bytes, p, stop, limits.targetBytes) : start.answer(bytes, p, stop);
    if (next === NEED_MORE) return this.pause(p, delta, end);
    if (next === REFUSED) {
      this.method = start.method;
      return this.refuse(start.refusal, start.reason);
    }
    this.startLineDone = true;
    this.minorVersion = start.minorVersion;
    if (isRequest) this.takeRequestLine(p + delta, delta);
    else this.takeStatusLine(delta);
    return next;
  }

  private takeRequestLine(methodStart: number, delta: number): void {
    const { start } = this;
    const { spans } = this.block;
    this.method = start.method;
    spans[4 * Pseudo.Method + 2] = methodStart;
    spans[4 * Pseudo.Method + 3] = start.methodEnd + delta;
    spans[4 * Pseudo.Path + 2] = start.targetStart + delta;
    spans[4 * Pseudo.Path + 3] = start.targetEnd + delta;
    if (start.form !== TargetForm.Absolute) return;
    spans[4 * Pseudo.Path + 2] = start.authorityEnd + delta;
    spans[4 * Pseudo.Authority + 2] = start.authorityStart + delta;
    spans[4 * Pseudo.Authority + 3] = start.authorityEnd + delta;
  }

  private takeStatusLine(delta: number): void {
    const { spans } = this.block;
    this.status = this.start.status;
    spans[4 * STATUS_INDEX + 2] = this.start.statusStart + delta;
    spans[4 * STATUS_INDEX + 3] = this.start.statusStart + 3 + delta;
  }

  private scanFields(bytes: Buffer, from: number, end: number, delta: number): number {
    const { block, line } = this;
    const { spans } = block;
    const { fields, fieldBytes, headBytes } = this.limits!;
    const limit = this.headStart - delta + headBytes;
    const stop = end < limit ? end : limit;
    let count = block.count;
    let p = from;
    for (;;) {
      if (p >= stop) break;
      if (bytes[p] === CR) {
        if (p + 1 >= stop) break;
        if (bytes[p + 1] !== LF) return this.refuse(400, LineFault.BareCr);
        block.count = count;
        return p + 2;
      }
      if (this.lines >= fields) return this.refuse(431, 'too many fields');
      const next = line.scan(bytes, p, stop, fieldBytes);
      if (next < 0) {
        if (next === NEED_MORE) break;
        return this.refuse(line.fault === LineFault.TooLong ? 431 : 400, line.fault);
      }
      this.lines++;
      let keep: Keep = Keep.Yes;
      if (line.odd) keep = this.takeOdd(bytes);
      else {
        const id = fieldId(bytes, line.nameStart, line.nameEnd);
        if (id !== FieldId.Other) keep = this.takeKnown(id, bytes, delta);
      }
      if (keep === Keep.Refused) return REFUSED;
      if (keep === Keep.Yes) {
        const span = 4 * count++;
        spans[span] = line.nameStart + delta;
        spans[span + 1] = line.nameEnd + delta;
        spans[span + 2] = line.valueStart + delta;
        spans[span + 3] = line.valueEnd + delta;
      }
      p = next;
    }
    block.count = count;
    return this.pause(p, delta, end);
  }

  /** Remembers where to go on. A head that has reached its limit and is not complete never will be. */
  private pause(p: number, delta: number, end: number): number {
    this.at = p + delta;
    if (end + delta >= this.headStart + this.limits!.headBytes) return this.refuse(431, 'head too large');
    return NEED_MORE;
  }

  private takeKnown(id: FieldId, bytes: Buffer, delta: number): Keep {
    const { line } = this;
    const isRequest = this.kind === MessageKind.Request;
    switch (id) {
      case FieldId.Host:
        return isRequest ? this.takeHost(delta) : Keep.Yes;
      case FieldId.ContentLength:
        return this.takeFraming(this.body.takeLength(bytes, line.valueStart, line.valueEnd, isRequest));
      case FieldId.TransferEncoding:
        return this.takeFraming(
          this.body.takeCoding(bytes, line.valueStart, line.valueEnd, this.minorVersion),
        );
      case FieldId.Connection:
        if (this.options.read(bytes, line.valueStart, line.valueEnd, delta)) return Keep.No;
        return this.refuseField(400, 'bad connection field');
      case FieldId.Upgrade:
        this.takeUpgrade(bytes, delta);
        return Keep.No;
      case FieldId.Te:
        this.teTrailers ||= listHolds(bytes, line.valueStart, line.valueEnd, TRAILERS);
        return Keep.No;
      case FieldId.Expect:
        return isRequest ? this.takeExpect(bytes) : Keep.Yes;
      case FieldId.HopByHop:
        return Keep.No;
      case FieldId.Forwarding:
        return isRequest && this.limits!.trustedHops === 0 ? Keep.No : Keep.Yes;
      case FieldId.ClientCert:
        return isRequest && !letsIn(this.limits!.forwardedClientCert) ? Keep.No : Keep.Yes;
      default:
        return Keep.Yes;
    }
  }

  private takeOdd(bytes: Buffer): Keep {
    const { nameStart, nameEnd } = this.line;
    const id = mappedFieldId(bytes, nameStart, nameEnd);
    if (id === FieldId.ContentLength || id === FieldId.TransferEncoding) {
      return this.refuseField(400, 'field name that maps to a framing field');
    }
    if (this.kind === MessageKind.Response) return Keep.Yes;
    const { underscores, trustedHops } = this.limits!;
    if (underscores !== 'allow' && hasUnderscore(bytes, nameStart, nameEnd)) {
      return underscores === 'drop' ? Keep.No : this.refuseField(400, 'underscore in field name');
    }
    // Nobody who may say it spells it in another way.
    if (id === FieldId.ClientCert) return Keep.No;
    return id === FieldId.Forwarding && trustedHops === 0 ? Keep.No : Keep.Yes;
  }

  private takeHost(delta: number): Keep {
    if (++this.hosts > 1) return this.refuseField(400, 'more than one host field');
    this.hostStart = this.line.valueStart + delta;
    this.hostEnd = this.line.valueEnd + delta;
    return Keep.No;
  }

  private takeFraming(keep: Keep): Keep {
    return keep === Keep.Refused ? this.refuseField(this.body.refusal, this.body.reason) : keep;
  }

  private takeUpgrade(bytes: Buffer, delta: number): void {
    if (this.upgradeEnd > 0) return;
    const { valueStart, valueEnd } = this.line;
    const protocol = firstProtocol(bytes, valueStart, valueEnd);
    if (protocol < 0) return;
    this.upgradeStart = protocol + delta;
    this.upgradeEnd = elementEnd(bytes, protocol, valueEnd) + delta;
  }

  private takeExpect(bytes: Buffer): Keep {
    const { valueStart, valueEnd } = this.line;
    if (++this.expects > 1 || !equalsIgnoringCase(bytes, valueStart, valueEnd, CONTINUE)) {
      return this.refuseField(417, 'unsupported expectation');
    }
    return Keep.No;
  }

  /** The rules that need the whole head. All offsets are in the arena by now. */
  private finish(next: number): number {
    const { block, body, options } = this;
    this.headBytes = block.length - this.headStart;
    this.keepAlive = options.close ? false : this.minorVersion === 1 || options.keepAlive;
    if (!body.settle()) return this.refuse(body.refusal, body.reason);
    this.framing = body.framing;
    this.contentLength = body.length;
    const refused = this.kind === MessageKind.Request ? this.finishRequest() : this.finishAnswer();
    if (refused) return REFUSED;
    options.removeNominated(block);
    return next;
  }

  private finishRequest(): boolean {
    const hasBody = this.framing !== Framing.None && this.contentLength !== 0;
    if (this.hosts === 0 && this.minorVersion === 1) return this.refuse(400, 'no host field') < 0;
    if (!settleTarget(this.block, this.start, this.hostStart, this.hostEnd, this.hosts > 0, this.secure))
      return this.refuse(400, 'bad host') < 0;
    // A client of HTTP/1.0 does not know 100 (RFC 9110, section 10.1.1).
    this.expectContinue = this.expects > 0 && this.minorVersion === 1 && hasBody;
    this.upgrade = this.upgradeEnd > 0 && this.options.upgrade && this.minorVersion === 1;
    if (this.upgrade && hasBody) return this.refuse(400, 'upgrade with a body') < 0;
    return false;
  }

  private finishAnswer(): boolean {
    this.upgrade = this.status === 101 && this.upgradeEnd > 0 && this.options.upgrade;
    // These have no body whatever their fields say (RFC 9112, section 6.3).
    const bodiless = this.status < 200 || this.status === 204 || this.status === 304;
    if (bodiless || this.requestMethod === MethodId.Head) {
      this.framing = Framing.None;
    } else if (this.framing === Framing.None) {
      this.framing = Framing.UntilClose;
      this.keepAlive = false;
    }
    return false;
  }

  private refuseField(status: number, reason: string): Keep {
    this.refuse(status, reason);
    return Keep.Refused;
  }

  private refuse(status: number, reason: string): number {
    this.refusal = this.kind === MessageKind.Response ? 502 : status;
    this.refusalReason = reason;
    return REFUSED;
  }
}

const NO_BLOCK = new HeaderBlock(0);

/** Whether X-Forwarded-Client-Cert of a request goes further than its reader. */
function letsIn(mode: ListenerLimits['forwardedClientCert']): boolean {
  return mode !== undefined && mode !== 'sanitize' && mode !== 'sanitizeset';
}
