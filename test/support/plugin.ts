import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, readdirSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));
const folder = join(root, 'dist/test-plugins');

/** Compiles test/plugins/<name>.ts with the SDK's own command, where it or the SDK changed since. */
export function pluginBytes(name: string): Buffer {
  const source = join(root, `test/plugins/${name}.ts`);
  const inputs = [source, ...filesOf('filters-sdk/assembly'), ...filesOf('filters-sdk/cli')];
  const sum = createHash('sha256');
  for (const file of inputs) sum.update(readFileSync(file));
  const out = join(folder, `${name}-${sum.digest('hex').slice(0, 16)}.wasm`);
  if (!existsSync(out)) {
    mkdirSync(folder, { recursive: true });
    const temporary = `${out}.${process.pid}.wasm`;
    const command = ['filters-sdk/cli/weir-asc.mjs', source, '-o', temporary];
    execFileSync(process.execPath, command, { cwd: root, stdio: 'pipe' });
    renameSync(temporary, out);
  }
  return readFileSync(out);
}

function filesOf(path: string): string[] {
  return readdirSync(join(root, path))
    .sort()
    .map((file) => join(root, path, file));
}
