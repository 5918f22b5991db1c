import { elementEnd, readLength } from './field-value.ts';
import { Keep, equalsIgnoringCase } from './fields.ts';

/** How the end of a body is found. */
export const Framing = { None: 0, Length: 1, Chunked: 2, UntilClose: 3 } as const;
export type Framing = (typeof Framing)[keyof typeof Framing];

const CHUNKED = Buffer.from('chunked', 'latin1');

/** What the framing fields of a message say about its body (RFC 9112, section 6). */
export class BodyFraming {
  framing: Framing = Framing.None;
  /** Of Content-Length, or -1 where there is none. */
  length = -1;
  refusal = 0;
  reason = '';

  private codings = 0;

  reset(): void {
    this.framing = Framing.None;
    this.length = -1;
    this.codings = 0;
  }

  /** A second Content-Length is refused in a request; in an answer an equal one is taken for the same. */
  takeLength(bytes: Buffer, start: number, end: number, isRequest: boolean): Keep {
    const length = readLength(bytes, start, end);
    if (length < 0) return this.refuse(400, 'bad content-length');
    if (this.length < 0) {
      this.length = length;
      return Keep.Yes;
    }
    if (!isRequest && length === this.length) return Keep.No;
    return this.refuse(400, 'more than one content-length');
  }

  /** One Transfer-Encoding that says `chunked` and nothing else: whatever differs, some server reads another way. */
  takeCoding(bytes: Buffer, start: number, end: number, minorVersion: 0 | 1): Keep {
    if (++this.codings > 1) return this.refuse(400, 'more than one transfer-encoding');
    if (minorVersion === 0) return this.refuse(400, 'transfer-encoding in http/1.0');
    if (equalsIgnoringCase(bytes, start, end, CHUNKED)) return Keep.No;
    const first = elementEnd(bytes, start, end);
    if (first === start || equalsIgnoringCase(bytes, start, first, CHUNKED)) {
      return this.refuse(400, 'bad transfer-encoding');
    }
    return this.refuse(501, 'unsupported transfer-encoding');
  }

  /** Once all fields are read. @returns false where they contradict each other */
  settle(): boolean {
    if (this.codings === 0) {
      if (this.length >= 0) this.framing = Framing.Length;
      return true;
    }
    this.framing = Framing.Chunked;
    if (this.length < 0) return true;
    this.refuse(400, 'transfer-encoding with content-length');
    return false;
  }

  private refuse(status: number, reason: string): Keep {
    this.refusal = status;
    this.reason = reason;
    return Keep.Refused;
  }
}
