import { writeFile } from 'node:fs/promises';
import type { Command } from 'commander';
import { loadConfiguration, type LoadOptions } from '../control/load.ts';
import { editorSchema } from '../control/schema/editor-schema.ts';

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
        'where the path is relative to that file. Write the schema anew when a module changes what it takes.',
    )
    .action(async (paths: readonly string[], flags: SchemaFlags) => {
      const { text, missing } = await schemaText(paths);
      if (flags.output === undefined) process.stdout.write(text);
      else await writeFile(flags.output, text);
      for (const line of missing) process.stderr.write(`${line}\n`);
    });
}

/** The schema, and what could not be read of the modules. Other faults of the configuration are of no matter here. */
export async function schemaText(
  paths: readonly string[],
  options: LoadOptions = {},
): Promise<{ text: string; missing: string[] }> {
  const { schemas, diagnostics } = await loadConfiguration(paths, options);
  const forms = [...schemas].map(([use, list]) => [use, list.map(({ schema }) => schema)] as const);
  const missing = diagnostics
    .filter(({ code, severity }) => severity === 'error' && /^WEIR(1003|12(0[1-3]|12|20))$/.test(code))
    .map(({ code, file, line, message }) => `${file}:${line}: warning ${code} ${message}`);
  return { text: `${JSON.stringify(editorSchema(new Map(forms)), null, 2)}\n`, missing };
}
