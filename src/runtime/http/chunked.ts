import type { ListenerLimits } from '../snapshot.ts';
import { ChunkExtensions } from './chunk-extensions.ts';
import { CR, HEX, LF } from './grammar.ts';
import { HeaderBlock, MessageKind } from './headers.ts';
import { TrailerReader } from './trailers.ts';

const SIZE_DIGITS = 16;
const EXTENSION_BYTES_PER_LINE = 256;
const EXTENSION_BYTES_PER_MESSAGE = 16 * 1024;

const State = {
  Size: 0,
  Extensions: 1,
  SizeLf: 2,
  Data: 3,
  DataCr: 4,
  DataLf: 5,
  Trailers: 6,
  Done: 7,
} as const;
type State = (typeof State)[keyof typeof State];

/**
 * Reads a body in chunked coding (RFC 9112, section 7.1), strictly. Chunk lines and extensions go no
 * further than this; the writer makes its own.
 *
 * Decoded data is moved together in place: what one `read` found is the one run `[dataStart, dataEnd)` of
 * the buffer it was given.
 */
export class ChunkedReader {
  dataStart = 0;
  dataEnd = 0;
  /** The message has ended; what follows the returned offset belongs to the next one. */
  done = false;
  /** Not 0: the body is broken, with this status; 502 for an answer. Data found before is still reported. */
  refusal = 0;
  refusalReason = '';
  /** Fields of the trailer section that may be relayed, once `done`; null where there are none. */
  trailers: HeaderBlock | null = null;

  private kind: MessageKind = MessageKind.Request;
  private state: State = State.Size;
  private digits = 0;
  /** Bytes left of the chunk, or the size as read so far. Up to 2^53-1. */
  private left = 0;
  private received = 0;
  private extensionLine = 0;
  private extensionTotal = 0;
  private readonly extensions = new ChunkExtensions();
  private readonly trailerReader = new TrailerReader();

  /** Makes ready for one body. */
  reset(limits: ListenerLimits, kind: MessageKind = MessageKind.Request): void {
    this.kind = kind;
    this.state = State.Size;
    this.done = false;
    this.refusal = 0;
    this.refusalReason = '';
    this.trailers = null;
    this.digits = this.left = this.received = 0;
    this.extensionLine = this.extensionTotal = 0;
    this.dataStart = this.dataEnd = 0;
    this.extensions.reset();
    this.trailerReader.reset(limits, kind);
  }

  /** @returns offset after what was consumed: `end`, or less when the message ended or is refused */
  read(buf: Buffer, start: number, end: number): number {
    let p = start;
    let out = start;
    let found = false;
    this.dataStart = this.dataEnd = start;
    while (p < end && this.state !== State.Done && this.refusal === 0) {
      if (this.state !== State.Data) {
        p = this.readLine(buf, p, end);
        continue;
      }
      const take = Math.min(end - p, this.left);
      if (!found) {
        // The first run stays where it is; later ones move up to it.
        found = true;
        this.dataStart = out = p;
      } else {
        buf.copyWithin(out, p, p + take);
      }
      out += take;
      p += take;
      this.dataEnd = out;
      this.received += take;
      this.left -= take;
      if (this.left === 0) this.state = State.DataCr;
    }
    return p;
  }

  /** Reads framing bytes from `p` on, up to data, the end of the message, or the end of the piece. */
  private readLine(buf: Buffer, from: number, end: number): number {
    let p = from;
    while (p < end) {
      const byte = buf[p]!;
      switch (this.state) {
        case State.Size: {
          const digit = HEX[byte]!;
          if (digit === 255) {
            if (this.digits === 0) return this.refuse(p, 'bad chunk size');
            if (byte === CR) {
              this.state = State.SizeLf;
              p++;
            } else if (byte === LF) return this.refuse(p, 'bare lf');
            else this.state = State.Extensions;
            break;
          }
          this.left = this.left * 16 + digit;
          if (++this.digits > SIZE_DIGITS || this.left > Number.MAX_SAFE_INTEGER) {
            return this.refuse(p, 'chunk size too large');
          }
          p++;
          break;
        }
        case State.Extensions:
          if (byte === CR && this.extensions.complete) this.state = State.SizeLf;
          else if (byte === LF) return this.refuse(p, 'bare lf');
          else if (this.extensions.take(byte) !== 0) return this.refuse(p, 'bad chunk extension');
          else if (++this.extensionLine > EXTENSION_BYTES_PER_LINE || this.tooManyExtensions()) {
            return this.refuse(p, 'chunk extensions too long');
          }
          p++;
          break;
        case State.SizeLf:
          if (byte !== LF) return this.refuse(p, 'bare cr');
          p++;
          this.digits = this.extensionLine = 0;
          this.extensions.reset();
          if (this.left > 0) {
            this.state = State.Data;
            return p;
          }
          this.state = State.Trailers;
          break;
        case State.DataCr:
          if (byte !== CR) return this.refuse(p, 'chunk longer than its size');
          this.state = State.DataLf;
          p++;
          break;
        case State.DataLf:
          if (byte !== LF) return this.refuse(p, 'bare cr');
          this.state = State.Size;
          p++;
          break;
        default:
          return this.readTrailers(buf, p, end);
      }
    }
    return p;
  }

  /** At most 16 KiB, or twice the data, in the whole message. */
  private tooManyExtensions(): boolean {
    return ++this.extensionTotal > Math.max(EXTENSION_BYTES_PER_MESSAGE, 2 * this.received);
  }

  private readTrailers(buf: Buffer, from: number, end: number): number {
    const { trailerReader } = this;
    const next = trailerReader.read(buf, from, end);
    if (trailerReader.refusalReason !== '')
      return this.refuse(from, trailerReader.refusalReason, trailerReader.refusal);
    if (!trailerReader.done) return end;
    this.state = State.Done;
    this.done = true;
    this.trailers = trailerReader.trailers;
    return next;
  }

  private refuse(at: number, reason: string, status = 400): number {
    this.refusal = this.kind === MessageKind.Response ? 502 : status;
    this.refusalReason = reason;
    return at;
  }
}
