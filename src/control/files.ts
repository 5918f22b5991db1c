import { readdir, readFile, stat } from 'node:fs/promises';
import { dirname, isAbsolute, join } from 'node:path';
import type { Diagnostic } from './diagnostic.ts';

const MAX_TEXT_BYTES = 8 * 1024 * 1024;

/** Reads what a configuration names, and remembers what was read or looked for. */
export class FileReader {
  /** Every file that the result depends on, missing ones too, so that their arrival is noticed. */
  readonly seen = new Set<string>();

  /**
   * @returns the bytes, or the reason why there are none
   */
  async bytes(path: string, limit: number): Promise<Buffer | string> {
    this.seen.add(path);
    try {
      const info = await stat(path);
      if (!info.isFile()) return 'is not a file';
      if (info.size > limit) return `is larger than ${limit / (1024 * 1024)} MiB`;
      return await readFile(path);
    } catch (error) {
      return reasonOf(error);
    }
  }

  /** Text of a file, or the reason why there is none. */
  async text(path: string): Promise<{ readonly text: string } | string> {
    const bytes = await this.bytes(path, MAX_TEXT_BYTES);
    if (typeof bytes === 'string') return bytes;
    try {
      return { text: new TextDecoder('utf-8', { fatal: true }).decode(bytes) };
    } catch {
      return 'is not UTF-8 text';
    }
  }
}

/**
 * The YAML files of the paths: files as they are given, folders with all `*.yaml` and `*.yml`
 * below them, sorted. Hidden folders and node_modules are left out. Each file once.
 */
export async function listFiles(
  paths: readonly string[],
): Promise<{ files: string[]; diagnostics: Diagnostic[] }> {
  const files = new Set<string>();
  const diagnostics: Diagnostic[] = [];
  for (const path of paths) {
    try {
      const info = await stat(path);
      const below = info.isDirectory() ? await filesBelow(path) : [path];
      for (const file of below) files.add(file);
      if (below.length === 0) diagnostics.push(emptyFolder(path));
    } catch (error) {
      diagnostics.push(fileFault(path, reasonOf(error)));
    }
  }
  return { files: [...files], diagnostics };
}

async function filesBelow(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true });
  entries.sort((a, b) => (a.name < b.name ? -1 : 1));
  const files: string[] = [];
  for (const entry of entries) {
    if (entry.name.startsWith('.') || entry.name === 'node_modules') continue;
    const path = join(folder, entry.name);
    const isFolder = entry.isDirectory() || (entry.isSymbolicLink() && (await isDirectory(path)));
    if (isFolder && entry.isDirectory()) files.push(...(await filesBelow(path)));
    else if (!isFolder && /\.ya?ml$/i.test(entry.name)) files.push(path);
  }
  return files;
}

async function isDirectory(path: string): Promise<boolean> {
  return stat(path).then(
    (info) => info.isDirectory(),
    () => false,
  );
}

/** A path that a YAML file names, taken relative to that file. */
export function resolveBeside(yamlFile: string, path: string): string {
  return isAbsolute(path) ? path : join(dirname(yamlFile), path);
}

/** A fault of a file as a whole. */
export function fileFault(file: string, reason: string): Diagnostic {
  return {
    code: 'WEIR1003',
    severity: 'error',
    file,
    line: 0,
    column: 1,
    length: 1,
    message: reason,
  };
}

function emptyFolder(path: string): Diagnostic {
  return {
    ...fileFault(path, 'the folder has no *.yaml or *.yml in it'),
    code: 'WEIR3033',
    severity: 'warning',
  };
}

function reasonOf(error: unknown): string {
  switch ((error as NodeJS.ErrnoException).code) {
    case 'ENOENT':
      return 'does not exist';
    case 'EACCES':
    case 'EPERM':
      return 'may not be read by this user';
    case 'ELOOP':
      return 'is a symbolic link to itself';
    default:
      return `cannot be read: ${(error as Error).message}`;
  }
}
