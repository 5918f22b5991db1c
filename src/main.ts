import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Command, CommanderError } from 'commander';
import { registerCheck } from './cli/check.ts';
import { ExitCode } from './cli/exit-codes.ts';
import { registerExplain } from './cli/explain.ts';
import { registerRun } from './cli/run.ts';
import { packageRoot } from './package-root.ts';

const { version } = JSON.parse(readFileSync(join(packageRoot(), 'package.json'), 'utf8')) as {
  version: string;
};

const program = new Command('weir')
  .description('A WebAssembly-extensible programmable proxy.')
  .version(version)
  .showHelpAfterError('(weir --help lists what there is)')
  .exitOverride();

registerRun(program);
registerCheck(program);
registerExplain(program);
// Verbs inherit nothing of how their parent ends.
for (const command of program.commands) command.exitOverride();

try {
  await program.parseAsync();
} catch (error) {
  if (!(error instanceof CommanderError)) throw error;
  // Help and version end well; everything else that commander throws is about the command line.
  process.exitCode = error.exitCode === 0 ? ExitCode.Ok : ExitCode.Usage;
}
