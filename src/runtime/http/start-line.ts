import { CR, LF, LOWER, NEED_MORE, REFUSED, SP, TARGET, TOKEN, VALUE } from './grammar.ts';
import { MethodId, methodId } from './method.ts';

const METHOD_BYTES = 32;

// Constants of this file, for speed: see field-line.ts.
const METHOD_BYTE = TOKEN;
const TARGET_BYTE = TARGET;

const SLASH = 0x2f;
const ASTERISK = 0x2a;
const QUESTION = 0x3f;
const HASH = 0x23;
const AT = 0x40;

const VERSION = Buffer.from('HTTP/1.', 'latin1');
const HTTP_SCHEME = Buffer.from('http://', 'latin1');
const HTTPS_SCHEME = Buffer.from('https://', 'latin1');

/** The forms of a request target (RFC 9112, section 3.2). */
export const TargetForm = { Origin: 0, Absolute: 1, Authority: 2, Asterisk: 3 } as const;
export type TargetForm = (typeof TargetForm)[keyof typeof TargetForm];

/**
 * Scans the first line of a message. One object is used again for every message; the results are its
 * fields, as offsets in the scanned buffer.
 *
 * `request` and `answer` return the offset after CRLF, `NEED_MORE`, or `REFUSED` with `refusal` and
 * `reason` set. A line is refused at its first bad byte, however much of it is there.
 */
export class StartLine {
  method: MethodId = MethodId.Other;
  methodEnd = 0;
  targetStart = 0;
  targetEnd = 0;
  form: TargetForm = TargetForm.Origin;
  /** In absolute form: where the authority lies, where the path or the query starts, and the scheme's port. */
  authorityStart = 0;
  authorityEnd = 0;
  defaultPort = 80;

  statusStart = 0;
  status = 0;

  minorVersion: 0 | 1 = 1;

  refusal = 0;
  reason = '';

  /** `method SP target SP HTTP/1.x CRLF`, one space each. */
  request(bytes: Buffer, at: number, end: number, targetBytes: number): number {
    const methodLimit = at + METHOD_BYTES + 1;
    let stop = end < methodLimit ? end : methodLimit;
    let p = at;
    while (p < stop && METHOD_BYTE[bytes[p]!] !== 0) p++;
    if (p === stop) return p === methodLimit ? this.refuse(400, 'method too long') : NEED_MORE;
    if (bytes[p] !== SP || p === at) return this.refuseByte(bytes[p]!, 'bad byte in method');
    this.method = methodId(bytes, at, p);
    this.methodEnd = p;

    const target = ++p;
    if (target >= end) return NEED_MORE;
    if (!this.mayStartTarget(bytes[target]!)) return this.refuseByte(bytes[target]!, 'bad request target');
    const limit = target + targetBytes + 1;
    stop = end < limit ? end : limit;
    while (p < stop && TARGET_BYTE[bytes[p]!] !== 0) p++;
    if (p === stop) return p === limit ? this.refuse(414, 'request target too long') : NEED_MORE;
    if (bytes[p] !== SP) return this.refuseTargetByte(bytes[p]!);
    this.targetStart = target;
    this.targetEnd = p;
    if (!this.readForm(bytes, target, p)) return this.refuse(400, 'bad request target');

    p = this.version(bytes, p + 1, end);
    if (p < 0) return p;
    p = this.lineEnd(bytes, p, end, 'bad http version');
    if (p < 0) return p;
    // RFC 9110, section 15.6.2: 501 where the method is not supported for any resource. 405 would have
    // to list what the target allows, which nobody knows before a route is found.
    if (this.method === MethodId.Connect) return this.refuse(501, 'connect is not supported');
    return p;
  }

  /** `HTTP/1.x SP status [SP reason] CRLF`. The space before an empty reason may be missing: many servers leave it out. */
  answer(bytes: Buffer, at: number, end: number): number {
    let p = this.version(bytes, at, end);
    if (p < 0) return p;
    if (p >= end) return NEED_MORE;
    if (bytes[p] !== SP) return this.refuseByte(bytes[p]!, 'bad http version');
    this.statusStart = ++p;
    this.status = 0;
    for (const last = p + 3; p < last; p++) {
      if (p >= end) return NEED_MORE;
      const digit = bytes[p]! - 0x30;
      if (digit < 0 || digit > 9) return this.refuseByte(bytes[p]!, 'bad status');
      this.status = this.status * 10 + digit;
    }
    if (this.status < 100 || this.status > 599) return this.refuse(502, 'bad status');
    if (p >= end) return NEED_MORE;
    if (bytes[p] === SP) {
      while (p < end && VALUE[bytes[p]!] !== 0) p++;
    }
    return this.lineEnd(bytes, p, end, 'bad byte in status line');
  }

  private mayStartTarget(first: number): boolean {
    if (first === SLASH) return true;
    if (this.method === MethodId.Connect) return TARGET[first] !== 0;
    if (first === ASTERISK) return this.method === MethodId.Options;
    return LOWER[first] === HTTP_SCHEME[0];
  }

  private readForm(bytes: Buffer, start: number, end: number): boolean {
    if (this.method === MethodId.Connect) {
      this.form = TargetForm.Authority;
      return true;
    }
    if (bytes[start] === SLASH) {
      this.form = TargetForm.Origin;
      return true;
    }
    if (bytes[start] === ASTERISK) {
      this.form = TargetForm.Asterisk;
      return end - start === 1;
    }
    return this.readAbsolute(bytes, start, end);
  }

  private readAbsolute(bytes: Buffer, start: number, end: number): boolean {
    let p = start;
    if (startsWith(bytes, start, end, HTTP_SCHEME)) {
      this.defaultPort = 80;
      p += HTTP_SCHEME.length;
    } else if (startsWith(bytes, start, end, HTTPS_SCHEME)) {
      this.defaultPort = 443;
      p += HTTPS_SCHEME.length;
    } else {
      return false;
    }
    this.form = TargetForm.Absolute;
    this.authorityStart = p;
    while (p < end && bytes[p] !== SLASH && bytes[p] !== QUESTION) {
      // Userinfo in a request is a way to dress up one host as another (RFC 9110, section 4.2.4).
      if (bytes[p] === AT) return false;
      p++;
    }
    this.authorityEnd = p;
    return p > this.authorityStart;
  }

  /** @returns offset after `HTTP/1.0` or `HTTP/1.1` */
  private version(bytes: Buffer, at: number, end: number): number {
    for (let i = 0; i < VERSION.length; i++) {
      if (at + i >= end) return NEED_MORE;
      const byte = bytes[at + i]!;
      if (byte === VERSION[i]) continue;
      if (i === 5 && isDigit(byte)) return this.refuse(505, 'unsupported http version');
      return this.refuseByte(byte, 'bad http version');
    }
    const p = at + VERSION.length;
    if (p >= end) return NEED_MORE;
    const minor = bytes[p]! - 0x30;
    if (minor === 1) this.minorVersion = 1;
    else if (minor === 0) this.minorVersion = 0;
    else if (isDigit(bytes[p]!)) return this.refuse(505, 'unsupported http version');
    else return this.refuseByte(bytes[p]!, 'bad http version');
    return p + 1;
  }

  private lineEnd(bytes: Buffer, at: number, end: number, otherwise: string): number {
    if (at >= end) return NEED_MORE;
    if (bytes[at] !== CR) return this.refuseByte(bytes[at]!, otherwise);
    if (at + 1 >= end) return NEED_MORE;
    return bytes[at + 1] === LF ? at + 2 : this.refuse(400, 'bare cr');
  }

  private refuseTargetByte(byte: number): number {
    if (byte === CR) return this.refuse(400, 'missing http version');
    return this.refuseByte(byte, byte === HASH ? 'fragment in request target' : 'bad byte in request target');
  }

  private refuseByte(byte: number, reason: string): number {
    return this.refuse(400, byte === LF ? 'bare lf' : reason);
  }

  private refuse(status: number, reason: string): number {
    this.refusal = status;
    this.reason = reason;
    return REFUSED;
  }
}

function isDigit(byte: number): boolean {
  return byte >= 0x30 && byte <= 0x39;
}

function startsWith(bytes: Buffer, start: number, end: number, text: Buffer): boolean {
  if (end - start < text.length) return false;
  for (let i = 0; i < text.length; i++) if (LOWER[bytes[start + i]!] !== text[i]) return false;
  return true;
}
