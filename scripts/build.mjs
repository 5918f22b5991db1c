// Builds what runs: bundles of the program and its workers (dependencies stay outside, in node_modules),
// then the filters that ship with weir. Nothing here is needed to run the tests of single modules.
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const root = fileURLToPath(new URL('..', import.meta.url));

// Each becomes a file of dist/: what a process or a thread is started with.
const entries = {
  main: 'src/main.ts',
  worker: 'src/worker/main.ts',
  'canary-thread': 'src/control/canary-thread.ts',
  'tests-thread': 'src/rehearsal/tests-thread.ts',
  'compile-thread': 'src/cli/dev/compile-thread.ts',
};

const present = Object.entries(entries).filter(([, file]) => existsSync(join(root, file)));
if (present.length > 0) {
  // Commands and what they share become files of their own, loaded when they are asked for.
  const { metafile } = await build({
    absWorkingDir: root,
    metafile: true,
    entryPoints: Object.fromEntries(present),
    outdir: 'dist',
    bundle: true,
    packages: 'external',
    platform: 'node',
    format: 'esm',
    splitting: true,
    target: 'node20',
    sourcemap: true,
    sourcesContent: false,
    logLevel: 'warning',
  });
  // Their names change with what is in them.
  const isOurs = (name) => Object.hasOwn(metafile.outputs, `dist/${name}`);
  for (const name of readdirSync(join(root, 'dist')))
    if (/\.js(\.map)?$/.test(name) && !isOurs(name)) rmSync(join(root, 'dist', name));
}

// The test kit of the SDK stands alone: whoever installs the SDK has nothing else of this repository.
await build({
  absWorkingDir: root,
  entryPoints: { testing: 'filters-sdk/testing/kit.ts' },
  outdir: 'filters-sdk/dist',
  bundle: true,
  external: ['../cli/*'],
  // Of what it brings along.
  legalComments: 'eof',
  platform: 'node',
  format: 'esm',
  target: 'node20',
  sourcemap: true,
  sourcesContent: false,
  logLevel: 'warning',
});

// The page of weir dev is served as it is written.
cpSync(join(root, 'src/cli/dev/page'), join(root, 'dist/dev'), { recursive: true });

const filters = join(root, 'scripts/build-filters.mjs');
if (existsSync(filters)) {
  const { status } = spawnSync(process.execPath, [filters], { cwd: root, stdio: 'inherit' });
  if (status !== 0) process.exit(status ?? 1);
}
