/** RFC 9113, section 6. */
const Type = {
  Data: 0,
  Headers: 1,
  Priority: 2,
  Settings: 4,
  PushPromise: 5,
  Ping: 6,
  Goaway: 7,
  Continuation: 9,
} as const;
const END_STREAM = 1;
const HEAD_BYTES = 9;
/** Largest frame that a peer may send who was told of no other limit. */
const FRAME_BYTES = 16_384;
const GOAWAY_BYTES = 8;
const PREFACE_BYTES = 24;

/** What a peer may send in a second, and in one head (security requirements §4). */
const SETTINGS_PER_SECOND = 10;
const PINGS_PER_SECOND = 10;
const IDLE_PER_SECOND = 100;
const CONTINUATIONS = 8;
const SECOND_MS = 1000;

/** Walks over the frames of one direction of a connection, however its bytes are cut. */
abstract class FrameWalk {
  /** Bytes of payload that are looked at. */
  readonly #payload = Buffer.alloc(GOAWAY_BYTES);
  readonly #head = Buffer.alloc(HEAD_BYTES);
  #headSize = 0;
  #left = 0;
  #size = 0;
  #skip: number;

  constructor(skip: number) {
    this.#skip = skip;
  }

  /** @returns what is wrong with the bytes, or null */
  walk(bytes: Uint8Array): string | null {
    let at = Math.min(this.#skip, bytes.length);
    this.#skip -= at;
    while (at < bytes.length) {
      if (this.#headSize < HEAD_BYTES) {
        this.#head[this.#headSize++] = bytes[at++]!;
        if (this.#headSize < HEAD_BYTES) continue;
        this.#left = this.#size = this.#head.readUIntBE(0, 3);
        const fault = this.onHead(this.#head[3]!, this.#head[4]!, this.#size);
        if (fault !== null) return fault;
      }
      const taken = Math.min(this.#left, bytes.length - at);
      const done = this.#size - this.#left;
      for (let i = 0; i < taken && done + i < GOAWAY_BYTES; i++) this.#payload[done + i] = bytes[at + i]!;
      at += taken;
      this.#left -= taken;
      if (this.#left > 0) continue;
      this.#headSize = 0;
      const fault = this.onFrame(this.#head[3]!, this.#size, this.#payload);
      if (fault !== null) return fault;
    }
    return null;
  }

  abstract onHead(type: number, flags: number, size: number): string | null;
  /** @param payload its first bytes */
  abstract onFrame(type: number, size: number, payload: Buffer): string | null;
}

/**
 * What the peer sends, before nghttp2 sees it: frames that are too large, heads in too many pieces, and more of those
 * frames that cost work and bring nothing than a peer needs.
 */
export class InboundGuard extends FrameWalk {
  readonly #now: () => number;
  #since = 0;
  #settings = 0;
  #pings = 0;
  #idle = 0;
  #continuations = 0;

  /** @param now monotonic milliseconds */
  constructor(now: () => number) {
    super(0);
    this.#now = now;
  }

  override onHead(type: number, flags: number, size: number): string | null {
    if (size > FRAME_BYTES) return `a frame of ${size} bytes`;
    if (type === Type.Continuation)
      return ++this.#continuations > CONTINUATIONS ? 'a head in too many frames' : null;
    if (type === Type.Headers) {
      this.#continuations = 0;
      return null;
    }
    if (type === Type.Data && (size > 0 || (flags & END_STREAM) !== 0)) return null;
    this.#turn();
    if (type === Type.Settings) return ++this.#settings > SETTINGS_PER_SECOND ? 'too many settings' : null;
    if (type === Type.Ping) return ++this.#pings > PINGS_PER_SECOND ? 'too many pings' : null;
    const idle =
      type === Type.Data || type === Type.Priority || type === Type.PushPromise || type > Type.Continuation;
    return idle && ++this.#idle > IDLE_PER_SECOND ? 'too many frames that say nothing' : null;
  }

  override onFrame(): string | null {
    return null;
  }

  #turn(): void {
    const now = this.#now();
    if (now - this.#since < SECOND_MS) return;
    this.#since = now;
    this.#settings = this.#pings = this.#idle = 0;
  }
}

/**
 * What nghttp2 sends: where the peer broke a rule, that is a GOAWAY with an error, and then nothing. Node does not say
 * so, and reads no more, so that calls would wait for their deadlines.
 */
export class OutboundGuard extends FrameWalk {
  constructor() {
    super(PREFACE_BYTES);
  }

  override onHead(): string | null {
    return null;
  }

  override onFrame(type: number, size: number, payload: Buffer): string | null {
    if (type !== Type.Goaway || size < GOAWAY_BYTES) return null;
    const code = payload.readUInt32BE(4);
    return code === 0 ? null : `HTTP/2 error ${code}`;
  }
}
