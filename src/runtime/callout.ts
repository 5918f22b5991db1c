import { Attempt, type AttemptOwner } from './attempt.ts';
import type { Cluster } from './cluster.ts';
import { BodyBuffer } from './http/body.ts';
import { HeaderBlock } from './http/headers.ts';
import { MethodId, methodId } from './http/method.ts';
import { Framing } from './http/parse.ts';
import { Failure } from './retry.ts';
import { out } from './socket-io.ts';
import { Timer, type TimerWheel } from './timer-wheel.ts';
import type { CalloutSink, CalloutTransport } from './wasm/callouts.ts';

/** Largest answer that a filter is given whole. */
const MAX_ANSWER_BYTES = 4 * 1024 * 1024;

/** Requests that filters make to clusters, on the same pools as requests of clients. */
export class Callouts implements CalloutTransport {
  readonly #wheel: TimerWheel;
  readonly #clusterOf: (id: number) => Cluster | undefined;
  readonly #running = new Map<number, Callout>();
  #lastToken = 0;

  constructor(wheel: TimerWheel, clusterOf: (id: number) => Cluster | undefined) {
    this.#wheel = wheel;
    this.#clusterOf = clusterOf;
  }

  httpCall(
    clusterId: number,
    head: HeaderBlock,
    body: Uint8Array,
    _trailers: HeaderBlock | null,
    timeoutMs: number,
    sink: CalloutSink,
  ): number {
    const cluster = this.#clusterOf(clusterId);
    if (cluster === undefined) return 0;
    const token = ++this.#lastToken;
    const callout = new Callout(token, head, body, sink, this.#wheel, () => this.#running.delete(token));
    this.#running.set(token, callout);
    // Not from within the callback that asked: no guest is called while it runs.
    setImmediate(() => {
      callout.start(cluster, timeoutMs);
      out.flush();
    });
    return token;
  }

  cancel(token: number): void {
    this.#running.get(token)?.cancel();
  }
}

/** One request of a filter; its answer is gathered whole. */
class Callout implements AttemptOwner {
  readonly request = new HeaderBlock();
  readonly answer = new HeaderBlock();
  readonly method: MethodId;
  readonly answerBlocked = false;
  readonly #token: number;
  readonly #body: Uint8Array;
  readonly #sink: CalloutSink;
  readonly #attempt: Attempt;
  readonly #wheel: TimerWheel;
  readonly #timer: Timer;
  readonly #onOver: () => void;
  readonly #received = new BodyBuffer();
  #cluster: Cluster | null = null;
  #over = false;
  #headSeen = false;

  constructor(
    token: number,
    head: HeaderBlock,
    body: Uint8Array,
    sink: CalloutSink,
    wheel: TimerWheel,
    onOver: () => void,
  ) {
    this.request.copyFrom(head);
    this.method = methodId(head.bytes, head.spans[2]!, head.spans[3]!);
    this.#token = token;
    this.#body = body;
    this.#sink = sink;
    this.#wheel = wheel;
    this.#onOver = onOver;
    this.#attempt = new Attempt(this, wheel);
    this.#timer = new Timer(() => {
      this.#fail('timeout');
      out.flush();
    });
  }

  start(cluster: Cluster, timeoutMs: number): void {
    if (this.#over) return;
    const endpoint = cluster.pick(null);
    if (endpoint === null || !cluster.admit()) {
      this.#fail('unavailable');
      return;
    }
    this.#cluster = cluster;
    this.#wheel.add(this.#timer, timeoutMs);
    this.#attempt.start(cluster, endpoint, 0, false);
  }

  cancel(): void {
    this.#end();
  }

  attemptReady(): void {
    const { length } = this.#body;
    this.#attempt.writeHead(length > 0 ? Framing.Length : Framing.None, length, null);
    this.#attempt.writeData(this.#body, 0, length);
    this.#attempt.writeEnd();
  }

  interimAnswer(): void {
    // Hints are for clients that show pages.
  }

  answerHead(_status: number, _framing: Framing, _length: number, ended: boolean): void {
    this.#headSeen = true;
    if (ended) this.#deliver(null);
  }

  answerData(bytes: Buffer, start: number, end: number, ended: boolean): void {
    this.#received.append(bytes, start, end);
    if (this.#received.length > MAX_ANSWER_BYTES) this.#fail('reset');
    else if (ended) this.#deliver(null);
  }

  answerTrailers(trailers: HeaderBlock): void {
    this.#deliver(trailers);
  }

  attemptFailed(failure: Failure): void {
    const waited = failure === Failure.ConnectTimeout || failure === Failure.PerTryTimeout;
    const cut = failure === Failure.ResetBeforeHeaders ? 'no answer' : 'unavailable';
    this.#fail(waited ? 'timeout' : this.#headSeen ? 'reset' : cut);
  }

  downstreamBlocked(): void {
    // The answer is taken whole.
  }

  upstreamDrained(): void {
    // The body was handed over whole.
  }

  tunnelData(): void {
    // No callout asks for an upgrade.
  }

  tunnelEnded(): void {
    // As above.
  }

  #deliver(trailers: HeaderBlock | null): void {
    if (this.#over) return;
    this.#end();
    this.#sink.onResponse(this.#token, this.answer, this.#received.view(), trailers);
  }

  #fail(reason: string): void {
    if (this.#over) return;
    this.#end();
    this.#sink.onFailure(this.#token, reason);
  }

  #end(): void {
    if (this.#over) return;
    this.#over = true;
    this.#wheel.cancel(this.#timer);
    this.#attempt.cancel();
    this.#cluster?.finish();
    this.#onOver();
  }
}
