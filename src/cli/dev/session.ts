import { relative, resolve } from 'node:path';
import { entryOf } from '../../supervisor/entry.ts';
import { formatProblems } from '../filter/problems.ts';
import { findSdk } from '../filter/sdk.ts';
import { bytesText } from '../output.ts';
import { Board, type Fault } from './board.ts';
import { Builds, type Build } from './builds.ts';
import { Compiler } from './compiler.ts';
import { openInBrowser } from './browser.ts';
import { PageServer } from './page-server.ts';
import { RequestPrinter } from './request-printer.ts';
import { TapReader } from './tap-reader.ts';
import { filtersOf, type FilterSource } from './project-filters.ts';
import { runTests } from './project-tests.ts';
import { addressesOf } from './proxy-addresses.ts';
import { ProxyProcess } from './proxy-process.ts';
import type { Terminal } from './terminal.ts';
import { SourceWatcher } from './watcher.ts';

/** Where faults of the configuration are kept, beside those of filters. */
const CONFIGURATION = 'configuration';

export interface SessionOptions {
  /** Folders of the authors, absolute. */
  readonly projects: readonly string[];
  /** Files and folders of YAML. */
  readonly policies: readonly string[];
  readonly workers: number;
  /** HOST:PORT of the admin server. */
  readonly admin: string;
  readonly pagePort: number;
  /** Open the page in a browser. */
  readonly open: boolean;
  /** Show faults in HTML pages that pass the proxy. */
  readonly overlay: boolean;
  /** Show what filters do with requests. */
  readonly requests: boolean;
  /** On which a debugger is let in; null: none. */
  readonly inspectPort: number | null;
}

/** One run of `weir dev`: sources are watched and compiled, a weir beside it serves, and a page tells how it stands. */
export class Session {
  readonly #options: SessionOptions;
  readonly #terminal: Terminal;
  readonly #board: Board;
  readonly #page: PageServer;
  readonly #compiler = new Compiler(entryOf('compile-thread'));
  readonly #builds: Builds;
  readonly #proxy: ProxyProcess;
  readonly #watcher: SourceWatcher;
  readonly #printer: RequestPrinter;
  readonly #tap: TapReader;
  #pageUrl = '';
  /** When the save was noticed that is under way; 0: none. */
  #savedAt = 0;
  #began = performance.now();
  #testing = false;
  #end: Promise<void> | null = null;

  /** Listens for the page, which others have to know of. */
  static async open(options: SessionOptions, terminal: Terminal): Promise<Session> {
    const board = new Board(`http://${options.admin}`);
    const page = new PageServer(board);
    const url = await page.listen(options.pagePort);
    return new Session(options, terminal, board, page, url);
  }

  private constructor(
    options: SessionOptions,
    terminal: Terminal,
    board: Board,
    page: PageServer,
    url: string,
  ) {
    this.#options = options;
    this.#terminal = terminal;
    this.#board = board;
    this.#page = page;
    this.#pageUrl = url;
    this.#builds = new Builds({ compiler: this.#compiler, built: (build) => this.#built(build) });
    this.#printer = new RequestPrinter(board, terminal);
    this.#tap = new TapReader(options.admin, (record) => this.#printer.add(record));
    const folders = [...options.projects, ...options.policies.map((path) => resolve(path))];
    this.#watcher = new SourceWatcher(folders, (files) => this.#changed(files));
    this.#proxy = new ProxyProcess(runArguments(options, page.overlayUrl), {
      inForce: (number) => void this.#inForce(number),
      refused: (faults) => {
        this.#board.setFaults(CONFIGURATION, faults);
        if (faults.length === 0) terminal.say('the configuration is the one in force again');
      },
      say: (text) => {
        if (!options.requests || !this.#printer.logged(text)) terminal.say(text);
      },
      ended: (code, signal) => this.#ended(code, signal),
    });
  }

  async start(): Promise<void> {
    const { colors } = this.#terminal;
    const filters = this.#filters();
    for (const folder of this.#options.projects) findSdk(folder);
    this.#terminal.say(
      `\n  ${colors.bold(colors.cyan('weir dev'))}  ${filters.map(({ name }) => name).join(', ')}\n`,
    );
    await this.#watcher.ready();
    this.#builds.keep(filters);
    await this.#builds.settled();
    this.#startProxy();
    if (this.#options.requests) void this.#tap.run();
    if (this.#options.open) openInBrowser(this.#pageUrl);
  }

  /** Everything again: all filters, and the configuration. */
  restart(): void {
    this.#savedAt = performance.now();
    this.#lookForFilters();
    this.#builds.request(this.#builds.all.map(({ filter }) => filter));
    void this.#builds.settled().then(() => (this.#proxy.runs ? this.#proxy.reload() : this.#startProxy()));
  }

  openPage(): void {
    openInBrowser(this.#pageUrl);
  }

  /** The `test` script of each project. */
  async test(): Promise<void> {
    if (this.#testing) return;
    this.#testing = true;
    for (const folder of this.#options.projects) await runTests(folder, this.#terminal);
    this.#testing = false;
  }

  /** Requests under way are finished. */
  end(): Promise<void> {
    this.#end ??= this.#close();
    return this.#end;
  }

  /** A second wish to end: requests under way are not waited for. */
  hurry(): void {
    this.#proxy.hurry();
  }

  async #close(): Promise<void> {
    if (this.#proxy.runs) this.#terminal.say('draining');
    this.#tap.close();
    this.#printer.close();
    await this.#watcher.close();
    await this.#proxy.stop();
    await this.#compiler.close();
    this.#page.close();
    this.#terminal.close();
  }

  #filters(): FilterSource[] {
    return this.#options.projects.flatMap((folder) => filtersOf(folder));
  }

  #changed(files: ReadonlySet<string>): void {
    if (this.#savedAt === 0) this.#savedAt = performance.now();
    this.#builds.changed(files);
    this.#lookForFilters();
    // One that was refused at its start watches nothing.
    if (this.#board.state.proxy === 'stopped') void this.#builds.settled().then(() => this.#startProxy());
  }

  /** Filters that are new are compiled; of those that are gone nothing is told any more. */
  #lookForFilters(): void {
    try {
      const filters = this.#filters();
      this.#builds.keep(filters);
      for (const { what } of this.#board.state.faults)
        if (what !== CONFIGURATION && !filters.some(({ entry }) => entry === what))
          this.#board.setFaults(what, []);
    } catch (error) {
      this.#terminal.complain((error as Error).message);
    }
  }

  #built(build: Build): void {
    const { colors } = this.#terminal;
    const { filter, ok, problems, messages, ms, size } = build;
    this.#watcher.follow(build.files);
    const place = relative('', filter.entry);
    if (ok) {
      const took = `${Math.round(ms)} ms`;
      this.#terminal.say(
        `${colors.green('compiled')}  ${place}  ${colors.dim(`${bytesText(size)}, ${took}`)}`,
      );
    } else {
      const text = problems.length === 0 ? messages.trimEnd() : formatProblems(problems, colors).trimEnd();
      const then = build.serves ? 'what was compiled before goes on serving' : 'there is no module to serve';
      this.#terminal.complain(
        `\n${colors.red('does not compile')}  ${place}\n${text}\n${colors.dim(then)}\n`,
      );
      this.#savedAt = 0;
    }
    this.#board.set({
      filters: this.#builds.all.map((each) => ({
        name: each.filter.name,
        size: each.size,
        ms: Math.round(each.ms),
        serves: each.serves,
      })),
    });
    this.#board.setFaults(filter.entry, ok ? [] : faultsOf(build));
  }

  #startProxy(): void {
    if (this.#end !== null || this.#proxy.runs) return;
    const missing = this.#builds.all.filter(({ serves }) => !serves);
    if (missing.length > 0) {
      this.#board.set({ proxy: 'stopped' });
      this.#terminal.complain('the proxy starts when every filter compiles');
      return;
    }
    this.#board.set({ proxy: 'starting' });
    this.#proxy.start(this.#terminal.colors.isColorSupported);
  }

  async #inForce(number: number): Promise<void> {
    const { colors } = this.#terminal;
    const first = this.#board.state.proxy !== 'live';
    const since = this.#savedAt;
    this.#savedAt = 0;
    const now = performance.now();
    this.#board.setFaults(CONFIGURATION, []);
    this.#board.set({ proxy: 'live', snapshot: number });
    if (!first) {
      const after = since === 0 ? '' : ` after ${Math.round(now - since)} ms`;
      this.#terminal.say(`${colors.green('live')}${after}  ${colors.dim(`snapshot ${number}`)}`);
    }
    this.#board.set({ addresses: await addressesOf(this.#options.admin) });
    if (first) this.#welcome(now - this.#began);
  }

  #welcome(ms: number): void {
    const { colors } = this.#terminal;
    const { addresses, admin } = this.#board.state;
    const { inspectPort } = this.#options;
    const row = (what: string, url: string): string =>
      `  ${colors.green('➜')}  ${what.padEnd(9)}${colors.cyan(url)}`;
    const rows = [
      ...addresses.map((address) => row('proxy', address)),
      row('page', this.#pageUrl),
      row('admin', admin),
      ...(inspectPort === null ? [] : [row('debugger', `127.0.0.1:${inspectPort}`)]),
    ];
    this.#terminal.say(`\n${rows.join('\n')}\n\n  ${colors.dim(`live after ${Math.round(ms)} ms`)}\n`);
  }

  #ended(code: number | null, signal: string | null): void {
    this.#board.set({ proxy: 'stopped', snapshot: 0, addresses: [] });
    this.#began = performance.now();
    const refused = this.#board.state.faults.length > 0;
    const why = refused ? 'the configuration is refused' : `weir ended (${code ?? signal})`;
    const next = refused ? 'it starts when that is mended' : 'r starts it again';
    this.#terminal.complain(`${why}; ${next}`);
    if (!this.#terminal.hasKeys && !refused) void this.end().then(() => process.exit(1));
  }
}

function runArguments(options: SessionOptions, overlayUrl: string): string[] {
  const { policies, admin, workers, overlay, inspectPort } = options;
  return [
    ...policies.flatMap((path) => ['-f', path]),
    ...['--admin', admin],
    ...['--workers', String(workers)],
    ...(overlay ? ['--dev-overlay', overlayUrl] : []),
    // A worker that stands at a breakpoint does not drain.
    ...(inspectPort === null ? [] : ['--dev-inspect', String(inspectPort), '--drain-timeout', '2s']),
  ];
}

function faultsOf({ problems, messages, filter }: Build): Fault[] {
  const errors = problems.filter(({ severity }) => severity === 'error');
  if (errors.length === 0) {
    const nowhere = { file: '', line: 0, column: 1, length: 1 };
    return [{ code: '', message: messages.trim() || `${filter.name} does not compile`, ...nowhere }];
  }
  return errors.map(({ code, message, hint, place }) => ({
    code,
    message,
    hint: hint === '' ? undefined : hint,
    file: place?.file ?? '',
    line: place?.line ?? 0,
    column: place?.column ?? 1,
    length: place?.length ?? 1,
    sourceLine: place?.text,
  }));
}
