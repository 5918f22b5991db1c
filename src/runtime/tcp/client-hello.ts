/** What has been read of a client's first message. */
export const HelloState = { More: 0, Bad: 1, Done: 2 } as const;
export type HelloState = (typeof HelloState)[keyof typeof HelloState];

/** A ClientHello larger than this is not waited for. */
export const HELLO_BYTES = 16 * 1024 + 5;

const HANDSHAKE = 22;
const CLIENT_HELLO = 1;
const MAX_RECORD = 16 * 1024;
const SERVER_NAME = 0;
const HOST_NAME = 0;
/** Of a DNS name, labels of any kind that resolvers take. */
const NAME = /^[a-z0-9_-]+(\.[a-z0-9_-]+)*$/;

/**
 * Finds the server name (SNI) in the first bytes of a TLS connection, of which nothing is changed or kept.
 * Strict where the name could be read otherwise by the upstream: what is not well formed is refused.
 *
 * @see RFC 8446, sections 4.1.2 and 5.1; RFC 6066, section 3
 */
export class ClientHello {
  /** Lower-case; empty where the client names none. */
  serverName = '';

  /** @param bytes all that has come, from the first byte on */
  read(bytes: Buffer): HelloState {
    // Records of type handshake, whose fragments joined are the message.
    const message: Buffer[] = [];
    let size = 0;
    for (let at = 0; at < bytes.length;) {
      if (bytes[at] !== HANDSHAKE) return HelloState.Bad;
      if (at + 5 > bytes.length) return HelloState.More;
      const length = bytes.readUInt16BE(at + 3);
      if (bytes[at + 1] !== 3 || length === 0 || length > MAX_RECORD) return HelloState.Bad;
      const fragment = bytes.subarray(at + 5, at + 5 + length);
      message.push(fragment);
      size += fragment.length;
      at += 5 + length;
      const joined = message.length === 1 ? fragment : Buffer.concat(message);
      if (size < 4) continue;
      if (joined[0] !== CLIENT_HELLO) return HelloState.Bad;
      const end = 4 + joined.readUIntBE(1, 3);
      if (end > HELLO_BYTES) return HelloState.Bad;
      if (size >= end) return this.#readMessage(joined.subarray(4, end));
    }
    return bytes.length >= HELLO_BYTES ? HelloState.Bad : HelloState.More;
  }

  #readMessage(body: Buffer): HelloState {
    try {
      const reader = new Fields(body);
      reader.skip(2 + 32);
      reader.vector(1);
      reader.vector(2);
      reader.vector(1);
      // Before TLS 1.2 there may be none.
      const extensions = reader.done ? new Fields(NOTHING) : reader.vector(2);
      if (!reader.done) return HelloState.Bad;
      let seen = false;
      while (!extensions.done) {
        const type = extensions.uint(2);
        const data = extensions.vector(2);
        if (type !== SERVER_NAME) continue;
        if (seen) return HelloState.Bad;
        seen = true;
        this.serverName = hostName(data);
      }
      return HelloState.Done;
    } catch (error) {
      if (error instanceof RangeError) return HelloState.Bad;
      throw error;
    }
  }
}

const NOTHING = Buffer.alloc(0);

/** One list of one name. @throws RangeError where it is anything else */
function hostName(data: Fields): string {
  const list = data.vector(2);
  const type = list.uint(1);
  const name = list.vector(2).text().toLowerCase();
  if (type !== HOST_NAME || !list.done || !data.done || name.length > 255 || !NAME.test(name))
    throw new RangeError('not one host name');
  return name;
}

/** Reads fields of a message one by one. Each throws RangeError where the message ends before it does. */
class Fields {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  get done(): boolean {
    return this.#at === this.#bytes.length;
  }

  uint(size: number): number {
    const at = this.#take(size);
    return this.#bytes.readUIntBE(at, size);
  }

  skip(size: number): void {
    this.#take(size);
  }

  /** What follows a length of so many bytes. */
  vector(lengthSize: number): Fields {
    const length = this.uint(lengthSize);
    const at = this.#take(length);
    return new Fields(this.#bytes.subarray(at, at + length));
  }

  text(): string {
    return this.#bytes.toString('latin1');
  }

  #take(size: number): number {
    const at = this.#at;
    if (at + size > this.#bytes.length) throw new RangeError('the message ends here');
    this.#at = at + size;
    return at;
  }
}
