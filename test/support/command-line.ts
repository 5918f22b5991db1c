import { runCommandLine } from '../../src/cli/command-line.ts';

export interface CommandResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/**
 * Runs a command of weir in this process, which has the compiler loaded and warm: a test that compiles several
 * times takes a fraction of what as many processes take. One at a time.
 */
export async function runInProcess(
  args: readonly string[],
  { cwd, env = {} }: { readonly cwd: string; readonly env?: Readonly<Record<string, string>> },
): Promise<CommandResult> {
  const said = { stdout: '', stderr: '' };
  const before = { cwd: process.cwd(), env: process.env, exitCode: process.exitCode };
  const restore = (['stdout', 'stderr'] as const).map((name) => {
    const write = process[name].write;
    process[name].write = (text: string | Uint8Array): boolean => {
      said[name] += typeof text === 'string' ? text : Buffer.from(text).toString();
      return true;
    };
    return () => void (process[name].write = write);
  });
  process.chdir(cwd);
  process.env = { ...before.env, ...env };
  process.exitCode = 0;
  try {
    await runCommandLine(args);
    return { code: process.exitCode, ...said };
  } finally {
    for (const each of restore) each();
    process.chdir(before.cwd);
    process.env = before.env;
    process.exitCode = before.exitCode;
  }
}
