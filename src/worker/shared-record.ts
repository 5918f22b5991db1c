import { crc32 } from 'node:zlib';

/** What a record does; steps of `SharedTable`. */
export const Step = {
  Set: 1,
  Enqueue: 2,
  Dequeue: 3,
  Register: 4,
  Unregister: 5,
  Hold: 6,
  Release: 7,
  Gone: 8,
  Add: 9,
  Remove: 10,
} as const;

/**
 * A record, little-endian: 8 bytes mark, u32 size of all of it, u32 CRC-32 of what follows, u32 step, u32
 * worker, u32 sequence number of that worker, u32 number, u32 size of the space, u32 size of the name, f64
 * milliseconds since 1970, u32 milliseconds that the value is there; then space and name, a byte for a
 * character, and the value. The mark is random: a guest that writes
 * what looks like a record into a value does not know it.
 */
const HEAD = 52;
export const MARK_BYTES = 8;
const CHECKED = 16;
/** A value and its key are at most 1 MiB together, or an item is. */
const MAX_RECORD = 2 * 1024 * 1024;

/** One record, written into and read from the same object again and again. */
export class SharedRecord {
  step = 0;
  worker = 0;
  sequence = 0;
  /** CAS value, queue or worker, as the step has it. */
  number = 0;
  /** When the step was written: its time for all that take it, since a table has no clock. */
  now = 0;
  ttl = 0;
  space = '';
  /** Key or queue. */
  name = '';
  value: Uint8Array | null = null;
}

/** A buffer that is as large as the largest record so far. */
export class RecordWriter {
  bytes = Buffer.alloc(4096);
  length = 0;
  readonly #mark: Buffer;

  constructor(mark: Buffer) {
    this.#mark = mark;
  }

  write(record: SharedRecord): void {
    const { space, name, value } = record;
    const length = HEAD + space.length + name.length + (value?.length ?? 0);
    if (length > this.bytes.length) this.bytes = Buffer.alloc(2 ** Math.ceil(Math.log2(length)));
    const { bytes } = this;
    this.length = length;
    bytes.set(this.#mark, 0);
    bytes.writeUInt32LE(length, 8);
    bytes.writeUInt32LE(record.step, 16);
    bytes.writeUInt32LE(record.worker, 20);
    bytes.writeUInt32LE(record.sequence, 24);
    bytes.writeUInt32LE(record.number, 28);
    bytes.writeUInt32LE(space.length, 32);
    bytes.writeUInt32LE(name.length, 36);
    bytes.writeDoubleLE(record.now, 40);
    bytes.writeUInt32LE(record.ttl, 48);
    bytes.write(space, HEAD, 'latin1');
    bytes.write(name, HEAD + space.length, 'latin1');
    if (value !== null) bytes.set(value, HEAD + space.length + name.length);
    bytes.writeUInt32LE(crc32(bytes.subarray(CHECKED, length)), 12);
  }
}

/** What `readRecord` answers where there is no whole record. */
export const PARTIAL = 0;
const BROKEN = -1;

/**
 * param start of the record; `end`: of what has been read
 * returns the record's size, PARTIAL where more may follow, BROKEN where this is no record
 */
export function readRecord(
  bytes: Buffer,
  mark: Buffer,
  start: number,
  end: number,
  into: SharedRecord,
): number {
  if (end - start < HEAD) return PARTIAL;
  if (bytes.compare(mark, 0, MARK_BYTES, start, start + MARK_BYTES) !== 0) return BROKEN;
  const length = bytes.readUInt32LE(start + 8);
  if (length < HEAD || length > MAX_RECORD) return BROKEN;
  if (length > end - start) return PARTIAL;
  if (crc32(bytes.subarray(start + CHECKED, start + length)) !== bytes.readUInt32LE(start + 12))
    return BROKEN;
  const name = start + HEAD + bytes.readUInt32LE(start + 32);
  const value = name + bytes.readUInt32LE(start + 36);
  into.step = bytes.readUInt32LE(start + 16);
  into.worker = bytes.readUInt32LE(start + 20);
  into.sequence = bytes.readUInt32LE(start + 24);
  into.number = bytes.readUInt32LE(start + 28);
  into.now = bytes.readDoubleLE(start + 40);
  into.ttl = bytes.readUInt32LE(start + 48);
  into.space = bytes.toString('latin1', start + HEAD, name);
  into.name = bytes.toString('latin1', name, value);
  into.value = new Uint8Array(bytes.subarray(value, start + length));
  return length;
}
