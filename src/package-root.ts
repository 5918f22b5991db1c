import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/**
 * The folder of the installed package: the nearest one above this file whose `package.json` is
 * weir's own. What ships beside the code (built-in filters, schemas) is found from here, whether
 * the code runs from `src`, from `dist` or from one bundled file.
 *
 * @throws Error where no such folder exists, which means that the installation is broken
 */
export function packageRoot(from: string = fileURLToPath(import.meta.url)): string {
  for (let folder = dirname(from); ; folder = dirname(folder)) {
    const manifest = join(folder, 'package.json');
    if (existsSync(manifest)) {
      const { name } = JSON.parse(readFileSync(manifest, 'utf8')) as { name?: string };
      if (name === 'weir') return folder;
    }
    if (dirname(folder) === folder) throw new Error(`no package.json of weir above ${from}`);
  }
}

export function packageVersion(): string {
  const manifest = readFileSync(join(packageRoot(), 'package.json'), 'utf8');
  return (JSON.parse(manifest) as { version: string }).version;
}
