import { InvalidArgumentError, type Command } from 'commander';
import { explainError } from '../errors.ts';

/** `weir explain WEIRnnnn`. */
export function registerExplain(program: Command): void {
  program
    .command('explain')
    .description('explain an error code')
    .argument('<code>', 'WEIRnnnn', parseCode)
    .action((text: string) => {
      process.stdout.write(text);
    });
}

function parseCode(code: string): string {
  const text = explainError(code);
  if (text !== null) return text;
  throw new InvalidArgumentError('there is no such code');
}
