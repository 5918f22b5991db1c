// Reading the WebAssembly binary format: numbers, names and types at a position that is always checked.

/** Sizes in pages; `max` is -1 where none is declared. */
export interface MemoryEntry {
  readonly min: number;
  readonly max: number;
  readonly shared: boolean;
  readonly wide: boolean;
}

export class BinaryError extends Error {
  constructor(message: string, offset: number) {
    super(`${message} at byte ${offset}`);
    this.name = 'BinaryError';
  }
}

/** A position in a binary; every read is checked against the end. */
export class Cursor {
  readonly bytes: Uint8Array;
  at: number;
  end: number;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
    this.at = 0;
    this.end = bytes.length;
  }

  byte(): number {
    if (this.at >= this.end) throw new BinaryError('unexpected end', this.at);
    return this.bytes[this.at++]!;
  }

  /** LEB128 of at most 32 bits, unsigned. */
  u32(): number {
    let value = 0;
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = this.byte();
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) {
        if (value > 0xffff_ffff) break;
        return value;
      }
    }
    throw new BinaryError('number is too long', this.at);
  }

  skip(size: number): void {
    if (size > this.end - this.at) throw new BinaryError('unexpected end', this.at);
    this.at += size;
  }

  name(): string {
    const size = this.u32();
    const start = this.at;
    this.skip(size);
    return Buffer.from(this.bytes.buffer, this.bytes.byteOffset + start, size).toString('utf8');
  }

  valueType(): string {
    const code = this.byte();
    switch (code) {
      case 0x7f:
        return 'i';
      case 0x7e:
        return 'I';
      case 0x7d:
        return 'f';
      case 0x7c:
        return 'F';
      case 0x7b:
        return 'v';
      case 0x70:
      case 0x6f:
        return 'r';
    }
    throw new BinaryError(`value type 0x${code.toString(16)} is not supported`, this.at - 1);
  }

  valueTypes(): string {
    let types = '';
    for (let left = this.u32(); left > 0; left--) types += this.valueType();
    return types;
  }

  tableType(): MemoryEntry {
    this.valueType();
    return this.limits();
  }

  globalType(): void {
    this.valueType();
    this.byte();
  }

  limits(): MemoryEntry {
    const flags = this.byte();
    if (flags > 7) throw new BinaryError('limits flag is not supported', this.at - 1);
    const wide = (flags & 4) !== 0;
    const min = this.u32();
    return { min, max: (flags & 1) !== 0 ? this.u32() : -1, shared: (flags & 2) !== 0, wide };
  }
}
