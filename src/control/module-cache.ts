import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, rename, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** What a server gave for a module, and how it named that. */
export interface CachedModule {
  readonly bytes: Uint8Array;
  /** sha256 of the bytes, hex. */
  readonly sha256: string;
  /** What tells whether the server has another by now: the digest of a manifest, an ETag; empty: nothing does. */
  readonly tag: string;
  /** Base64 of the signatures that came with it; null where they were not asked for. */
  readonly signatures: readonly string[] | null;
  /** Milliseconds since 1970. */
  readonly pulledAt: number;
}

type Entry = Omit<CachedModule, 'bytes'>;

/** Modules of more sources than anybody configures at once, and those that they replaced. */
const MAX_ENTRIES = 128;
/** Of modules in memory; those used longest ago go, and are pulled again. */
const MEMORY_BYTES = 64 * 1024 * 1024;
const ENTRY_NAME = /^[0-9a-f]{64}\.json$/;
const CODE_NAME = /^([0-9a-f]{64})\.wasm$/;

/**
 * Modules that were pulled, by what was asked for.
 *
 *     DIR/pulled/<sha256 of the key>.json   what is known of the module
 *     DIR/pulled/<sha256>.wasm              its bytes
 *
 * The bytes are compared with their digest whenever they are read, so a damaged file is one that is not there.
 * Without a folder, and where it cannot be written to, they are kept in memory.
 */
export class ModuleCache {
  readonly #folder: string | null;
  readonly #memory = new Map<string, CachedModule>();

  /** @param dataDir null: in memory alone */
  constructor(dataDir: string | null) {
    this.#folder = dataDir === null ? null : join(dataDir, 'pulled');
  }

  async get(key: string): Promise<CachedModule | null> {
    const known = this.#memory.get(key);
    if (known !== undefined) {
      this.#remember(key, known);
      return known;
    }
    if (this.#folder === null) return null;
    try {
      const entry = JSON.parse(await readFile(join(this.#folder, `${nameOf(key)}.json`), 'utf8')) as Entry;
      if (!/^[0-9a-f]{64}$/.test(entry.sha256)) return null;
      const bytes = await readFile(join(this.#folder, `${entry.sha256}.wasm`));
      return sha256Of(bytes) === entry.sha256 ? { ...entry, bytes } : null;
    } catch {
      return null;
    }
  }

  async put(key: string, module: CachedModule): Promise<void> {
    this.#memory.delete(key);
    if (this.#folder === null) return this.#remember(key, module);
    const { bytes, ...entry } = module;
    try {
      await mkdir(this.#folder, { recursive: true, mode: 0o700 });
      await this.#write(`${entry.sha256}.wasm`, bytes);
      await this.#write(`${nameOf(key)}.json`, JSON.stringify(entry satisfies Entry));
      await this.#prune();
    } catch {
      this.#remember(key, module);
    }
  }

  /** As the one used last. */
  #remember(key: string, module: CachedModule): void {
    this.#memory.delete(key);
    this.#memory.set(key, module);
    let bytes = 0;
    for (const [each, kept] of [...this.#memory].reverse()) {
      bytes += kept.bytes.length;
      if (bytes > MEMORY_BYTES) this.#memory.delete(each);
    }
  }

  async #write(name: string, content: Uint8Array | string): Promise<void> {
    const target = join(this.#folder!, name);
    const temporary = `${target}.${process.pid}.tmp`;
    await writeFile(temporary, content, { mode: 0o600 });
    await rename(temporary, target);
  }

  /** The oldest go, and bytes that nothing names any more. */
  async #prune(): Promise<void> {
    const folder = this.#folder!;
    const names = await readdir(folder);
    const entries: { name: string; entry: Entry }[] = [];
    for (const name of names.filter((each) => ENTRY_NAME.test(each))) {
      const text = await readFile(join(folder, name), 'utf8');
      try {
        entries.push({ name, entry: JSON.parse(text) as Entry });
      } catch {
        await unlink(join(folder, name));
      }
    }
    entries.sort((a, b) => b.entry.pulledAt - a.entry.pulledAt);
    for (const { name } of entries.splice(MAX_ENTRIES)) await unlink(join(folder, name));
    const used = new Set(entries.map(({ entry }) => entry.sha256));
    for (const name of names) {
      const digest = CODE_NAME.exec(name)?.[1];
      if (digest !== undefined && !used.has(digest)) await unlink(join(folder, name));
    }
  }
}

function sha256Of(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

function nameOf(key: string): string {
  return sha256Of(Buffer.from(key));
}
