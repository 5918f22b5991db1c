import {
  closeSync,
  constants,
  linkSync,
  openSync,
  readdirSync,
  readSync,
  rmSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { MARK_BYTES } from './shared-record.ts';

/** A file is left for the next one when so much was appended, or as much as it began with. */
const FILE_BYTES = 4 * 1024 * 1024;
/** `weir`, u32 version, u32 size of the snapshot, u32 offset at which the file ends, the mark of records. */
const HEAD = 16 + MARK_BYTES;
const TITLE = 0x72_69_65_77;
const VERSION = 1;
const NAME = /^log\.([0-9]+)$/;

/**
 * The log that workers append to: a file that begins with a snapshot and ends with the first record that
 * reaches its `end`; the next file begins with the state after that record. The kernel puts what is
 * appended in an order: bytes of two writes never mix, and each write is placed behind those before it.
 *
 * A file appears whole, under a name that only one process can give it. The newest is always there. So a
 * process that opens the file it looks for and finds none newer has the one that the others have.
 */
export class SharedFile {
  /** Where the next unread record begins. */
  position = 0;
  /** A record that reaches it is the last of the file. */
  end = 0;
  /** How records begin; the same in all files. */
  mark: Buffer = randomBytes(MARK_BYTES);
  readonly #folder: string;
  #number = 0;
  #descriptor = -1;

  /** @param folder of this weir alone */
  constructor(folder: string) {
    this.#folder = folder;
  }

  /** False where not all of it could be appended; what was is no record. */
  append(bytes: Uint8Array, length: number): boolean {
    return writeSync(this.#descriptor, bytes, 0, length) === length;
  }

  /** Reads from `position`. */
  read(into: Uint8Array): number {
    return readSync(this.#descriptor, into, 0, into.length, this.position);
  }

  /**
   * Opens the next file, or the first.
   *
   * @param snapshot the state after the last record of this file
   * @returns null where the next file begins with that state; else the state that the newest file begins
   *   with, since others have gone further
   */
  advance(snapshot: () => Uint8Array): Uint8Array | null {
    const next = this.#number + 1;
    if (this.#newest() < next) this.#create(next, snapshot());
    for (;;) {
      const number = this.#newest();
      const descriptor = this.#open(number);
      // It was left and removed meanwhile: there is a newer one.
      if (descriptor < 0) continue;
      const state = this.#enter(number, descriptor);
      if (number !== next && next > 1) this.#remove(next);
      return number === next ? null : state;
    }
  }

  /** Opens the newest file, the first where there is none. @returns the state that it begins with */
  open(empty: () => Uint8Array): Uint8Array {
    if (this.#newest() < 1) this.#create(1, empty());
    for (;;) {
      const number = this.#newest();
      const descriptor = this.#open(number);
      if (descriptor >= 0) return this.#enter(number, descriptor);
    }
  }

  close(): void {
    if (this.#descriptor >= 0) closeSync(this.#descriptor);
    this.#descriptor = -1;
  }

  #enter(number: number, descriptor: number): Uint8Array {
    const head = Buffer.alloc(HEAD);
    readSync(descriptor, head, 0, HEAD, 0);
    if (head.readUInt32LE(0) !== TITLE || head.readUInt32LE(4) !== VERSION)
      throw new Error(`${this.#path(number)} is not a log of shared data`);
    const state = Buffer.alloc(head.readUInt32LE(8));
    readSync(descriptor, state, 0, state.length, HEAD);
    const before = this.#number;
    this.close();
    this.#descriptor = descriptor;
    this.#number = number;
    this.position = HEAD + state.length;
    this.end = head.readUInt32LE(12);
    this.mark = head.subarray(16);
    if (before > 0) this.#remove(before);
    return state;
  }

  #create(number: number, state: Uint8Array): void {
    const head = Buffer.alloc(HEAD);
    head.writeUInt32LE(TITLE, 0);
    head.writeUInt32LE(VERSION, 4);
    head.writeUInt32LE(state.length, 8);
    head.writeUInt32LE(HEAD + state.length + Math.max(FILE_BYTES, state.length), 12);
    head.set(this.mark, 16);
    const draft = join(this.#folder, `draft.${process.pid}`);
    const descriptor = openSync(draft, 'w', 0o600);
    try {
      const bytes = Buffer.concat([head, state]);
      for (let at = 0; at < bytes.length;) at += writeSync(descriptor, bytes, at);
      linkSync(draft, this.#path(number));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    } finally {
      closeSync(descriptor);
      rmSync(draft, { force: true });
    }
  }

  #open(number: number): number {
    try {
      return openSync(this.#path(number), constants.O_RDWR | constants.O_APPEND);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT' && this.#newest() > number) return -1;
      throw error;
    }
  }

  #newest(): number {
    let newest = 0;
    for (const name of readdirSync(this.#folder))
      newest = Math.max(newest, Number(NAME.exec(name)?.[1] ?? 0));
    return newest;
  }

  #remove(number: number): void {
    try {
      unlinkSync(this.#path(number));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
  }

  #path(number: number): string {
    return join(this.#folder, `log.${number}`);
  }
}
