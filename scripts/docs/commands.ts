import type { Command } from 'commander';
import { weirProgram } from '../../src/cli/program.ts';

/** What a terminal of usual size shows. */
const WIDTH = 100;

/** docs/cli.md: what `--help` of each command prints. */
export async function commandsMarkdown(generated: string): Promise<string> {
  const lines = [
    '# Commands',
    '',
    generated,
    '',
    'What `--help` prints of each. Faults are written to standard error with what to do about them; colours are for',
    'terminals, and `NO_COLOR` turns them off. Without a word about it a command ends with 0 where all went well, with 1',
    'where it did not, with 2 where the command line is wrong. A running weir is described in [operations.md](operations.md).',
  ];
  for (const command of verbs(await weirProgram())) {
    lines.push('', `## ${nameOf(command)}`, '', '```text', helpOf(command).trimEnd(), '```');
  }
  return `${lines.join('\n')}\n`;
}

/** Those that do something; a command with verbs of its own only lists them. */
function verbs(parent: Command): Command[] {
  return parent.commands.flatMap((command) => (command.commands.length > 0 ? verbs(command) : [command]));
}

function nameOf(command: Command): string {
  return command.parent === null ? command.name() : `${nameOf(command.parent)} ${command.name()}`;
}

/** With what commands add behind their options, which only the printed help has. */
function helpOf(command: Command): string {
  let text = '';
  command.configureOutput({
    writeOut: (part) => void (text += part),
    getOutHelpWidth: () => WIDTH,
    getOutHasColors: () => false,
  });
  command.outputHelp();
  return text;
}
