import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { basename, join, relative } from 'node:path';
import { createInterface } from 'node:readline';
import type { Terminal } from './terminal.ts';

/** Runs the `test` script of a project; says so where there is none. */
export async function runTests(folder: string, terminal: Terminal): Promise<void> {
  const { colors } = terminal;
  const name = relative('', folder) || basename(folder);
  if (!hasTests(folder)) return terminal.say(`${name}: package.json has no script "test"`);
  const child = spawn('npm', ['test', '--silent'], {
    cwd: folder,
    env: { ...process.env, ...(colors.isColorSupported ? { FORCE_COLOR: '1' } : {}) },
    stdio: ['ignore', 'pipe', 'pipe'],
    // On Windows npm is a script, which needs a shell.
    shell: process.platform === 'win32',
  });
  for (const input of [child.stdout, child.stderr])
    createInterface({ input }).on('line', (line) => terminal.say(line));
  const code = await new Promise<number | string | null>((done) => {
    child.once('error', (error) => done(error.message));
    child.once('close', done);
  });
  if (typeof code === 'string') terminal.complain(`npm: ${code}`);
  terminal.say(`${code === 0 ? colors.green('tests pass') : colors.red('tests fail')}  ${name}`);
}

function hasTests(folder: string): boolean {
  const file = join(folder, 'package.json');
  if (!existsSync(file)) return false;
  const { scripts } = JSON.parse(readFileSync(file, 'utf8')) as { scripts?: Record<string, string> };
  return scripts?.['test'] !== undefined;
}
