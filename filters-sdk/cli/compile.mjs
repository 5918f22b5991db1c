// Compiles a filter: the AssemblyScript compiler with the options that a Proxy-Wasm module needs.
import { existsSync } from 'node:fs';
import { mkdir, rename, writeFile } from 'node:fs/promises';
import { dirname, isAbsolute, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import asc from 'assemblyscript/asc';
import Configuration from './configuration.mjs';
import LineCounters from './line-counters.mjs';
import { Problems } from './problems.mjs';
import Provenance from './provenance.mjs';
import { withoutSections } from './sections.mjs';
import TrimCallbacks from './transform.mjs';
import Waits from './waits.mjs';

/** Where `throw` ends, and what the collector calls before it frees an object. */
const ABORT = 'abort=~lib/@weir/filters-sdk/assembly/abort/abort';
const FINALIZE = '__finalize=~lib/@weir/filters-sdk/assembly/writer/finalize';

/** As `asconfig.base.json` has them. */
const COMMON = [
  '--runtime',
  'incremental',
  '--exportStart',
  '_initialize',
  '--use',
  ABORT,
  '--use',
  FINALIZE,
];
const RELEASE = ['-O3', '--noAssert'];

/**
 * @param {import('./compile.d.mts').CompileRequest} request
 * @returns {Promise<import('./compile.d.mts').Compiled>}
 */
export async function compileFilter(request) {
  const {
    entry,
    outFile,
    baseDir = process.cwd(),
    debug = false,
    sourceMap = false,
    sourceRoot,
    countLines = false,
    options = [],
  } = request;
  let messages = '';
  const stream = { write: (text) => ((messages += text), true) };
  const inBase = (file) => (isAbsolute(file) ? relative(baseDir, file) : file);
  const target = inBase(outFile ?? 'filter.wasm');
  const problems = new Problems();
  const outputs = new Map();

  const { error } = await asc.main(
    [
      inBase(entry),
      '--outFile',
      target,
      '--baseDir',
      baseDir,
      ...ownPackages(),
      ...COMMON,
      ...(debug ? [] : RELEASE),
      // Changes no code; a release build loses the names again.
      '--debug',
      ...(sourceMap ? ['--sourceMap'] : []),
      ...options,
    ],
    {
      stdout: stream,
      stderr: stream,
      // Counters first: what other steps write is none of the author's.
      transforms: [...(countLines ? [LineCounters] : []), Configuration, TrimCallbacks, Waits, Provenance],
      readFile: (name, base) => problems.read(name, base),
      writeFile: (name, contents) => void outputs.set(name, contents),
      reportDiagnostic: (diagnostic) => problems.report(diagnostic),
    },
  );
  const ok = error === null;
  if (!ok) problems.end(error);
  if (!ok && messages === '') messages = `${error.message}\n`;
  const named = ok ? (outputs.get(target) ?? null) : null;
  const binary =
    named === null || debug || options.includes('--debug') ? named : withoutSections(named, 'name');
  if (sourceRoot !== undefined && outputs.has(`${target}.map`)) {
    const map = JSON.parse(outputs.get(`${target}.map`));
    outputs.set(`${target}.map`, JSON.stringify({ ...map, sourceRoot }));
  }
  const map = ok ? (outputs.get(`${target}.map`) ?? null) : null;
  if (binary !== null && outFile !== undefined) {
    outputs.delete(target);
    for (const [name, contents] of [...outputs, [target, binary]])
      await replace(resolve(baseDir, name), contents);
  }
  return { ok, messages, problems: problems.list, binary, named, sourceMap: map, files: problems.files };
}

/** Where this package itself is installed, for a project that does not have it in a `node_modules` of its own. */
function ownPackages() {
  for (let folder = dirname(fileURLToPath(import.meta.url)); ; folder = dirname(folder)) {
    const packages = join(folder, 'node_modules');
    if (existsSync(join(packages, '@weir/filters-sdk'))) return ['--path', packages];
    if (dirname(folder) === folder) return [];
  }
}

async function replace(file, contents) {
  const temporary = join(dirname(file), `.${process.pid}-${Date.now()}.tmp`);
  await mkdir(dirname(file), { recursive: true });
  await writeFile(temporary, contents);
  await rename(temporary, file);
}
