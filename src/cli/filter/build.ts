import { relative, resolve } from 'node:path';
import type { Command } from 'commander';
import { bytesText, colorsFor } from '../output.ts';
import { buildFilter } from './built.ts';
import { findProject } from './project.ts';
import { changeText, sizeReport } from './size-report.ts';

interface BuildFlags {
  readonly output?: string;
  readonly debug: boolean;
  readonly sourceMap: boolean;
  readonly report: boolean;
}

const HELP = `
Options of the AssemblyScript compiler come after --:
  weir filter build -- --shrinkLevel 1

The same sources make the same bytes. The module says what it was made from: weir filter inspect shows it.`;

/** `weir filter build [ENTRY]`. */
export function registerBuild(filter: Command): void {
  filter
    .command('build')
    .description('compile a filter to a WebAssembly module, and say what makes it as big as it is')
    .argument('[entry]', 'the file that exports the callbacks (default: src/index.ts)')
    .argument('[options...]', 'after --: options of the compiler')
    .option('-o, --output <file>', 'where the module goes (default: build/NAME.wasm, NAME of package.json)')
    .option('--debug', 'names, assertions, a source map, no optimisation; to build/NAME.debug.wasm', false)
    .option('--source-map', 'write a source map beside a release: traps name lines then', false)
    .option('--no-report', 'do not say what makes it as big as it is')
    .addHelpText('after', HELP)
    .action(async (first: string | undefined, rest: readonly string[], flags: BuildFlags) => {
      const started = performance.now();
      const colors = colorsFor(process.stdout);
      const project = findProject(process.cwd());
      // Without an entry the first option of the compiler comes in its place.
      const isOption = first?.startsWith('-') === true;
      const entry = isOption || first === undefined ? project.entry : resolve(first);
      const outFile =
        flags.output !== undefined
          ? resolve(flags.output)
          : resolve(project.folder, flags.debug ? project.debugModule : project.module);
      const built = await buildFilter(
        project,
        {
          entry,
          outFile,
          debug: flags.debug,
          sourceMap: flags.sourceMap || flags.debug,
          options: isOption ? [first!, ...rest] : rest,
        },
        colorsFor(process.stderr),
      );
      const { binary, named, previous, warnings } = built;
      process.stderr.write(warnings);
      const seconds = ((performance.now() - started) / 1000).toFixed(1);
      const change = changeText(binary.length, previous?.length ?? null);
      process.stdout.write(
        `${colors.bold(relative('', outFile))} ${bytesText(binary.length)}${change} ${colors.dim(`in ${seconds} s`)}\n`,
      );
      if (flags.report) process.stdout.write(`${sizeReport(binary, named, previous, colors)}\n`);
    });
}
