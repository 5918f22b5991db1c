import { sep } from 'node:path';
import { watch, type FSWatcher } from 'chokidar';

/** Saves come in bursts: an editor writes, syncs and renames; a formatter writes once more. */
const DEBOUNCE_MS = 20;
/** Files that are written to for longer than this are compiled anyway. */
const MAX_DEBOUNCE_MS = 300;
/** Folders of a project that hold no sources. */
const SKIPPED = new Set(['node_modules', 'build', 'dist', 'coverage']);

/** Tells which sources and policies of some folders were written, once for each burst of saves. */
export class SourceWatcher {
  readonly #watcher: FSWatcher;
  readonly #onChange: (files: ReadonlySet<string>) => void;
  readonly #folders: readonly string[];
  #changed = new Set<string>();
  #timer: NodeJS.Timeout | null = null;
  #firstAt = 0;

  /** @param folders absolute; files may be among them */
  constructor(folders: readonly string[], onChange: (files: ReadonlySet<string>) => void) {
    this.#onChange = onChange;
    this.#folders = folders;
    this.#watcher = watch([...folders], { ignoreInitial: true, ignored: (path) => this.#isSkipped(path) });
    this.#watcher.on('all', (event, path) => {
      if (event !== 'addDir' && /\.(ts|ya?ml)$/.test(path)) this.#saw(path);
    });
    // Where the system has no more watches the key r is left.
    this.#watcher.on('error', () => undefined);
  }

  /** Sources outside of the folders that filters were compiled from. */
  follow(files: Iterable<string>): void {
    const outside = [...files].filter(
      (file) =>
        !file.includes(`${sep}node_modules${sep}`) &&
        !this.#folders.some((folder) => file.startsWith(folder + sep)),
    );
    this.#watcher.add(outside);
  }

  /** Resolves when changes are noticed from now on. */
  ready(): Promise<void> {
    return new Promise((done) => this.#watcher.once('ready', done));
  }

  async close(): Promise<void> {
    if (this.#timer) clearTimeout(this.#timer);
    await this.#watcher.close();
  }

  #isSkipped(path: string): boolean {
    const folder = this.#folders.find((each) => path.startsWith(each + sep));
    if (folder === undefined) return false;
    const parts = path.slice(folder.length + 1).split(sep);
    return parts.some((part) => part.startsWith('.') || SKIPPED.has(part));
  }

  #saw(path: string): void {
    this.#changed.add(path);
    const now = performance.now();
    if (this.#timer === null) this.#firstAt = now;
    else if (now - this.#firstAt > MAX_DEBOUNCE_MS) return;
    else clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#timer = null;
      const changed = this.#changed;
      this.#changed = new Set();
      this.#onChange(changed);
    }, DEBOUNCE_MS);
  }
}
