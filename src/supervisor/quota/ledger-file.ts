import { mkdir, open, readdir, readFile, rename, unlink, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { formatLine, parseLine } from './line.ts';

const FILE_NAME = /^ledger-(\d{10})\.log$/;
const LINE_START = /[0-9a-f]{16} \d+ \[/g;
const NEWLINE = 10;

/** The ledger's file is not what was written, and it takes a person to say what was charged. */
export class DamagedLedger extends Error {
  override readonly name = 'DamagedLedger';
}

export interface OpenedLedger {
  readonly file: LedgerFile;
  /** All that the file holds, in the order in which it was written. */
  readonly records: readonly unknown[];
  /** Bytes of a write that was interrupted, cut off. */
  readonly cutBytes: number;
}

/**
 * The file that quotas are kept in: lines are appended, and a file that has grown gives way to one that begins with
 * what all accounts are then.
 *
 *     DIR/ledger-0000000012.log     readable by its owner alone
 *
 * One write is under way at a time and synced before the next begins, so that an interruption can hurt the last line
 * alone. A line that is not whole with a whole one behind it is damage.
 */
export class LedgerFile {
  readonly #dir: string;
  #generation: number;
  #handle: FileHandle;
  #bytes: number;
  #sequence: number;

  private constructor(dir: string, generation: number, handle: FileHandle, bytes: number, sequence: number) {
    this.#dir = dir;
    this.#generation = generation;
    this.#handle = handle;
    this.#bytes = bytes;
    this.#sequence = sequence;
  }

  /**
   * Makes the folder where it is missing.
   *
   * @throws DamagedLedger where what was charged cannot be told from the file
   */
  static async open(dir: string): Promise<OpenedLedger> {
    await mkdir(dir, { recursive: true, mode: 0o700 });
    const names = await readdir(dir);
    for (const name of names) if (name.endsWith('.tmp')) await unlink(join(dir, name));
    const generations = names.flatMap((name) => FILE_NAME.exec(name)?.[1] ?? []).map(Number);
    if (generations.length === 0) {
      const file = await LedgerFile.create(dir, 1);
      return { file, records: [], cutBytes: 0 };
    }
    const newest = Math.max(...generations);
    const path = join(dir, nameOf(newest));
    const content = await readFile(path);
    const { records, sequence, length } = readLines(content, path);
    const handle = await open(path, 'a', 0o600);
    if (length < content.length) {
      await handle.truncate(length);
      await handle.sync();
    }
    // It became a name when it was whole, so those before it are of no use.
    for (const old of generations) if (old !== newest) await unlink(join(dir, nameOf(old)));
    const file = new LedgerFile(dir, newest, handle, length, sequence);
    return { file, records, cutBytes: content.length - length };
  }

  private static async create(dir: string, generation: number): Promise<LedgerFile> {
    const handle = await open(join(dir, nameOf(generation)), 'ax', 0o600);
    await syncFolder(dir);
    return new LedgerFile(dir, generation, handle, 0, 0);
  }

  get bytes(): number {
    return this.#bytes;
  }

  /**
   * Resolves when the records are on disk. One call at a time.
   *
   * Rejects with the file system's error, after which the file may end in half a line and has to be replaced.
   *
   * @throws DamagedLedger where another process writes to the file as well
   */
  async append(records: readonly unknown[]): Promise<void> {
    const { size, nlink } = await this.#handle.stat();
    if (size !== this.#bytes || nlink === 0)
      throw new DamagedLedger(
        `${this.path} was changed by another process: one weir alone may have this data folder`,
      );
    const line = Buffer.from(formatLine(this.#sequence + 1, records));
    await this.#handle.appendFile(line);
    await this.#handle.datasync();
    this.#bytes += line.length;
    this.#sequence++;
  }

  get path(): string {
    return join(this.#dir, nameOf(this.#generation));
  }

  /** Begins a file that will take the place of this one; until it does, this one goes on. */
  async successor(): Promise<Successor> {
    const path = join(this.#dir, `${nameOf(this.#generation + 1)}.tmp`);
    const handle = await open(path, 'w', 0o600);
    let sequence = 0;
    let bytes = 0;
    return {
      write: async (records) => {
        const line = Buffer.from(formatLine(sequence + 1, records));
        await handle.appendFile(line);
        sequence++;
        bytes += line.length;
      },
      takeOver: async () => {
        await handle.sync();
        await rename(path, join(this.#dir, nameOf(this.#generation + 1)));
        await syncFolder(this.#dir);
        const before = { handle: this.#handle, path: this.path };
        this.#generation++;
        this.#handle = handle;
        this.#bytes = bytes;
        this.#sequence = sequence;
        await before.handle.close();
        await unlink(before.path).catch(() => undefined);
      },
      abandon: async () => {
        await handle.close();
        await unlink(path).catch(() => undefined);
      },
    };
  }

  async close(): Promise<void> {
    await this.#handle.close();
  }
}

/** A file that is being written to take the place of the one in use. */
export interface Successor {
  write(records: readonly unknown[]): Promise<void>;
  /** No `append` may be under way. Resolves when it is in the place of the other, on disk. */
  takeOver(): Promise<void>;
  abandon(): Promise<void>;
}

function nameOf(generation: number): string {
  return `ledger-${String(generation).padStart(10, '0')}.log`;
}

async function syncFolder(dir: string): Promise<void> {
  const handle = await open(dir, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

function readLines(content: Buffer, path: string): { records: unknown[]; sequence: number; length: number } {
  const records: unknown[] = [];
  let sequence = 0;
  let at = 0;
  while (at < content.length) {
    const end = content.indexOf(NEWLINE, at);
    const line = end < 0 ? null : parseLine(content.toString('utf8', at, end));
    if (line?.sequence !== sequence + 1) {
      if (line !== null || hasWholeLine(content, at + 1))
        throw new DamagedLedger(
          `${path} is damaged at byte ${at} (line ${sequence + 1}), and what follows was acknowledged: bring the file back from a copy, or move it away to begin with nothing used`,
        );
      break;
    }
    for (const record of line.records) records.push(record);
    sequence = line.sequence;
    at = end + 1;
  }
  return { records, sequence, length: at };
}

/** Whether a line that was written whole lies at `from` or behind, also where the line end before it was lost. */
function hasWholeLine(content: Buffer, from: number): boolean {
  for (let at = from; at < content.length;) {
    const newline = content.indexOf(NEWLINE, at);
    const end = newline < 0 ? content.length : newline;
    const text = content.toString('utf8', at, end);
    for (const { index } of text.matchAll(LINE_START)) if (parseLine(text.slice(index)) !== null) return true;
    at = end + 1;
  }
  return false;
}
