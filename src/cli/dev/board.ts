import type { RequestView } from './request-view.ts';

/** Something wrong with a filter's source or with the configuration, for a page to show. */
export interface Fault {
  /** Of the compiler or of weir; empty where there is none. */
  readonly code: string;
  readonly message: string;
  readonly hint?: string | undefined;
  /** Empty where no file is to blame. */
  readonly file: string;
  /** From 1; 0 where it is not known. */
  readonly line: number;
  /** From 1. */
  readonly column: number;
  readonly length: number;
  /** The line, where it may be shown. */
  readonly sourceLine?: string | undefined;
}

export interface FilterState {
  readonly name: string;
  /** Bytes of the module that the last compilation made; 0 where it made none. */
  readonly size: number;
  readonly ms: number;
  /** Whether a module is there that can serve, this one or one from before. */
  readonly serves: boolean;
}

/** What the page shows. */
export interface BoardState {
  readonly proxy: 'starting' | 'live' | 'stopped';
  /** Number of the snapshot in force; 0 before the first. */
  readonly snapshot: number;
  /** URLs that the proxy listens at. */
  readonly addresses: readonly string[];
  readonly admin: string;
  readonly filters: readonly FilterState[];
  /** By who found them: a filter's entry file, or the configuration. */
  readonly faults: readonly { readonly what: string; readonly list: readonly Fault[] }[];
}

/** Requests that a page gets to see which is opened later. */
const KEPT = 50;

/** How the session stands, and who wants to be told when that changes. */
export class Board {
  #state: BoardState;
  readonly #requests = new Map<string, RequestView>();
  readonly #watchers = new Set<(event: string, data: unknown) => void>();

  constructor(admin: string) {
    this.#state = { proxy: 'starting', snapshot: 0, addresses: [], admin, filters: [], faults: [] };
  }

  get state(): BoardState {
    return this.#state;
  }

  set(change: Partial<BoardState>): void {
    this.#state = { ...this.#state, ...change };
    this.#tell('state', this.#state);
  }

  /** @param list empty: it is well again */
  setFaults(what: string, list: readonly Fault[]): void {
    const others = this.#state.faults.filter((each) => each.what !== what);
    this.set({ faults: list.length === 0 ? others : [...others, { what, list }] });
  }

  /** The last requests, the oldest first. */
  get requests(): Iterable<RequestView> {
    return this.#requests.values();
  }

  hasRequest(id: string): boolean {
    return this.#requests.has(id);
  }

  /** A request as it is now. */
  setRequest(request: RequestView): void {
    this.#requests.set(request.id, request);
    if (this.#requests.size > KEPT) this.#requests.delete(this.#requests.keys().next().value!);
    this.#tell('request', request);
  }

  #tell(event: string, data: unknown): void {
    for (const watcher of this.#watchers) watcher(event, data);
  }

  /** @returns ends it */
  watch(watcher: (event: string, data: unknown) => void): () => void {
    this.#watchers.add(watcher);
    return () => this.#watchers.delete(watcher);
  }
}
