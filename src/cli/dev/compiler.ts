import { Worker } from 'node:worker_threads';
import type { CompileRequest, Problem } from '../../../filters-sdk/cli/compile.d.mts';
import type { Sdk } from '../filter/sdk.ts';

export interface CompileQuestion {
  readonly id: number;
  readonly sdk: Sdk;
  readonly request: CompileRequest;
}

export interface CompileAnswer {
  readonly id: number;
  readonly ok: boolean;
  /** What the compiler printed. */
  readonly messages: string;
  readonly problems: readonly Problem[];
  /** Bytes of the module; 0 where there is none. */
  readonly size: number;
  /** Every file that was read, or looked for and not found. */
  readonly files: readonly string[];
  readonly ms: number;
}

/** Compilations after which the thread is replaced: the compiler does not give all of its memory back. */
const LIFETIME = 500;

/** A thread with the compiler in it, which compiles one filter after the other. */
export class Compiler {
  readonly #entry: URL;
  #thread: Worker | null = null;
  #lastId = 0;
  #compiled = 0;
  #waiting = new Map<number, (answer: CompileAnswer) => void>();

  /** @param entry the program of the thread */
  constructor(entry: URL) {
    this.#entry = entry;
  }

  compile(sdk: Sdk, request: CompileRequest): Promise<CompileAnswer> {
    if (this.#compiled >= LIFETIME && this.#waiting.size === 0) void this.close();
    this.#compiled++;
    const id = ++this.#lastId;
    return new Promise((resolve) => {
      this.#waiting.set(id, resolve);
      this.#thread ??= this.#start();
      this.#thread.postMessage({ id, sdk, request } satisfies CompileQuestion);
    });
  }

  async close(): Promise<void> {
    const thread = this.#thread;
    this.#thread = null;
    this.#compiled = 0;
    await thread?.terminate();
  }

  #start(): Worker {
    const thread = new Worker(this.#entry, { execArgv: process.execArgv });
    thread.on('message', (answer: CompileAnswer) => {
      this.#waiting.get(answer.id)?.(answer);
      this.#waiting.delete(answer.id);
    });
    // Out of memory, or a fault of the compiler: whoever waits is told, and the next one gets a new thread.
    thread.on('error', (error) => this.#failed(thread, error.message));
    thread.on('exit', (code) => this.#failed(thread, `the compiler's thread ended (${code})`));
    return thread;
  }

  #failed(thread: Worker, messages: string): void {
    if (this.#thread !== thread) return;
    this.#thread = null;
    this.#compiled = 0;
    for (const [id, resolve] of this.#waiting)
      resolve({ id, ok: false, messages, problems: [], size: 0, files: [], ms: 0 });
    this.#waiting.clear();
  }
}
