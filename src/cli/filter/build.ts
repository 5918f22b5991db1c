import { mkdirSync, readFileSync } from 'node:fs';
import { dirname, relative, resolve } from 'node:path';
import type { Command } from 'commander';
import { ExitCode } from '../exit-codes.ts';
import { compileWith, findSdk } from './sdk.ts';

interface BuildFlags {
  readonly output: string;
  readonly debug: boolean;
  readonly sourceMap: boolean;
}

export function registerBuild(filter: Command): void {
  filter
    .command('build')
    .description('compile a filter to a WebAssembly module')
    .argument('[entry]', 'the file that exports the callbacks', 'src/index.ts')
    .option('-o, --output <file>', 'where the module goes', 'build/filter.wasm')
    .option('--debug', 'with names and assertions, not optimised', false)
    .option('--source-map', 'write a source map beside the module', false)
    .action(async (entry: string, flags: BuildFlags) => {
      const { output, debug, sourceMap } = flags;
      const outFile = resolve(output);
      mkdirSync(dirname(outFile), { recursive: true });
      const { ok, messages } = await compileWith(findSdk(process.cwd()), {
        entry: resolve(entry),
        outFile,
        debug,
        sourceMap,
      });
      process.stderr.write(messages);
      process.exitCode = ok ? ExitCode.Ok : ExitCode.Refused;
      if (ok) process.stdout.write(`${relative('', outFile)} ${readFileSync(outFile).length} bytes\n`);
    });
}
