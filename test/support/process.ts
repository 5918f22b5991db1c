/** Starts programs (weir above all), waits for what they say, and never leaves one behind. */
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtemp, mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { atEnd } from './cleanup.ts';
import { freePort } from './ports.ts';
import { exchange, getRequest, type Answer } from './raw-client.ts';

/** The root of the repository. */
export const ROOT = fileURLToPath(new URL('../../', import.meta.url));

export interface StartOptions {
  readonly cwd?: string;
  readonly env?: Record<string, string>;
  /** Written to standard input, which is then closed. */
  readonly input?: string;
}

export interface Exit {
  /** null where a signal ended it. */
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

// Each program leads a process group of its own, so that its workers go with it whatever it does.
const groups = new Set<number>();
process.on('exit', () => {
  for (const pid of groups) killGroup(pid);
});

/** Whether there was anybody left to kill. */
function killGroup(pid: number): boolean {
  try {
    return process.kill(-pid, 'SIGKILL');
  } catch {
    return false;
  }
}

/** An access log under load has no end: of what a program says, the last megabytes are kept. */
const KEPT_CHARACTERS = 8 * 1024 * 1024;

function tail(text: string): string {
  return text.length > 2 * KEPT_CHARACTERS ? text.slice(-KEPT_CHARACTERS) : text;
}

export class Program {
  readonly command: string;
  readonly child: ChildProcess;
  stdout = '';
  stderr = '';
  /** When the program itself has ended and its output is complete. */
  readonly exited: Promise<Exit>;
  #exit: Exit | null = null;
  readonly #listeners = new Set<() => void>();

  constructor(command: string, args: readonly string[], options: StartOptions = {}) {
    this.command = [command, ...args].join(' ');
    this.child = spawn(command, args, {
      cwd: options.cwd ?? ROOT,
      env: { ...process.env, NODE_OPTIONS: '', ...options.env },
      detached: true,
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    const { pid } = this.child;
    if (pid !== undefined) groups.add(pid);
    this.child.stdin?.on('error', () => undefined);
    this.child.stdin?.end(options.input ?? '');
    this.child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.stdout = tail(this.stdout + text);
      this.#tell();
    });
    this.child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.stderr = tail(this.stderr + text);
      this.#tell();
    });
    this.exited = new Promise((resolve) => {
      this.child.once('error', (fault) => {
        this.stderr += `${fault.message}\n`;
        this.#ended({ code: 127, signal: null }, resolve);
      });
      // `close` comes when its output is complete; a grandchild that holds the pipes open must not put that off.
      this.child.once('exit', (code, signal) => {
        const exit = { code, signal };
        const late = setTimeout(() => this.#ended(exit, resolve), 200);
        this.child.once('close', () => {
          clearTimeout(late);
          this.#ended(exit, resolve);
        });
      });
    });
    atEnd(() => this.kill());
  }

  get pid(): number {
    return this.child.pid!;
  }

  get exit(): Exit | null {
    return this.#exit;
  }

  /** Both outputs, for messages. */
  get output(): string {
    return this.stdout + this.stderr;
  }

  /** Lines of standard error that are JSON: weir's log. */
  get log(): Record<string, unknown>[] {
    return jsonLines(this.stderr);
  }

  /** Lines of standard output that are JSON: weir's access log, where it is on. */
  get accessLog(): Record<string, unknown>[] {
    return jsonLines(this.stdout);
  }

  /** Waits until either output holds the pattern; fails when the program ends first. */
  async waitFor(pattern: RegExp | string, timeoutMs = 15_000): Promise<string> {
    const find = (): string | null =>
      typeof pattern === 'string'
        ? this.output.includes(pattern)
          ? pattern
          : null
        : (pattern.exec(this.output)?.[0] ?? null);
    let timer: NodeJS.Timeout | undefined;
    let check = (): void => undefined;
    try {
      return await new Promise<string>((resolve, reject) => {
        check = () => {
          const found = find();
          if (found !== null) resolve(found);
          else if (this.#exit !== null) reject(this.fault(`ended (${this.#exit.code ?? this.#exit.signal})`));
        };
        this.#listeners.add(check);
        timer = setTimeout(
          () => reject(this.fault(`did not print ${String(pattern)} within ${timeoutMs} ms`)),
          timeoutMs,
        );
        check();
      });
    } finally {
      clearTimeout(timer);
      this.#listeners.delete(check);
    }
  }

  fault(what: string): Error {
    return new Error(`${this.command}: ${what}\n${this.output.slice(-4000)}`);
  }

  /** Asks it to end and waits; kills it when it takes longer than `timeoutMs` and says so by throwing. */
  async stop(signal: NodeJS.Signals = 'SIGTERM', timeoutMs = 10_000): Promise<Exit> {
    if (this.#exit === null) this.child.kill(signal);
    const exit = await Promise.race([this.exited, sleep(timeoutMs, null, { ref: false })]);
    if (exit === null) {
      await this.kill();
      throw this.fault(`did not end within ${timeoutMs} ms of ${signal}`);
    }
    killGroup(this.pid);
    return exit;
  }

  /** Ends it and everything it started, at once. */
  async kill(): Promise<void> {
    if (this.child.pid === undefined) return;
    killGroup(this.child.pid);
    await this.exited;
    groups.delete(this.child.pid);
    // The others of its group die a moment later, and their ports with them. Bounded, since one that nobody
    // reaps stays listed for ever.
    for (let i = 0; i < 50 && killGroup(this.child.pid); i++) await sleep(4);
  }

  #ended(exit: Exit, resolve: (exit: Exit) => void): void {
    this.#exit ??= exit;
    resolve(this.#exit);
    this.#tell();
  }

  #tell(): void {
    for (const listener of this.#listeners) listener();
  }
}

function jsonLines(text: string): Record<string, unknown>[] {
  const lines: Record<string, unknown>[] = [];
  for (const line of text.split('\n')) {
    if (!line.startsWith('{')) continue;
    try {
      lines.push(JSON.parse(line) as Record<string, unknown>);
    } catch {
      // A line that is still being written.
    }
  }
  return lines;
}

/** Runs a program to its end. */
export async function run(
  command: string,
  args: readonly string[],
  options: StartOptions = {},
): Promise<Exit & { stdout: string; stderr: string }> {
  const program = new Program(command, args, options);
  const exit = await program.exited;
  await sleep(0);
  return { ...exit, stdout: program.stdout, stderr: program.stderr };
}

/** A folder that goes when the test file ends. */
export async function temporaryFolder(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'weir-test-'));
  atEnd(() => rm(path, { recursive: true, force: true }));
  return path;
}

export interface WeirOptions extends StartOptions {
  /** File names (relative, folders are made) to contents. Written to a folder of their own, which weir is given with `-f`. */
  readonly files?: Record<string, string | Uint8Array>;
  /** Instead of `files`: what to give to `-f`. */
  readonly paths?: readonly string[];
  readonly workers?: number;
  readonly args?: readonly string[];
  /** Do not wait for `/ready`. */
  readonly wait?: boolean;
  readonly readyTimeoutMs?: number;
}

/** A running weir. */
export class Weir extends Program {
  /** The folder that `files` were written to. */
  readonly folder: string;
  readonly adminPort: number;

  private constructor(folder: string, adminPort: number, args: readonly string[], options: StartOptions) {
    super(process.execPath, [join(ROOT, 'bin/weir'), ...args], options);
    this.folder = folder;
    this.adminPort = adminPort;
  }

  /** `bin/weir run -f …` with an admin address of its own. */
  static async start(options: WeirOptions): Promise<Weir> {
    const folder = await temporaryFolder();
    const policies = join(folder, 'policies');
    await mkdir(policies);
    for (const [name, content] of Object.entries(options.files ?? {}))
      await writeInto(policies, name, content);
    const adminPort = await freePort();
    const args = [
      'run',
      ...(options.paths ?? [policies]).flatMap((path) => ['-f', path]),
      ...['--admin', `127.0.0.1:${adminPort}`],
      ...['--data-dir', join(folder, 'data')],
      ...['--workers', String(options.workers ?? 1)],
      ...(options.args ?? []),
    ];
    const weir = new Weir(policies, adminPort, args, options);
    if (options.wait !== false) await weir.ready(options.readyTimeoutMs);
    return weir;
  }

  /** Replaces a file of the folder in one step, as an editor or a deployment does. */
  async write(name: string, content: string | Uint8Array): Promise<void> {
    await writeInto(this.folder, name, content);
  }

  admin(path: string, request = getRequest(path, 'localhost', 'Connection: close')): Promise<Answer> {
    return exchange({ port: this.adminPort }, request);
  }

  /** Waits until `/ready` answers 200. */
  async ready(timeoutMs = 20_000): Promise<void> {
    const until = Date.now() + timeoutMs;
    for (;;) {
      if (this.exit !== null)
        throw this.fault(`ended (${this.exit.code ?? this.exit.signal}) before it was ready`);
      const status = await this.admin('/ready').then(
        (answer) => answer.status,
        () => 0,
      );
      if (status === 200) return;
      if (Date.now() > until) throw this.fault(`was not ready within ${timeoutMs} ms`);
      await sleep(25);
    }
  }
}

/** Writes beside the target and renames, so that a watcher never sees half a file. */
async function writeInto(folder: string, name: string, content: string | Uint8Array): Promise<void> {
  const target = join(folder, name);
  await mkdir(dirname(target), { recursive: true });
  const beside = join(dirname(folder), `.write-${process.pid}-${Math.random().toString(36).slice(2)}`);
  await writeFile(beside, content);
  await rename(beside, target);
}
