import asc from 'assemblyscript/asc';

const cache = new Map<string, Promise<Uint8Array>>();

/**
 * Compiles AssemblyScript to a module. Sources are named as they import each other; the first is the
 * entry. The same sources are compiled once a process.
 */
export function compileAssemblyScript(
  sources: Readonly<Record<string, string>>,
  options: readonly string[] = [],
): Promise<Uint8Array> {
  const key = JSON.stringify([sources, options]);
  let compiled = cache.get(key);
  if (compiled === undefined) cache.set(key, (compiled = compile(sources, options)));
  return compiled;
}

async function compile(
  sources: Readonly<Record<string, string>>,
  options: readonly string[],
): Promise<Uint8Array> {
  return (await compileWithMap(sources, options)).binary;
}

/** The same, with the source map that `--sourceMap` asks for; empty without. */
export async function compileWithMap(
  sources: Readonly<Record<string, string>>,
  options: readonly string[],
): Promise<{ binary: Uint8Array; map: string }> {
  let map = '';
  const files = new Map(Object.entries(sources));
  let binary: Uint8Array | undefined;
  const { error, stderr } = await asc.main(
    [[...files.keys()][0]!, '--outFile', 'out.wasm', '-O3', '--runtime', 'incremental', ...options],
    {
      readFile: (name) => files.get(name) ?? null,
      writeFile: (name, contents) => {
        if (typeof contents !== 'string') binary = contents;
        else if (name.endsWith('.map')) map = contents;
      },
      listFiles: () => [],
    },
  );
  if (error !== null || binary === undefined)
    throw new Error(`AssemblyScript: ${error?.message}\n${stderr.toString()}`);
  return { binary, map };
}
