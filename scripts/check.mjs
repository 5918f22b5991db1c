// Everything about the code that needs no run of it: types, lint and layers, format, dead code, generated
// documents, the lock file. Prints what is wrong and nothing else; exits 1 if anything is.
import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const cache = 'node_modules/.cache';

const checks = [
  ['lint', ['eslint/bin/eslint.js', '--cache', `--cache-location=${cache}/eslint/`, '--max-warnings=0', '.']],
  ['types', ['typescript/bin/tsc', '--noEmit', '--incremental', `--tsBuildInfoFile`, `${cache}/tsc.json`]],
  [
    'format',
    [
      'prettier/bin/prettier.cjs',
      '--check',
      '--cache',
      `--cache-location=${cache}/prettier.json`,
      '--log-level=warn',
      '.',
    ],
  ],
  ['dead code', ['knip/bin/knip.js', '--no-progress']],
  [
    'generated documents',
    existsSync(join(root, 'scripts/generate-docs.ts'))
      ? ['tsx/dist/cli.mjs', 'scripts/generate-docs.ts', '--check']
      : null,
  ],
].filter(([, command]) => command !== null);

let failed = 0;
report('lock file', checkLock(), 0);

// Two at a time: there are seldom more cores, and eslint is the longest, so it goes first.
const queue = [...checks];
await Promise.all([work(), work()]);
process.exit(failed > 0 ? 1 : 0);

async function work() {
  for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
    const [name, [file, ...args]] = next;
    const started = performance.now();
    const script = file.startsWith('scripts/') ? join(root, file) : join(root, 'node_modules', file);
    const { code, output } = await run([script, ...args]);
    report(name, code === 0 ? null : output, performance.now() - started);
  }
}

function run(args) {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, args, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    child.stdout.on('data', (data) => (output += data));
    child.stderr.on('data', (data) => (output += data));
    child.on('close', (code) => resolve({ code, output }));
  });
}

function report(name, fault, ms) {
  console.log(`${fault === null ? 'ok  ' : 'FAIL'} ${name} (${(ms / 1000).toFixed(1)} s)`);
  if (fault === null) return;
  failed += 1;
  console.log(`${fault.trimEnd()}\n`);
}

/**
 * The lock file must serve every registry and every platform: no addresses in it, and no optional
 * (platform) package left out, since `npm ci` refuses such a file on the platform that needs it.
 */
function checkLock() {
  const { packages } = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8'));
  const faults = [];
  for (const [path, entry] of Object.entries(packages)) {
    if (entry.resolved !== undefined && entry.link !== true)
      faults.push(`${path}: has an address ("resolved")`);
    for (const name of Object.keys(entry.optionalDependencies ?? {})) {
      if (!found(packages, path, name))
        faults.push(`${path}: ${name} is not in the lock file; run "node scripts/complete-lock.mjs"`);
    }
  }
  return faults.length === 0 ? null : faults.join('\n');
}

/** As Node resolves: from the innermost node_modules outwards. */
function found(packages, path, name) {
  for (let at = path; ;) {
    if (packages[`${at === '' ? '' : `${at}/`}node_modules/${name}`] !== undefined) return true;
    if (at === '') return false;
    at = at.includes('/node_modules/') ? at.slice(0, at.lastIndexOf('/node_modules/')) : '';
  }
}
