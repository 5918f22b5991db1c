// Makes the two packages as npm would publish them, in dist/packages or in the folder that is given: `weir`, and
// `@weir/filters-sdk` for authors of filters. Builds first: what is packed is what is in the sources now.
import { spawnSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const target = resolve(process.argv[2] ?? join(root, 'dist/packages'));
mkdirSync(target, { recursive: true });

run(process.execPath, ['scripts/build.mjs'], root);
for (const folder of [root, join(root, 'filters-sdk')]) {
  run('npm', ['pack', '--ignore-scripts', '--silent', '--pack-destination', target], folder);
}

function run(command, args, cwd) {
  const shell = process.platform === 'win32' && command === 'npm';
  const { status } = spawnSync(command, args, { cwd, shell, stdio: ['ignore', 'inherit', 'inherit'] });
  if (status !== 0) process.exit(status ?? 1);
}
