import { stat } from 'node:fs/promises';
import { pathToFileURL } from 'node:url';
import { findSdk } from '../filter/sdk.ts';
import type { CompileAnswer, Compiler } from './compiler.ts';
import type { FilterSource } from './project-filters.ts';

/** How a filter stands after its last compilation. */
export interface Build extends CompileAnswer {
  readonly filter: FilterSource;
  /** Whether a module is there that can serve, this one or one from before. */
  readonly serves: boolean;
}

export interface BuildsOptions {
  readonly compiler: Compiler;
  /** A compilation has ended, and nothing that it read has changed meanwhile. */
  built(build: Build): void;
}

/**
 * Keeps the modules of filters up to date with their sources. One compilation at a time; a filter whose sources
 * change while it is compiled is compiled again, and what came of the first one is told to nobody.
 */
export class Builds {
  readonly #options: BuildsOptions;
  readonly #last = new Map<string, Build>();
  #queue = new Map<string, FilterSource>();
  #running: { readonly filter: FilterSource; stale: boolean } | null = null;
  #idle: (() => void)[] = [];

  constructor(options: BuildsOptions) {
    this.#options = options;
  }

  /** The last build of each filter that is there. */
  get all(): readonly Build[] {
    return [...this.#last.values()];
  }

  /** Files that filters were compiled from, wherever they are. */
  get files(): ReadonlySet<string> {
    return new Set(this.all.flatMap(({ files }) => files));
  }

  /** Filters that are not there any more are forgotten, new ones compiled. */
  keep(filters: readonly FilterSource[]): void {
    const entries = new Set(filters.map(({ entry }) => entry));
    for (const entry of this.#last.keys()) if (!entries.has(entry)) this.#last.delete(entry);
    this.request(filters.filter(({ entry }) => !this.#last.has(entry)));
  }

  /** These files were written: filters that were made from them are compiled again. */
  changed(files: ReadonlySet<string>): void {
    const touched = this.all.filter(
      // One that does not compile may lack a file that nothing of it has read yet.
      ({ ok, files: read }) => !ok || read.some((file) => files.has(file)),
    );
    this.request(touched.map(({ filter }) => filter));
  }

  request(filters: readonly FilterSource[]): void {
    for (const filter of filters) {
      this.#queue.set(filter.entry, filter);
      if (this.#running?.filter.entry === filter.entry) this.#running.stale = true;
    }
    if (this.#running === null) void this.#run();
  }

  /** Resolves when nothing is to be compiled. */
  settled(): Promise<void> {
    if (this.#running === null) return Promise.resolve();
    return new Promise((done) => this.#idle.push(done));
  }

  async #run(): Promise<void> {
    for (;;) {
      const next = this.#queue.values().next();
      if (next.done === true) break;
      const filter = next.value;
      this.#queue.delete(filter.entry);
      const running = { filter, stale: false };
      this.#running = running;
      const build = await this.#build(filter);
      if (running.stale) continue;
      this.#last.set(filter.entry, build);
      this.#options.built(build);
    }
    this.#running = null;
    for (const done of this.#idle.splice(0)) done();
  }

  async #build(filter: FilterSource): Promise<Build> {
    const { entry, folder, module } = filter;
    const answer = await this.#options.compiler.compile(findSdk(folder), {
      entry,
      outFile: module,
      baseDir: folder,
      debug: true,
      sourceMap: true,
      sourceRoot: `${pathToFileURL(folder).href}/`,
    });
    return { ...answer, filter, serves: answer.ok || (await isThere(module)) };
  }
}

async function isThere(file: string): Promise<boolean> {
  return stat(file).then(
    () => true,
    () => false,
  );
}
