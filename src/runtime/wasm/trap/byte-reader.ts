/** Reads little-endian debug sections; a read past the end throws {@link BrokenSection}. */
export class ByteReader {
  readonly bytes: Uint8Array;
  at: number;
  end: number;
  readonly #view: DataView;

  constructor(bytes: Uint8Array, at = 0) {
    this.bytes = bytes;
    this.at = at;
    this.end = bytes.length;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  skip(size: number): number {
    const from = this.at;
    if (size < 0 || size > this.end - from) throw new BrokenSection();
    this.at += size;
    return from;
  }

  u8(): number {
    return this.bytes[this.skip(1)]!;
  }

  i8(): number {
    return this.#view.getInt8(this.skip(1));
  }

  u16(): number {
    return this.#view.getUint16(this.skip(2), true);
  }

  u32(): number {
    return this.#view.getUint32(this.skip(4), true);
  }

  /** What does not fit a number exactly is of no use here, so it only has to be large. */
  u64(): number {
    const low = this.u32();
    return low + this.u32() * 2 ** 32;
  }

  /** LEB128, unsigned. */
  uleb(): number {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = this.u8();
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
      if (scale > 2 ** 63) throw new BrokenSection();
    }
  }

  /** LEB128, signed. */
  sleb(): number {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = this.u8();
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return (byte & 0x40) === 0 ? value : value - scale * 128;
      if (scale > 2 ** 63) throw new BrokenSection();
    }
  }

  /** Up to a NUL. */
  text(): string {
    const stop = this.bytes.indexOf(0, this.at);
    if (stop < 0 || stop >= this.end) throw new BrokenSection();
    const from = this.at;
    this.at = stop + 1;
    return Buffer.from(this.bytes.buffer, this.bytes.byteOffset + from, stop - from).toString('utf8');
  }
}

/** The section does not have the form that it should have. */
export class BrokenSection extends Error {}
