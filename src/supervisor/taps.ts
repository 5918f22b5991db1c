import type { Logger } from 'pino';
import { ALL_BODIES, type TapRequest, type TapSink } from '../control/tap-request.ts';
import type { Snapshot } from '../runtime/snapshot.ts';
import { RECORDING_VERSION } from '../runtime/wasm/tap/record.ts';
import type { FromWorker, ToWorker } from '../worker/protocol.ts';

export interface TapsDeps {
  /** Of weir. */
  readonly version: string;
  readonly log: Logger;
  snapshot(): Snapshot | null;
  /** Ids of the workers that there are. */
  workers(): readonly number[];
  send(worker: number, message: ToWorker): void;
}

const MOST_TAPS = 4;
/** Workers end a tap when its last streams are over, or ten seconds later. */
const END_MS = 15_000;
/** A worker that says nothing within this time is not waited for. */
const READY_MS = 5000;

/** One tap over all workers. */
class Session {
  readonly open = new Set<number>();
  streams = 0;
  dropped = 0;
  /** Begun, as the workers told it last, by worker. */
  readonly begun = new Map<number, number>();
  bytes = 0;
  /** Workers that have not said yet that they choose streams. */
  readonly deaf = new Set<number>();
  heard: () => void = () => undefined;
  /** The first line is written: that is when the reader may rely on the tap. */
  begins: Promise<void> = Promise.resolve();
  stopping = false;
  stop: () => void = () => undefined;
  ended: () => void = () => undefined;

  readonly id: number;
  readonly request: TapRequest;
  readonly sink: TapSink;

  constructor(id: number, request: TapRequest, sink: TapSink) {
    this.id = id;
    this.request = request;
    this.sink = sink;
  }
}

/** Taps that are open: each is a request to the admin server, and a tap in every worker. */
export class Taps {
  readonly #deps: TapsDeps;
  readonly #sessions = new Map<number, Session>();
  #lastId = 0;

  constructor(deps: TapsDeps) {
    this.#deps = deps;
  }

  /** Why there cannot be such a tap now; null where there can. */
  refusal({ spec }: TapRequest): string | null {
    if (this.#sessions.size >= MOST_TAPS) return `there are ${MOST_TAPS} taps already; end one of them first`;
    const names = (this.#deps.snapshot()?.plugins ?? []).map(({ name }) => name);
    const missing = spec.filters.find(
      (filter) => filter !== '*' && !names.some((name) => name === filter || name.endsWith(`#${filter}`)),
    );
    if (missing === undefined) return null;
    return `no filter is named ${JSON.stringify(missing)}; there are: ${names.join(', ') || 'none'}`;
  }

  /** Records until enough is there, the time is over or the reader is gone. */
  async run(request: TapRequest, sink: TapSink): Promise<void> {
    const session = new Session(++this.#lastId, request, sink);
    const { log } = this.#deps;
    const { filters, path, keepSecrets } = request.spec;
    log.warn({ tap: session.id, filters, path, keepSecrets }, 'a tap begins: requests are recorded');
    this.#sessions.set(session.id, session);
    const stopped = new Promise<void>((resolve) => (session.stop = resolve));
    const ended = new Promise<void>((resolve) => (session.ended = resolve));
    const timer = setTimeout(session.stop, request.limitMs);
    sink.signal.addEventListener('abort', session.stop);
    try {
      session.begins = this.#start(session);
      await session.begins;
      await stopped;
      await this.#end(session, ended);
      const { streams, dropped } = session;
      if (!sink.signal.aborted)
        await sink.write(`${JSON.stringify({ type: 'summary', streams, dropped })}\n`);
    } finally {
      clearTimeout(timer);
      this.#sessions.delete(session.id);
      log.warn({ tap: session.id, streams: session.streams, bytes: session.bytes }, 'a tap has ended');
    }
  }

  /** A worker has come up. */
  up(worker: number): void {
    for (const session of this.#sessions.values()) if (!session.stopping) this.#begin(session, worker);
  }

  gone(worker: number): void {
    for (const session of this.#sessions.values()) this.#left(session, worker);
  }

  receive(worker: number, message: Extract<FromWorker, { type: 'tapped' | 'untapped' }>): void {
    const session = this.#sessions.get(message.id);
    if (session === undefined) return;
    if (message.type === 'untapped') {
      session.streams += message.streams;
      session.dropped += message.dropped;
      this.#left(session, worker);
      return;
    }
    this.#heard(session, worker);
    if (message.lines === '') return;
    session.begun.set(worker, message.streams);
    void this.#pass(session, worker, message.lines);
    const begun = [...session.begun.values()].reduce((sum, streams) => sum + streams, 0);
    if (begun >= session.request.spec.count || session.bytes >= session.request.limitBytes) session.stop();
  }

  #header({ spec }: TapRequest): object {
    return {
      type: 'recording',
      version: RECORDING_VERSION,
      weir: this.#deps.version,
      filters: spec.filters,
      began: new Date().toISOString(),
      secrets: spec.keepSecrets ? 'kept' : 'redacted',
      bodies: spec.bodyBytes === ALL_BODIES ? null : spec.bodyBytes,
    };
  }

  /** Once all workers are ready, so that who has the first line misses nothing that comes after it. */
  async #start(session: Session): Promise<void> {
    const heard = new Promise<void>((resolve) => (session.heard = resolve));
    for (const worker of this.#deps.workers()) {
      session.deaf.add(worker);
      this.#begin(session, worker);
    }
    if (session.deaf.size > 0) await withinLimit(heard, READY_MS);
    await session.sink.write(`${JSON.stringify(this.#header(session.request))}\n`);
  }

  #begin(session: Session, worker: number): void {
    session.open.add(worker);
    this.#deps.send(worker, { type: 'tap', id: session.id, spec: session.request.spec });
  }

  async #pass(session: Session, worker: number, lines: string): Promise<void> {
    const bytes = Buffer.byteLength(lines);
    session.bytes += bytes;
    await session.begins;
    await session.sink.write(lines);
    this.#deps.send(worker, { type: 'tapTaken', id: session.id, bytes });
  }

  async #end(session: Session, ended: Promise<void>): Promise<void> {
    session.stopping = true;
    for (const worker of session.open) this.#deps.send(worker, { type: 'untap', id: session.id });
    if (session.open.size === 0) return;
    await withinLimit(ended, END_MS);
  }

  #heard(session: Session, worker: number): void {
    if (session.deaf.delete(worker) && session.deaf.size === 0) session.heard();
  }

  #left(session: Session, worker: number): void {
    this.#heard(session, worker);
    if (session.open.delete(worker) && session.stopping && session.open.size === 0) session.ended();
  }
}

async function withinLimit(what: Promise<void>, limitMs: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<void>((resolve) => (timer = setTimeout(resolve, limitMs)));
  await Promise.race([what, limit]);
  clearTimeout(timer);
}
