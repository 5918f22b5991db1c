import { existsSync, readdirSync } from 'node:fs';
import { join, relative } from 'node:path';
import { Failure } from '../failure.ts';
import { findProject } from '../filter/project.ts';

/** A filter of a project: what it is compiled from, and where the module goes. */
export interface FilterSource {
  /** As people call it. */
  readonly name: string;
  /** The author's folder: packages are looked for in it, messages are relative to it. */
  readonly folder: string;
  readonly entry: string;
  readonly module: string;
}

/**
 * The filters of a project: `src/index.ts` as `weir filter new` lays it out, and one for each
 * `filters/NAME.ts` or `filters/NAME/index.ts`, which becomes `build/NAME.wasm`.
 *
 * @throws Failure where there is none
 */
export function filtersOf(folder: string): FilterSource[] {
  const filters: FilterSource[] = [];
  if (existsSync(join(folder, 'src/index.ts'))) {
    const { name, module } = findProject(folder);
    filters.push({ name, folder, entry: join(folder, 'src/index.ts'), module: join(folder, module) });
  }
  for (const [name, entry] of listed(join(folder, 'filters')))
    filters.push({ name, folder, entry, module: join(folder, 'build', `${name}.wasm`) });
  if (filters.length > 0) return filters;
  const where = relative('', folder) || '.';
  throw new Failure(
    `no filter in ${where}: neither src/index.ts nor filters/NAME.ts is there.\n` +
      '  weir filter new NAME makes a project; weir dev NAME runs it',
  );
}

function listed(folder: string): [name: string, entry: string][] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { withFileTypes: true }).flatMap((item): [string, string][] => {
    if (item.isFile() && item.name.endsWith('.ts') && !item.name.endsWith('.d.ts'))
      return item.name.endsWith('.test.ts')
        ? []
        : [[item.name.slice(0, -'.ts'.length), join(folder, item.name)]];
    const entry = join(folder, item.name, 'index.ts');
    return item.isDirectory() && existsSync(entry) ? [[item.name, entry]] : [];
  });
}
