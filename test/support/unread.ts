import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { atEnd } from './cleanup.ts';
import { ROOT } from './process.ts';

/** A program of Node whose standard output nobody reads: its other end is closed before the program starts. */
export class Unread {
  readonly closed: Promise<unknown>;
  readonly exited: Promise<{ readonly code: number | null; readonly stderr: string }>;

  readonly #child: ChildProcess;

  constructor(args: readonly string[], cwd = ROOT) {
    const waiting = ['-c', 'read _; exec "$@"', 'sh', process.execPath, ...args];
    const child = spawn('sh', waiting, { cwd, stdio: ['pipe', 'pipe', 'pipe'] });
    this.#child = child;
    atEnd(() => void child.kill('SIGKILL'));
    let stderr = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
    this.exited = once(child, 'close').then(() => ({ code: child.exitCode, stderr }));
    this.closed = once(child.stdout, 'close').then(() => child.stdin.end('\n'));
    child.stdout.destroy();
  }

  stop(): void {
    this.#child.kill('SIGTERM');
  }
}
