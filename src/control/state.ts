import { createHash, randomBytes } from 'node:crypto';
import { mkdir, open, readFile, readdir, rename, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { Snapshot } from '../runtime/snapshot.ts';
import type { ModuleFailure } from './module-rollback.ts';

/**
 * Snapshots that served, kept on disk so that weir can start without a usable configuration.
 *
 *     DIR/snapshot-0000000012.weir    header and JSON, the newest three
 *     DIR/modules/<sha256>.wasm       module bytes that those refer to
 *
 * Header, integers little-endian: magic `WEIRSNAP` | u32 format version | u64 length of the JSON |
 * sha256 of the JSON. A file is written under a temporary name, synced, renamed, and the directory
 * synced, so a name never stands for half a file. Readable by the owner alone: snapshots hold keys.
 */
const MAGIC = Buffer.from('WEIRSNAP', 'latin1');
/** Raised with the shape of a snapshot: what another weir wrote is set aside, not misread. */
const FORMAT_VERSION = 3;
const HEADER_BYTES = 8 + 4 + 8 + 32;
const KEPT = 3;
const SNAPSHOT_NAME = /^snapshot-(\d{10})\.weir$/;
const MODULE_NAME = /^([0-9a-f]{64})\.wasm$/;

/** A snapshot with the number it served under and the bytes of its modules. */
export interface SavedSnapshot {
  readonly number: number;
  readonly snapshot: Snapshot;
  readonly code: ReadonlyMap<string, Uint8Array>;
  /** Modules that do not serve with the digest that the configuration gave them. */
  readonly failures: readonly ModuleFailure[];
}

/** What happened to a file that was not whole. */
export type DamageReport = (file: string, movedTo: string, reason: string) => void;

class Damaged extends Error {}

export class StateStore {
  private readonly dir: string;
  private readonly onDamage: DamageReport;

  private constructor(dir: string, onDamage: DamageReport) {
    this.dir = dir;
    this.onDamage = onDamage;
  }

  /** Makes the folder where it is missing and clears away what an interrupted write left. */
  static async open(dir: string, onDamage: DamageReport): Promise<StateStore> {
    await mkdir(join(dir, 'modules'), { recursive: true, mode: 0o700 });
    const store = new StateStore(dir, onDamage);
    for (const folder of [dir, join(dir, 'modules')]) {
      for (const name of await readdir(folder)) {
        if (name.endsWith('.tmp')) await unlink(join(folder, name));
      }
    }
    return store;
  }

  /**
   * Writes a snapshot durably; it is safe on disk when the promise resolves. Rejects with the file
   * system's error (ENOSPC, EIO, EROFS, EACCES …), in which case what was saved before is intact.
   */
  async save(saved: SavedSnapshot): Promise<void> {
    const present = new Set(await readdir(join(this.dir, 'modules')));
    for (const { digest } of saved.snapshot.modules) {
      const bytes = saved.code.get(digest);
      if (bytes && !present.has(`${digest}.wasm`)) await this.write('modules', `${digest}.wasm`, [bytes]);
    }
    const { number, snapshot, failures } = saved;
    const json = Buffer.from(JSON.stringify({ number, snapshot, failures }), 'utf8');
    const name = `snapshot-${String(number).padStart(10, '0')}.weir`;
    await this.write('', name, [headerOf(json), json]);
    await this.prune();
  }

  /** The newest whole snapshot, or null. Damaged files on the way are set aside and reported. */
  async newest(): Promise<SavedSnapshot | null> {
    for (const name of await this.snapshotNames()) {
      const file = join(this.dir, name);
      try {
        return await this.load(file);
      } catch (error) {
        if (!(error instanceof Damaged)) throw error;
        await this.setAside(file, error.message);
      }
    }
    return null;
  }

  private async load(file: string): Promise<SavedSnapshot> {
    const { number, snapshot, failures } = parseSnapshot(await readFile(file));
    const code = new Map<string, Uint8Array>();
    for (const { name, digest } of snapshot.modules) {
      if (!code.has(digest)) code.set(digest, await this.loadModule(name, digest));
    }
    return { number, snapshot, code, failures };
  }

  private async loadModule(name: string, digest: string): Promise<Uint8Array> {
    const file = join(this.dir, 'modules', `${digest}.wasm`);
    let bytes: Buffer;
    try {
      bytes = await readFile(file);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
      throw new Damaged(`module ${name} (sha256 ${digest}) is missing`);
    }
    if (sha256(bytes).toString('hex') === digest) return bytes;
    await this.setAside(file, 'its sha256 differs from its name');
    throw new Damaged(`module ${name} (sha256 ${digest}) is damaged`);
  }

  /** Newest first. */
  private async snapshotNames(): Promise<string[]> {
    const names = await readdir(this.dir);
    return names
      .filter((name) => SNAPSHOT_NAME.test(name))
      .sort()
      .reverse();
  }

  private async write(folder: string, name: string, parts: readonly Uint8Array[]): Promise<void> {
    const target = join(this.dir, folder, name);
    const temporary = `${target}.${process.pid}.tmp`;
    try {
      const file = await open(temporary, 'w', 0o600);
      try {
        for (const part of parts) await file.writeFile(part);
        await file.sync();
      } finally {
        await file.close();
      }
      await rename(temporary, target);
    } catch (error) {
      await unlink(temporary).catch(() => undefined);
      throw error;
    }
    await syncFolder(join(this.dir, folder));
  }

  /** Removes snapshots beyond the newest three, and modules that none of those names. */
  private async prune(): Promise<void> {
    const names = await this.snapshotNames();
    for (const name of names.slice(KEPT)) await unlink(join(this.dir, name));
    const used = new Set<string>();
    for (const name of names.slice(0, KEPT)) {
      try {
        for (const { digest } of parseSnapshot(await readFile(join(this.dir, name))).snapshot.modules) {
          used.add(digest);
        }
      } catch (error) {
        // An unreadable neighbour: what it names is unknown, so no module goes.
        if (error instanceof Damaged) return;
        throw error;
      }
    }
    for (const name of await readdir(join(this.dir, 'modules'))) {
      const digest = MODULE_NAME.exec(name)?.[1];
      if (digest && !used.has(digest)) await unlink(join(this.dir, 'modules', name));
    }
  }

  private async setAside(file: string, reason: string): Promise<void> {
    const movedTo = `${file}.damaged-${Date.now()}-${randomBytes(3).toString('hex')}`;
    await rename(file, movedTo);
    this.onDamage(file, movedTo, reason);
  }
}

function headerOf(json: Buffer): Buffer {
  const header = Buffer.alloc(HEADER_BYTES);
  MAGIC.copy(header, 0);
  header.writeUInt32LE(FORMAT_VERSION, 8);
  header.writeBigUInt64LE(BigInt(json.length), 12);
  sha256(json).copy(header, 20);
  return header;
}

interface Written {
  readonly number: number;
  readonly snapshot: Snapshot;
  readonly failures: readonly ModuleFailure[];
}

function parseSnapshot(bytes: Buffer): Written {
  if (bytes.length < HEADER_BYTES) throw new Damaged(`${bytes.length} bytes, less than a header`);
  if (!bytes.subarray(0, 8).equals(MAGIC)) throw new Damaged('it does not begin with WEIRSNAP');
  const format = bytes.readUInt32LE(8);
  if (format !== FORMAT_VERSION) throw new Damaged(`format version ${format}, expected ${FORMAT_VERSION}`);
  const json = bytes.subarray(HEADER_BYTES);
  const length = bytes.readBigUInt64LE(12);
  if (BigInt(json.length) !== length)
    throw new Damaged(`${json.length} bytes of content, expected ${length}`);
  if (!sha256(json).equals(bytes.subarray(20, 52))) throw new Damaged('its sha256 differs from its header');
  return JSON.parse(json.toString('utf8')) as Written;
}

function sha256(bytes: Uint8Array): Buffer {
  return createHash('sha256').update(bytes).digest();
}

async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
