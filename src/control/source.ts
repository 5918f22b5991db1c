import { stat } from 'node:fs/promises';
import { basename, dirname, extname, relative, resolve, sep } from 'node:path';
import { watch, type FSWatcher } from 'chokidar';

/** Saves come in bursts: an editor writes, syncs and renames; a build writes several files. */
const DEBOUNCE_MS = 50;
/** A file that is written to for longer than this is read anyway. */
const MAX_DEBOUNCE_MS = 1000;
/** Safety net below the events: mounts that send none, links that are swapped. */
const SWEEP_MS = 2000;
/** Time stamps of file systems are coarse. */
const STAMP_SLACK_MS = 20;

/**
 * Tells when files that a configuration was read from may have changed: YAML of the folders that
 * were named, new files too, and every module and certificate that they refer to. It may tell
 * once too often, never once too few.
 */
export class Source {
  private readonly roots: readonly string[];
  private readonly onChange: () => void;
  private readonly watcher: FSWatcher;
  private files: ReadonlySet<string>;
  private folders: ReadonlySet<string>;
  private stamps = new Map<string, string>();
  private timer: NodeJS.Timeout | null = null;
  private firstEventAt = 0;
  private readonly sweeper: NodeJS.Timeout;
  private closed = false;

  /** @param paths files and folders, as they were given on the command line */
  constructor(paths: readonly string[], onChange: () => void) {
    this.roots = paths.map((path) => resolve(path));
    this.onChange = onChange;
    this.files = new Set(this.roots);
    this.folders = new Set(this.roots.map((root) => dirname(root)));
    this.watcher = watch([...this.roots, ...this.folders], {
      ignoreInitial: true,
      ignored: (path) => this.isIgnored(resolve(path)),
    });
    this.watcher.on('all', (_event, path) => this.saw(resolve(path)));
    // A folder that cannot be watched (limits of the system, permissions) is left to the sweep.
    this.watcher.on('error', () => undefined);
    this.sweeper = setInterval(() => void this.sweep(), SWEEP_MS).unref();
  }

  /**
   * Follows exactly these files from now on.
   *
   * @param files every file that was read, or that should have been there
   * @param readSince wall clock before the first of them was read: what changed after it counts
   */
  async follow(files: readonly string[], readSince: number): Promise<void> {
    const next = new Set([...this.roots, ...files.map((file) => resolve(file))]);
    const folders = new Set([...next].filter((file) => !this.isUnderRoot(file)).map((file) => dirname(file)));
    for (const root of this.roots) folders.add(dirname(root));
    const added = [...folders].filter((folder) => !this.folders.has(folder));
    const newFiles = [...next].filter((file) => !this.files.has(file) && !this.isUnderRoot(file));
    this.files = next;
    this.folders = folders;
    this.watcher.add([...added, ...newFiles]);

    const stamps = new Map<string, string>();
    for (const file of next) {
      const { stamp, changedAt } = await stampOf(file);
      stamps.set(file, stamp);
      if (changedAt > readSince - STAMP_SLACK_MS) this.schedule();
    }
    this.stamps = stamps;
  }

  async close(): Promise<void> {
    this.closed = true;
    if (this.timer) clearTimeout(this.timer);
    clearInterval(this.sweeper);
    await this.watcher.close();
  }

  private isUnderRoot(path: string): boolean {
    return this.roots.some((root) => path === root || path.startsWith(root + sep));
  }

  private isIgnored(path: string): boolean {
    if (this.files.has(path) || this.folders.has(path)) return false;
    const root = this.roots.find((each) => path.startsWith(each + sep));
    if (root === undefined) return true;
    return relative(root, path)
      .split(sep)
      .some((part) => part.startsWith('.') || part === 'node_modules');
  }

  private saw(path: string): void {
    if (this.files.has(path) || isConfiguration(path)) this.schedule();
    // A folder that came or went may hold such files.
    else if (extname(path) === '' && this.isUnderRoot(path)) this.schedule();
  }

  private schedule(): void {
    if (this.closed) return;
    const now = performance.now();
    if (this.timer) {
      if (now - this.firstEventAt > MAX_DEBOUNCE_MS) return;
      clearTimeout(this.timer);
    } else {
      this.firstEventAt = now;
    }
    this.timer = setTimeout(() => {
      this.timer = null;
      this.onChange();
    }, DEBOUNCE_MS);
  }

  private async sweep(): Promise<void> {
    const { stamps } = this;
    for (const [file, before] of stamps) {
      const { stamp } = await stampOf(file);
      if (stamp === before || this.stamps !== stamps) continue;
      stamps.set(file, stamp);
      this.schedule();
    }
  }
}

function isConfiguration(path: string): boolean {
  const extension = extname(path);
  return (extension === '.yaml' || extension === '.yml') && !basename(path).startsWith('.');
}

/** What identifies the content of a file without reading it, and when it last changed. */
async function stampOf(file: string): Promise<{ stamp: string; changedAt: number }> {
  try {
    const { ino, size, mtimeMs, ctimeMs } = await stat(file);
    return { stamp: `${ino}:${size}:${mtimeMs}`, changedAt: ctimeMs };
  } catch {
    return { stamp: 'absent', changedAt: 0 };
  }
}
