import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { CompileRequest, Compiled } from '../../../filters-sdk/cli/compile.d.mts';
import { packageRoot } from '../../package-root.ts';
import { Failure } from '../failure.ts';

/** The filters SDK as it is installed: the compiler comes with it, never with the proxy. */
export interface Sdk {
  readonly folder: string;
  readonly version: string;
}

/**
 * Finds the SDK: the one of the author's project first, then one beside weir itself.
 *
 * @param from a folder of the project
 * @param elsewhere where to look next; default: beside weir
 * @throws Failure where there is none
 */
export function findSdk(from: string, elsewhere: readonly string[] = [packageRoot()]): Sdk {
  for (const start of [from, ...elsewhere]) {
    const manifest = resolveFrom(start, '@weir/filters-sdk/package.json');
    if (manifest === null) continue;
    const { version } = JSON.parse(readFileSync(manifest, 'utf8')) as { version: string };
    return { folder: dirname(manifest), version };
  }
  throw new Failure(
    `@weir/filters-sdk is not installed in ${from} or above it. It brings the compiler and the test kit:\n` +
      '  npm install --save-dev @weir/filters-sdk',
  );
}

/** The file that `import` of a name would get in a folder, or null. */
export function resolveFrom(folder: string, specifier: string): string | null {
  try {
    return createRequire(join(folder, 'package.json')).resolve(specifier);
  } catch {
    return null;
  }
}

/** Compiles with the SDK's compiler, which is loaded with the first call. */
export async function compileWith(sdk: Sdk, request: CompileRequest): Promise<Compiled> {
  const { compileFilter } = (await import(pathToFileURL(join(sdk.folder, 'cli/compile.mjs')).href)) as {
    compileFilter(request: CompileRequest): Promise<Compiled>;
  };
  return compileFilter(request);
}
