import { createHash } from 'node:crypto';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { compileFilter } from '../../filters-sdk/cli/compile.mjs';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** Where examples of filters lie, a folder each. */
export const EXAMPLES = join(root, 'filters-sdk/examples');

export const exampleNames: readonly string[] = readdirSync(EXAMPLES, { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map(({ name }) => name);

/** The module of an example as it is released, compiled where it or the SDK changed since. @returns its file */
export async function exampleFile(name: string): Promise<string> {
  const entry = join(EXAMPLES, name, 'index.ts');
  const sum = createHash('sha256').update(readFileSync(entry));
  for (const folder of ['assembly', 'cli']) {
    const path = join(root, 'filters-sdk', folder);
    for (const file of readdirSync(path).sort()) sum.update(readFileSync(join(path, file)));
  }
  const file = join(root, `dist/examples/${name}-${sum.digest('hex').slice(0, 16)}.wasm`);
  if (existsSync(file)) return file;
  const { ok, messages } = await compileFilter({ entry, outFile: file, baseDir: root });
  if (!ok) throw new Error(messages);
  return file;
}
