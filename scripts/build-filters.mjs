// Compiles the filters that ship with weir: src/filters/<name>/index.ts to dist/filters/<name>.wasm; and the
// one that weir dev puts before others, to dist/dev. The schema of a configuration goes into the module, from
// schema.json where no class of the filter makes it. A filter is compiled only where its sources, the SDK or the compiler changed since. Names given as arguments
// restrict it to those.
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const wanted = process.argv.slice(2);

/** By name: the folder of its sources, and that of its module. */
const filters = new Map([
  ...filtersIn('src/filters', 'dist/filters'),
  ...filtersIn('src/dev-filters', 'dist/dev'),
]);
const names = [...filters.keys()];
const unknown = wanted.filter((name) => !names.includes(name));
if (unknown.length > 0) {
  console.error(`no such filter: ${unknown.join(', ')}; known: ${names.join(', ')}`);
  process.exit(2);
}

const common = [
  ...filesOf(join(root, 'filters-sdk/assembly')),
  ...filesOf(join(root, 'filters-sdk/cli')),
  createRequire(import.meta.url).resolve('assemblyscript/package.json'),
];
let failed = false;
for (const name of wanted.length > 0 ? wanted : names) {
  if (!(await build(name))) failed = true;
}
process.exit(failed ? 1 : 0);

async function build(name) {
  const { folder, target } = filters.get(name);
  mkdirSync(target, { recursive: true });
  const module = join(target, `${name}.wasm`);
  const stamp = join(target, `.${name}.json`);
  const inputs = hash([...withNeighbours(folder), ...common]);

  const known = read(stamp);
  if (!existsSync(module) || known === null || known.inputs !== inputs || known.output !== hashOf(module)) {
    // The compiler is loaded only where there is work for it.
    const { compileFilter } = await import('../filters-sdk/cli/compile.mjs');
    const temporary = join(target, `.${name}.${process.pid}.wasm`);
    const entry = join(folder, 'index.ts');
    const { ok, messages } = await compileFilter({ entry, outFile: temporary, baseDir: root });
    if (messages !== '') console.error(messages.trimEnd());
    if (!ok) {
      rmSync(temporary, { force: true });
      return false;
    }
    const schema = join(folder, 'schema.json');
    if (existsSync(schema)) await addSchema(temporary, JSON.parse(readFileSync(schema, 'utf8')));
    const size = readFileSync(temporary).length;
    renameSync(temporary, module);
    replace(stamp, { inputs, output: hashOf(module) });
    console.log(`${relative(root, module)} ${(size / 1024).toFixed(1)} KiB`);
  }
  return true;
}

async function addSchema(module, schema) {
  const { withSection } = await import('../filters-sdk/cli/sections.mjs');
  writeFileSync(module, withSection(readFileSync(module), 'weir.schema', JSON.stringify(schema)));
}

function filtersIn(sources, target) {
  return readdirSync(join(root, sources), { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && existsSync(join(entry.parentPath, entry.name, 'index.ts')))
    .map(({ parentPath, name }) => [name, { folder: join(parentPath, name), target: join(root, target) }]);
}

/** The sources of a filter, and of those that it takes something from (`../jwt/token`). */
function withNeighbours(folder) {
  const own = filesOf(folder).filter((file) => /\.(ts|json)$/.test(file));
  const named = own.flatMap((file) => [...readFileSync(file, 'utf8').matchAll(/from '\.\.\/([\w-]+)\//g)]);
  const neighbours = new Set(named.map(([, name]) => join(folder, '..', name)));
  return [...own, ...[...neighbours].flatMap((one) => filesOf(one).filter((file) => file.endsWith('.ts')))];
}

/** Written whole or not at all: others may build at the same time. */
function replace(file, value) {
  const temporary = `${file}.${process.pid}`;
  writeFileSync(temporary, `${JSON.stringify(value, null, 2)}\n`);
  renameSync(temporary, file);
}

function read(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    return null;
  }
}

function filesOf(folder) {
  return readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
}

function hash(files) {
  const sum = createHash('sha256');
  for (const file of files)
    sum
      .update(`${relative(root, file)}\0`)
      .update(readFileSync(file))
      .update('\0');
  return sum.digest('hex');
}

function hashOf(file) {
  return createHash('sha256').update(readFileSync(file)).digest('hex');
}
