// Compiles a filter: the AssemblyScript compiler with the options that a Proxy-Wasm module needs.
import { isAbsolute, relative } from 'node:path';
import asc from 'assemblyscript/asc';
import TrimCallbacks from './transform.mjs';

const ABORT = 'abort=~lib/@weir/filters-sdk/assembly/abort/abort';

/** As `asconfig.base.json` has them. */
const COMMON = ['--runtime', 'incremental', '--exportStart', '_initialize', '--use', ABORT];
const RELEASE = ['-O3', '--noAssert'];
const DEBUG = ['--debug'];

/**
 * @param {object} request
 * @param {string} request.entry the filter's entry file
 * @param {string} request.outFile where the module goes
 * @param {string} [request.baseDir] where packages are looked for; default: the working directory
 * @param {boolean} [request.debug] names, assertions and no optimisation
 * @param {boolean} [request.sourceMap]
 * @param {string[]} [request.options] more options of the compiler
 * @returns {Promise<{ ok: boolean, messages: string }>} what the compiler printed
 */
export async function compileFilter(request) {
  const { entry, outFile, baseDir = process.cwd(), debug = false, sourceMap = false, options = [] } = request;
  let messages = '';
  const stream = { write: (text) => ((messages += text), true) };
  const inBase = (file) => (isAbsolute(file) ? relative(baseDir, file) : file);
  const { error } = await asc.main(
    [
      inBase(entry),
      '--outFile',
      inBase(outFile),
      '--baseDir',
      baseDir,
      ...COMMON,
      ...(debug ? DEBUG : RELEASE),
      ...(sourceMap ? ['--sourceMap'] : []),
      ...options,
    ],
    { stdout: stream, stderr: stream, transforms: [TrimCallbacks] },
  );
  if (error !== null && messages === '') messages = `${error.message}\n`;
  return { ok: error === null, messages };
}
