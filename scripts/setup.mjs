// Makes a checkout ready: dependencies, then the build, each only when something it depends on changed.
// Plain Node without dependencies, since it runs before there are any. `npm start`, `npm test`,
// `npm run check` and `npm run bench` begin with it.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));

requireNode();
installDependencies();
build();

function requireNode() {
  const { engines } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  const wanted = engines.node.replace('>=', '');
  if (isOlder(process.versions.node, wanted)) {
    fail(`weir needs Node ${wanted} or newer; this is ${process.versions.node} (${process.execPath}).`);
  }
}

function isOlder(version, wanted) {
  const [a, b] = [version, wanted].map((text) => text.split('.').map(Number));
  for (let i = 0; i < 3; i++) {
    const difference = (a[i] ?? 0) - (b[i] ?? 0);
    if (difference !== 0) return difference < 0;
  }
  return false;
}

function installDependencies() {
  const stamp = join(root, 'node_modules/.weir-installed');
  const wanted = hash(
    ['package-lock.json', 'package.json', 'filters-sdk/package.json'].map((f) => join(root, f)),
  );
  if (stampOf(stamp) === wanted) return;
  say('installing dependencies (npm ci)');
  // On Windows npm is a script, which needs a shell.
  run('npm', ['ci', '--no-progress', '--loglevel=error'], { shell: process.platform === 'win32' });
  writeStamp(stamp, wanted);
}

function build() {
  const stamp = join(root, 'dist/.weir-built');
  const sources = [
    'src',
    'filters-sdk/assembly',
    'filters-sdk/testing',
    'scripts/build.mjs',
    'scripts/build-filters.mjs',
    'package-lock.json',
  ];
  const wanted = hash(sources.flatMap((path) => filesOf(join(root, path))));
  if (stampOf(stamp) === wanted) return;
  say('building');
  run(process.execPath, [join(root, 'scripts/build.mjs')]);
  writeStamp(stamp, wanted);
}

function filesOf(path) {
  if (!existsSync(path)) return [];
  if (statSync(path).isFile()) return [path];
  return readdirSync(path)
    .filter((name) => name !== 'node_modules')
    .sort()
    .flatMap((name) => filesOf(join(path, name)));
}

/** Over names and contents, and the Node line, since what npm installs may depend on it. */
function hash(files) {
  const all = createHash('sha256').update(process.versions.modules);
  for (const file of files) {
    if (existsSync(file)) all.update(`\0${file.slice(root.length)}\0`).update(readFileSync(file));
  }
  return all.digest('hex');
}

function stampOf(file) {
  return existsSync(file) ? readFileSync(file, 'utf8') : '';
}

function writeStamp(file, text) {
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
}

function run(command, args, options = {}) {
  const { status, error } = spawnSync(command, args, {
    cwd: root,
    stdio: ['ignore', 'inherit', 'inherit'],
    ...options,
  });
  if (error !== undefined) fail(`${command} could not be started: ${error.message}`);
  if (status !== 0) fail(`${[command, ...args].join(' ')} failed (${status}).`);
}

function say(what) {
  process.stderr.write(`weir: ${what}\n`);
}

function fail(why) {
  say(why);
  process.exit(1);
}
