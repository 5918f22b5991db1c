import { spawn, type ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { IN_FORCE, REFUSED, UNCHANGED } from '../../control/rollout.ts';
import { packageRoot } from '../../package-root.ts';
import type { Fault } from './board.ts';

export interface ProxyEvents {
  /** A snapshot serves on all workers. */
  inForce(number: number): void;
  /** The configuration is not in force; what served before serves. Nothing in the list: it is in force again. */
  refused(faults: readonly Fault[]): void;
  /** Something for a person to read. */
  say(text: string): void;
  /** It ended by itself. */
  ended(code: number | null, signal: string | null): void;
}

interface LogLine {
  readonly level: string;
  readonly msg: string;
  readonly plugin?: string;
  readonly watch?: number;
  readonly number?: number;
  readonly errors?: readonly Fault[];
}

/** The `weir run` that `weir dev` keeps beside it. */
export class ProxyProcess {
  readonly #args: readonly string[];
  readonly #events: ProxyEvents;
  #child: ChildProcess | null = null;
  #stopping = false;

  /** @param args of `weir run` */
  constructor(args: readonly string[], events: ProxyEvents) {
    this.#args = args;
    this.#events = events;
  }

  get runs(): boolean {
    return this.#child !== null;
  }

  start(color: boolean): void {
    const child = spawn(process.execPath, [join(packageRoot(), 'bin/weir'), 'run', ...this.#args], {
      // The channel closes when this process ends, however it does; then that one drains.
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      // A Ctrl-C of the terminal is for this process, which ends that one.
      detached: process.platform !== 'win32',
      env: { ...process.env, ...(color ? { FORCE_COLOR: '1' } : {}) },
    });
    this.#child = child;
    createInterface({ input: child.stdout! }).on('line', (line) => this.#events.say(line));
    createInterface({ input: child.stderr! }).on('line', (line) => this.#read(line));
    child.once('close', (code, signal) => {
      this.#child = null;
      if (!this.#stopping) this.#events.ended(code, signal);
    });
  }

  /** Reads the configuration again, as after a change. */
  reload(): void {
    this.#child?.kill('SIGHUP');
  }

  /** A second signal: it does not finish what it does. */
  hurry(): void {
    if (this.#stopping) this.#child?.kill('SIGTERM');
  }

  /** Ends it as a service manager does: requests under way are finished. */
  async stop(): Promise<void> {
    const child = this.#child;
    if (child === null) return;
    this.#stopping = true;
    const closed = new Promise<void>((done) => child.once('close', () => done()));
    child.kill('SIGTERM');
    await closed;
    this.#stopping = false;
  }

  /** Its log is for machines, here a person reads; faults of a configuration come as text. */
  #read(line: string): void {
    let entry: LogLine;
    try {
      entry = JSON.parse(line) as LogLine;
    } catch {
      // Of Node's inspector: where it is has been told.
      if (!/^(Debugger (listening|ending) on|For help, see: https:\/\/nodejs)/.test(line))
        this.#events.say(line);
      return;
    }
    const { level, msg, plugin, watch, number, errors } = entry;
    // Those of this program.
    if (watch !== undefined) return;
    if (msg === IN_FORCE) this.#events.inForce(number ?? 0);
    else if (msg === UNCHANGED) this.#events.refused([]);
    else if (msg === REFUSED) this.#events.refused(errors ?? []);
    else if (plugin !== undefined)
      this.#events.say(`${plugin}  ${level === 'info' ? '' : `${level}  `}${msg}`);
    else if (level === 'warn' || level === 'error' || level === 'fatal') this.#events.say(`${level}  ${msg}`);
  }
}
