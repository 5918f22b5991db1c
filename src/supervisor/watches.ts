import type { Logger } from 'pino';
import type { WatchSink } from '../control/watch-sink.ts';
import type { FromWorker, ToWorker } from '../worker/protocol.ts';
import type { Watch } from './watch.ts';

export interface WatchesDeps {
  readonly log: Logger;
  /** Ids of the workers that there are. */
  workers(): readonly number[];
  send(worker: number, message: ToWorker): void;
}

const MOST = 4;
/** Workers end one when its last streams are over, or ten seconds later. */
const END_MS = 15_000;
/** A worker that says nothing within this time is not waited for. */
const READY_MS = 5000;

/** One watch over all workers. */
class Session {
  readonly open = new Set<number>();
  streams = 0;
  /** Messages with lines that were passed on. */
  passed = 0;
  dropped = 0;
  /** Begun, as the workers told it last, by worker. */
  readonly begun = new Map<number, number>();
  bytes = 0;
  /** Workers that have not said yet that they choose streams. */
  readonly deaf = new Set<number>();
  heard: () => void = () => undefined;
  /** The first line is written: that is when the reader may rely on it. */
  begins: Promise<void> = Promise.resolve();
  stopping = false;
  stop: () => void = () => undefined;
  ended: () => void = () => undefined;

  readonly id: number;
  readonly watch: Watch;
  readonly sink: WatchSink;

  constructor(id: number, watch: Watch, sink: WatchSink) {
    this.id = id;
    this.watch = watch;
    this.sink = sink;
  }
}

/** Taps and explanations that are open: each is a request to the admin server, and a session in every worker. */
export class Watches {
  readonly #deps: WatchesDeps;
  readonly #sessions = new Map<number, Session>();
  #lastId = 0;

  constructor(deps: WatchesDeps) {
    this.#deps = deps;
  }

  /** Why there cannot be another now; null where there can. */
  refusal(): string | null {
    if (this.#sessions.size < MOST) return null;
    return `there are ${MOST} taps and explanations already; end one of them first`;
  }

  /** Goes on until enough is there, the time is over or the reader is gone. */
  async run(watch: Watch, sink: WatchSink): Promise<void> {
    const session = new Session(++this.#lastId, watch, sink);
    const { log } = this.#deps;
    log.warn({ watch: session.id, ...watch.about }, `${watch.title} begins`);
    this.#sessions.set(session.id, session);
    const stopped = new Promise<void>((resolve) => (session.stop = resolve));
    const ended = new Promise<void>((resolve) => (session.ended = resolve));
    const timer = setTimeout(session.stop, watch.limitMs);
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
      log.warn(
        { watch: session.id, streams: session.streams, bytes: session.bytes },
        `${watch.title} has ended`,
      );
    }
  }

  /** A worker has come up. */
  up(worker: number): void {
    for (const session of this.#sessions.values()) if (!session.stopping) this.#begin(session, worker);
  }

  gone(worker: number): void {
    for (const session of this.#sessions.values()) this.#left(session, worker);
  }

  receive(worker: number, message: Extract<FromWorker, { type: 'watched' | 'unwatched' }>): void {
    const session = this.#sessions.get(message.id);
    if (session === undefined) return;
    if (message.type === 'unwatched') {
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
    if (begun >= session.watch.count || session.bytes >= session.watch.limitBytes) session.stop();
  }

  /** Once all workers are ready, so that who has the first line misses nothing that comes after it. */
  async #start(session: Session): Promise<void> {
    const heard = new Promise<void>((resolve) => (session.heard = resolve));
    for (const worker of this.#deps.workers()) {
      session.deaf.add(worker);
      this.#begin(session, worker);
    }
    if (session.deaf.size > 0) await withinLimit(heard, READY_MS);
    await session.sink.write(`${JSON.stringify(session.watch.firstLine(session.id))}\n`);
  }

  #begin(session: Session, worker: number): void {
    session.open.add(worker);
    this.#deps.send(worker, session.watch.message(session.id));
  }

  async #pass(session: Session, worker: number, lines: string): Promise<void> {
    // Workers count for themselves.
    if (session.passed >= session.watch.mostMessages) return;
    const bytes = Buffer.byteLength(lines);
    session.bytes += bytes;
    session.passed++;
    await session.begins;
    await session.sink.write(lines);
    this.#deps.send(worker, { type: 'watchTaken', id: session.id, bytes });
  }

  async #end(session: Session, ended: Promise<void>): Promise<void> {
    session.stopping = true;
    for (const worker of session.open) this.#deps.send(worker, { type: 'unwatch', id: session.id });
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
