import { writeFile } from 'node:fs/promises';
import type { Command } from 'commander';
import { formatDiagnostics, type Diagnostic } from '../control/diagnostic.ts';
import { loadConfiguration, type LoadOptions } from '../control/load.ts';
import { editorSchema } from '../control/schema/editor-schema.ts';
import { ExitCode } from './exit-codes.ts';

interface SchemaFlags {
  readonly output?: string;
}

export function registerSchema(program: Command): void {
  program
    .command('schema')
    .description(
      'write the JSON Schema of configuration files, for editors: with what the filters of yours take',
    )
    .argument('[path...]', 'files and folders of YAML, whose Modules are looked into')
    .option('-o, --output <file>', 'where it goes; default: to the standard output')
    .addHelpText(
      'after',
      '\nAn editor with YAML support completes and documents a file that begins with\n' +
        '  # yaml-language-server: $schema=./weir.schema.json\n' +
        'where the path is relative to that file. Write the schema anew when a module changes what it takes.\n' +
        '\nExit status: 0, or 1 where a file or module could not be read; the schema is written without it.',
    )
    .action(async (paths: readonly string[], flags: SchemaFlags) => {
      const { text, missing } = await schemaText(paths);
      if (flags.output === undefined) process.stdout.write(text);
      else await writeFile(flags.output, text);
      process.stderr.write(formatDiagnostics(missing, { color: process.stderr.isTTY, consequence: null }));
      if (missing.length > 0) process.exitCode = ExitCode.Refused;
    });
}

/** The schema, and which files and modules could not be read. Other faults of the configuration are of no matter here. */
export async function schemaText(
  paths: readonly string[],
  options: LoadOptions = {},
): Promise<{ text: string; missing: Diagnostic[] }> {
  const { schemas, diagnostics } = await loadConfiguration(paths, options);
  const forms = [...schemas].map(([use, list]) => [use, list.map(({ schema }) => schema)] as const);
  const missing = diagnostics.filter(({ code }) => /^WEIR(1003|12(0[1-3]|12|20))$/.test(code));
  return { text: `${JSON.stringify(editorSchema(new Map(forms)), null, 2)}\n`, missing };
}
