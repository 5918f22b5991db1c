import { existsSync } from 'node:fs';
import { Option, type Command } from 'commander';
import { ExitCode } from '../exit-codes.ts';
import { colorsFor } from '../output.ts';
import { inspectText } from './inspect-text.ts';
import { readModule, type NamedModule } from './module-file.ts';
import { reportModule, type SignatureReport } from './module-report.ts';
import { CREDENTIALS_HELP, withRegistryFlags, type RegistryFlags } from './registry-flags.ts';

interface InspectFlags extends RegistryFlags {
  readonly output: 'text' | 'json';
}

const HELP = `
Works on modules of any language and tool chain. Exit status: 0 where weir would load it, else 1.
${CREDENTIALS_HELP}`;

export function registerInspect(filter: Command): void {
  withRegistryFlags(
    filter
      .command('inspect')
      .description('say what a module is, needs and was made from, and what would keep weir from running it')
      .argument('<module>', 'a .wasm file, or a reference to a registry')
      .addOption(
        new Option('-o, --output <format>', 'how to print').choices(['text', 'json']).default('text'),
      ),
  )
    .addHelpText('after', HELP)
    .action(async (name: string, flags: InspectFlags) => {
      const module = await readModule(name, flags);
      const report = await reportModule(module.bytes, module.digest);
      const signature = signatureOf(module);
      if (flags.output === 'json') {
        const { manifestDigest } = module;
        const beside =
          manifestDigest === null ? { sourceMapBeside: existsSync(`${name}.map`) } : { manifestDigest };
        process.stdout.write(`${JSON.stringify({ name, ...beside, ...report, signature }, null, 2)}\n`);
      } else {
        process.stdout.write(inspectText(name, report, signature, colorsFor(process.stdout)));
      }
      process.exitCode = report.refused === null ? ExitCode.Ok : ExitCode.Refused;
    });
}

function signatureOf({ signatures: { place, found } }: NamedModule): SignatureReport {
  return typeof found === 'string'
    ? { place, count: 0, reason: found }
    : { place, count: found.length, reason: null };
}
