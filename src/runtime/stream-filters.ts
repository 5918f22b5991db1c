import { ChainPass, Direction, type ChainOwner } from './chain.ts';
import type { HeaderBlock } from './http/headers.ts';
import { HTTP_PHASES } from './wasm/abi.ts';
import { Wants, type Plugin } from './wasm/plugin.ts';
import type { StreamContext } from './wasm/context.ts';
import type { StreamHost } from './wasm/stream-host.ts';

/** A stream as its filters see it. */
export interface FilteredStream extends ChainOwner, StreamHost {
  readonly request: HeaderBlock;
  /** Index into `LiveSnapshot.rules`; -1: no route. */
  readonly rule: number;
}

/** The filters of one stream: their contexts, and both directions through them. */
export class StreamFilters {
  readonly request: ChainPass;
  readonly answer: ChainPass;
  plugins: readonly Plugin[] = [];
  /** Whether a filter reads or changes bodies of that direction. */
  takeRequestBody = false;
  takeAnswerBody = false;
  readonly #stream: FilteredStream;
  readonly #contexts: (StreamContext | null)[] = [];
  /** Filters that failed and whose `onError` is `skip`: out for the rest of the stream. */
  readonly #skipped: number[] = [];
  /** Whether a filter has decided who may do what, and on what. */
  #decided = false;
  #decidedRule = -1;
  #decidedEdits = 0;

  constructor(stream: FilteredStream) {
    this.#stream = stream;
    this.request = new ChainPass(Direction.Request, stream);
    this.answer = new ChainPass(Direction.Response, stream);
  }

  begin(plugins: readonly Plugin[]): void {
    this.#use(plugins, 0);
    this.request.begin(plugins, plugins.length);
  }

  /** The request goes elsewhere than where a filter has decided that it may go. */
  get isMoved(): boolean {
    if (!this.#decided) return false;
    const { request, rule } = this.#stream;
    return rule !== this.#decidedRule || request.pseudoEdits !== this.#decidedEdits;
  }

  /**
   * Filters of `plugins` that have not run come behind those that have; of a request that has moved, also those that
   * decide who may do what. False: there are none.
   */
  extend(plugins: readonly Plugin[]): boolean {
    const moved = this.isMoved;
    const more = plugins.filter(
      (plugin) => !this.plugins.includes(plugin) || (moved && plugin.spec.decidesAgain === true),
    );
    if (more.length === 0) return false;
    this.#use([...this.plugins, ...more], this.plugins.length);
    this.request.extend(this.plugins);
    return true;
  }

  /** Sends the answer's head back through the filters that the request reached. False: there are none. */
  beginAnswer(endOfStream: boolean): boolean {
    const { reached } = this.request;
    if (reached === 0) return false;
    this.answer.begin(this.plugins, reached);
    this.answer.head(endOfStream);
    return true;
  }

  /** Made on first use. Null: the filter is skipped, or the stream was told that it failed. */
  context(index: number, direction: Direction): StreamContext | null {
    const known = this.#contexts[index];
    if (known) return known;
    if (this.#skipped.includes(index)) return null;
    const plugin = this.plugins[index]!;
    if (plugin.spec.decidesAgain === true) {
      this.#decided = true;
      this.#decidedRule = this.#stream.rule;
      this.#decidedEdits = this.#stream.request.pseudoEdits;
    }
    const context = plugin.createContext(this.#stream);
    if (context !== null) return (this.#contexts[index] = context);
    if (plugin.spec.onError === 'deny') this.#stream.filterFailed(direction, plugin);
    else this.#skipped.push(index);
    return null;
  }

  /** Forgets a context that failed outside its callbacks. @returns index of its filter, or -1 */
  lose(context: StreamContext): number {
    const index = this.#contexts.indexOf(context);
    if (index >= 0) this.#contexts[index] = null;
    return index;
  }

  /** Whatever waits at the filter goes on without it. */
  skip(index: number): void {
    this.#skipped.push(index);
    if (!this.#stream.isHalted(Direction.Request)) this.request.skip(index);
    if (!this.#stream.isHalted(Direction.Response)) this.answer.skip(index);
  }

  /** The stream is over: done, log and delete for each context. */
  end(): void {
    const { plugins } = this;
    if (plugins.length === 0) return;
    for (let i = 0; i < plugins.length; i++) {
      // One that only logs has no callback before the end.
      const plugin = plugins[i]!;
      const context =
        this.#contexts[i] ?? ((plugin.wants & HTTP_PHASES) === 0 ? plugin.createContext(this.#stream) : null);
      context?.finish();
      this.#contexts[i] = null;
    }
    this.request.end();
    this.answer.end();
    this.plugins = [];
    this.takeRequestBody = this.takeAnswerBody = this.#decided = false;
    this.#skipped.length = 0;
  }

  #use(plugins: readonly Plugin[], from: number): void {
    this.plugins = plugins;
    for (let i = from; i < plugins.length; i++) {
      const { wants } = plugins[i]!;
      this.#contexts[i] = null;
      if ((wants & Wants.RequestBody) !== 0) this.takeRequestBody = true;
      if ((wants & Wants.ResponseBody) !== 0) this.takeAnswerBody = true;
    }
  }
}
