import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, dirname, join, relative, resolve } from 'node:path';
import type { Compiled } from '../../../filters-sdk/cli/compile.d.mts';
import { compileModule, ModuleError } from '../../runtime/wasm/module.ts';
import { Failure } from '../failure.ts';
import type { Colors } from '../output.ts';
import { formatProblems } from './problems.ts';
import type { Project } from './project.ts';
import { compileWith, findSdk } from './sdk.ts';

export interface BuildRequest {
  /** Absolute, or relative to the project. */
  readonly entry: string;
  readonly outFile: string;
  readonly debug: boolean;
  readonly sourceMap: boolean;
  /** Of the compiler. */
  readonly options: readonly string[];
}

export interface Built {
  readonly binary: Uint8Array;
  /** With the names of its functions. */
  readonly named: Uint8Array;
  /** What stood in the file before, or null. */
  readonly previous: Uint8Array | null;
  /** What does not keep it from loading, one block each. */
  readonly warnings: string;
}

/**
 * Compiles a filter and checks it as the proxy will when it loads it. What was in the file before is kept where it was
 * different, to compare with: a replay, a benchmark.
 *
 * @throws Failure with everything that is wrong
 */
export async function buildFilter(project: Project, request: BuildRequest, colors: Colors): Promise<Built> {
  const { outFile, options } = request;
  const sdk = findSdk(project.folder);
  const entry = entryIn(project, request.entry);
  const target = resolve(project.folder, outFile);
  const previous = existsSync(target) ? readFileSync(target) : null;
  const compiled = await compileWith(sdk, {
    ...request,
    entry,
    outFile: target,
    baseDir: project.folder,
    options,
  });
  const { binary, named } = compiled;
  if (binary === null || named === null) throw new Failure(faults(compiled, relative('', entry), colors));
  if (previous !== null && !previous.equals(binary)) keep(previousOf(project, target), previous);
  const warnings = compiled.problems.length === 0 ? [] : [formatProblems(compiled.problems, colors)];
  try {
    const module = await compileModule(binary);
    warnings.push(...module.warnings.map((warning) => `${colors.yellow('warning')}: ${advice(warning)}\n`));
  } catch (error) {
    if (!(error instanceof ModuleError)) throw error;
    throw new Failure(`weir would not load ${relative('', target)}: ${error.message}`);
  }
  return { binary, named, previous, warnings: warnings.join('\n') };
}

/** Where the module is kept that a build replaced. */
export function previousOf(project: Project, module: string): string {
  return join(project.folder, '.weir/previous', basename(module));
}

function keep(file: string, bytes: Uint8Array): void {
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, bytes);
}

function entryIn(project: Project, entry: string): string {
  const file = resolve(project.folder, entry);
  const name = relative('', file);
  if (!existsSync(file)) {
    throw new Failure(
      `there is no ${name}. Name the file that exports the callbacks: weir filter build src/index.ts`,
    );
  }
  if (!file.endsWith('.ts'))
    throw new Failure(`${name} is not a .ts file; filters are written in AssemblyScript`);
  return file;
}

/** Of a warning of the host, with what an author of TypeScript can do about it. */
function advice(warning: string): string {
  return warning.startsWith('env.console.')
    ? `${warning}; lines for the log are written with logInfo() and its like`
    : warning;
}

function faults({ problems, messages }: Compiled, entry: string, colors: Colors): string {
  if (problems.length === 0) return `${entry} does not compile\n${messages}`;
  const errors = problems.filter(({ severity }) => severity === 'error').length;
  return `${entry} does not compile: ${errors} ${errors === 1 ? 'error' : 'errors'}\n\n${formatProblems(problems, colors)}`;
}
