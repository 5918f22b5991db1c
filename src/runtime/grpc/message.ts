/** A frame's head: whether the message is compressed, and its size (grpc/doc/PROTOCOL-HTTP2.md, "Length-Prefixed-Message"). */
const HEAD_BYTES = 5;

/** Largest message in either direction (security requirements §4.6). */
export const MESSAGE_BYTES = 4 * 1024 * 1024;

/** A message with its head, in one buffer of its own. */
export function frameOf(message: Uint8Array): Buffer {
  const frame = Buffer.allocUnsafe(HEAD_BYTES + message.length);
  frame[0] = 0;
  frame.writeUInt32BE(message.length, 1);
  frame.set(message, HEAD_BYTES);
  return frame;
}

export const MessageFault = { None: 0, Compressed: 1, TooLarge: 2, BadFlag: 3 } as const;

/** Cuts what a stream brings into messages. The outcome does not depend on how the bytes were cut. */
export class MessageReader {
  /** The message that `read` completed, else null. */
  message: Buffer | null = null;
  fault: number = MessageFault.None;
  readonly #head = Buffer.alloc(HEAD_BYTES);
  #headSize = 0;
  readonly #parts: Buffer[] = [];
  #left = 0;

  /** Some bytes of a message are there, and not all. */
  get partial(): boolean {
    return this.#headSize > 0;
  }

  /**
   * Reads to the end of a message at most.
   *
   * @param bytes parts of it are kept, so they must not be written again
   * @returns where to go on; after a fault nothing may be read any more
   */
  read(bytes: Buffer, start: number): number {
    this.message = null;
    let at = start;
    if (this.#headSize < HEAD_BYTES) {
      while (this.#headSize < HEAD_BYTES) {
        if (at === bytes.length) return at;
        this.#head[this.#headSize++] = bytes[at++]!;
      }
      this.#left = this.#head.readUInt32BE(1);
      if (this.#head[0]! > 1) this.fault = MessageFault.BadFlag;
      else if (this.#head[0] === 1) this.fault = MessageFault.Compressed;
      else if (this.#left > MESSAGE_BYTES) this.fault = MessageFault.TooLarge;
      if (this.fault !== MessageFault.None) return at;
    }
    const end = Math.min(bytes.length, at + this.#left);
    this.#left -= end - at;
    if (this.#left > 0) {
      if (end > at) this.#parts.push(bytes.subarray(at, end));
      return end;
    }
    const last = bytes.subarray(at, end);
    this.message = this.#parts.length === 0 ? last : Buffer.concat([...this.#parts.splice(0), last]);
    this.#headSize = 0;
    return end;
  }
}
