import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { Failure } from '../failure.ts';

/** The author's folder, and where things lie in it. Everything below is relative to `folder`. */
export interface Project {
  readonly folder: string;
  /** Of the package, without its scope. */
  readonly name: string;
  readonly entry: string;
  /** Where `weir filter build` puts the module. */
  readonly module: string;
  /** The same of a debug build. */
  readonly debugModule: string;
}

/**
 * The nearest folder with a `package.json`, or `from` itself where there is none.
 *
 * @throws Failure where that file is broken
 */
export function findProject(from: string): Project {
  for (let folder = from; ; folder = dirname(folder)) {
    if (existsSync(join(folder, 'package.json'))) return projectIn(folder, nameIn(folder));
    if (dirname(folder) === folder) return projectIn(from, 'filter');
  }
}

function projectIn(folder: string, name: string): Project {
  return {
    folder,
    name,
    entry: 'src/index.ts',
    module: `build/${name}.wasm`,
    debugModule: `build/${name}.debug.wasm`,
  };
}

function nameIn(folder: string): string {
  const file = join(folder, 'package.json');
  try {
    const { name } = JSON.parse(readFileSync(file, 'utf8')) as { name?: string };
    return name?.replace(/^@[^/]*\//, '') ?? 'filter';
  } catch (error) {
    throw new Failure(`${file}: ${(error as Error).message}`);
  }
}
