import { createInterface } from 'node:readline';
import { Writable } from 'node:stream';
import type { Command } from 'commander';
import { hashPassword } from '../runtime/wasm/password-hash.ts';
import { PASSWORD_BYTES } from '../runtime/wasm/limits.ts';

const HELP = `
The password is the first line of the standard input; a terminal asks for it and shows nothing. No argument has it,
since arguments are seen by every user of the machine.

Examples:
  weir hash-password
  printf %s "$PASSWORD" | weir hash-password`;

/** `weir hash-password`: what a Consumer or the filter basic has in place of a password. */
export function registerHashPassword(program: Command): void {
  program
    .command('hash-password')
    .description('print the hash of a password, for credentials of Consumers and users of the filter basic')
    .addHelpText('after', HELP)
    .action(async (_flags: object, command: Command) => {
      const password = Buffer.from(await readPassword());
      if (password.length === 0)
        command.error('error: the password is empty: write it to the standard input');
      if (password.length > PASSWORD_BYTES)
        command.error(`error: a password has at most ${PASSWORD_BYTES} bytes`);
      process.stdout.write(`${await hashPassword(password)}\n`);
    });
}

/** The first line, without its end. */
async function readPassword(): Promise<string> {
  const terminal = process.stdin.isTTY;
  if (terminal) process.stderr.write('Password: ');
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() });
  const lines = createInterface({ input: process.stdin, output: nowhere, terminal });
  try {
    for await (const line of lines) return line;
    return '';
  } finally {
    lines.close();
    if (terminal) process.stderr.write('\n');
  }
}
