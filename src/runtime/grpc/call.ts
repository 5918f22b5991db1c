import { constants, type ClientHttp2Stream } from 'node:http2';
import type { Cluster, Endpoint } from '../cluster.ts';
import { MessageKind } from '../http/headers.ts';
import { Timer, type TimerWheel } from '../timer-wheel.ts';
import { frameOf, MESSAGE_BYTES, MessageFault, MessageReader } from './message.ts';
import { blockOf, requestHeaders } from './metadata.ts';
import type { GrpcSession, SessionUser } from './session.ts';
import type { EndpointSessions } from './sessions.ts';
import { GrpcStatus, readMessage, readStatus, statusOfHttp, statusOfReset } from './status.ts';
import type { GrpcExchange, GrpcRequest, GrpcSink } from './transport.ts';

/** Tries of a call: another one only where the server cannot have looked at the first. */
const TRIES = 2;
/** Messages that are kept for another try. */
const REPLAY_BYTES = 64 * 1024;
/** What may wait to be sent: two of the largest messages. */
const UNSENT_BYTES = 2 * MESSAGE_BYTES;

/** What calls share. */
export interface CallDeps {
  readonly wheel: TimerWheel;
  sessionsOf(endpoint: Endpoint): EndpointSessions;
  callOver(call: GrpcCall): void;
}

/** One gRPC call over HTTP/2, from the choice of an endpoint to its status. */
export class GrpcCall implements GrpcExchange, SessionUser {
  readonly #deps: CallDeps;
  readonly #cluster: Cluster;
  readonly #request: GrpcRequest;
  readonly #sink: GrpcSink;
  readonly #reader = new MessageReader();
  readonly #deadline: Timer;
  readonly #idle: Timer;
  #until = 0;
  #endpoint: Endpoint | null = null;
  #session: GrpcSession | null = null;
  #stream: ClientHttp2Stream | null = null;
  #tries = 0;
  #admitted = false;
  /** Frames from the first on, as long as another try may need them; null: some are gone. */
  #kept: Buffer[] | null = [];
  #keptBytes = 0;
  #ended = false;
  /** The server has sent something of its answer. */
  #answered = false;
  #unprocessed = false;
  #trailers: readonly string[] | null = null;
  #readAll = false;
  #over = false;

  constructor(deps: CallDeps, cluster: Cluster, request: GrpcRequest, sink: GrpcSink) {
    this.#deps = deps;
    this.#cluster = cluster;
    this.#request = request;
    this.#sink = sink;
    this.#deadline = new Timer(() => this.#onDeadline());
    this.#idle = new Timer(() => this.#fail(GrpcStatus.DeadlineExceeded, 'no message for too long'));
  }

  get streamId(): number {
    return this.#stream?.id ?? 0;
  }

  start(): void {
    if (this.#over) return;
    const { timeoutMs, idleMs } = this.#request;
    const { wheel } = this.#deps;
    if (timeoutMs > 0) {
      this.#until = wheel.refresh() + timeoutMs;
      wheel.add(this.#deadline, timeoutMs);
    }
    if (idleMs > 0) wheel.add(this.#idle, idleMs);
    this.#admitted = this.#cluster.admit();
    if (this.#admitted) this.#try(null);
    else this.#fail(GrpcStatus.Unavailable, 'as many requests as may be are under way');
  }

  send(message: Uint8Array): boolean {
    if (this.#over || this.#ended || message.length > MESSAGE_BYTES) return false;
    const frame = frameOf(message);
    const unsent = this.#stream === null ? this.#keptBytes : this.#stream.writableLength;
    if (unsent + frame.length > UNSENT_BYTES) return false;
    this.#progress();
    if (this.#kept !== null) {
      this.#kept.push(frame);
      this.#keptBytes += frame.length;
    }
    if (this.#stream === null) return true;
    if (this.#keptBytes > REPLAY_BYTES) this.#kept = null;
    this.#stream.write(frame);
    return true;
  }

  end(): void {
    if (this.#over || this.#ended) return;
    this.#ended = true;
    this.#stream?.end();
  }

  cancel(): void {
    if (!this.#over) this.#finish();
  }

  // ── The connection ────────────────────────────────────────────────────────────────────────────

  #try(avoid: Endpoint | null): void {
    this.#tries++;
    const endpoint = this.#cluster.pick(avoid);
    if (endpoint === null) {
      this.#fail(GrpcStatus.Unavailable, 'the upstream has no endpoint');
      return;
    }
    const session = this.#deps.sessionsOf(endpoint).acquire();
    if (session === null) {
      this.#fail(GrpcStatus.Unavailable, 'as many connections as may be are in use');
      return;
    }
    this.#endpoint = endpoint;
    endpoint.active++;
    this.#session = session;
    session.add(this);
  }

  onSession(session: GrpcSession): void {
    if (this.#over || session !== this.#session) return;
    const { path, authority, metadata, timeoutMs } = this.#request;
    const left = timeoutMs === 0 ? 0 : Math.max(1, this.#until - this.#deps.wheel.now);
    const host = authority === '' ? authorityOf(this.#cluster) : authority;
    const stream = session.request(requestHeaders(path, host, session.secure, left, metadata));
    if (stream === null) {
      this.#again('the connection takes no more requests');
      return;
    }
    this.#stream = stream;
    stream.on('response', (_headers: unknown, flags: number, raw: readonly string[]) =>
      this.#onHead(stream, flags, raw),
    );
    stream.on('trailers', (_headers: unknown, _flags: number, raw: readonly string[]) =>
      this.#onTrailers(stream, raw),
    );
    stream.on('end', () => this.#onEnd(stream));
    // A reset by the server has its code; anything else is an error of the whole connection.
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'ERR_HTTP2_STREAM_ERROR') session.reason ||= error.message;
    });
    stream.on('close', () => this.#onClose(stream));
    for (const frame of this.#kept!) stream.write(frame);
    if (this.#keptBytes > REPLAY_BYTES) this.#kept = null;
    if (this.#ended) stream.end();
  }

  onNoSession(reason: string): void {
    this.#again(reason);
  }

  onUnprocessed(): void {
    this.#unprocessed = true;
  }

  /** The server has not seen the call: tries once more, elsewhere if there is another endpoint. */
  #again(reason: string): void {
    if (this.#over) return;
    const endpoint = this.#endpoint;
    this.#detach();
    if (this.#tries >= TRIES || this.#kept === null || this.#answered) {
      this.#fail(GrpcStatus.Unavailable, reason);
      return;
    }
    this.#unprocessed = false;
    this.#try(endpoint);
  }

  // ── What the server sends ─────────────────────────────────────────────────────────────────────

  #onHead(stream: ClientHttp2Stream, flags: number, raw: readonly string[]): void {
    if (stream !== this.#stream) return;
    this.#answered = true;
    this.#kept = null;
    this.#progress();
    const head = blockOf(raw, MessageKind.Response);
    const status = Number(head.valueText(0));
    const alone = (flags & constants.NGHTTP2_FLAG_END_STREAM) !== 0;
    const isGrpc = head.get('content-type')?.startsWith('application/grpc') === true;
    if (alone && head.get('grpc-status') !== undefined) {
      // Trailers-Only: the head is where the status stands.
      this.#sink.onInitialMetadata(blockOf([], MessageKind.Trailers));
      this.#complete(raw);
    } else if (status !== 200) {
      this.#fail(statusOfHttp(status), `the upstream answered HTTP status ${status}`);
    } else if (!isGrpc) {
      this.#fail(GrpcStatus.Unknown, 'the upstream answered with another content type than application/grpc');
    } else if (alone) {
      this.#fail(GrpcStatus.Unknown, NO_STATUS);
    } else {
      this.#sink.onInitialMetadata(head);
      // Only now: until somebody listens the bytes stay where they are.
      if (!this.#over) stream.on('data', (bytes: Buffer) => this.#onData(stream, bytes));
    }
  }

  #onData(stream: ClientHttp2Stream, bytes: Buffer): void {
    const reader = this.#reader;
    let at = 0;
    while (at < bytes.length && stream === this.#stream) {
      at = reader.read(bytes, at);
      if (reader.fault !== MessageFault.None) {
        this.#failMessage();
        return;
      }
      if (reader.message === null) continue;
      this.#progress();
      this.#sink.onMessage(reader.message);
    }
  }

  #failMessage(): void {
    const { fault } = this.#reader;
    if (fault === MessageFault.TooLarge)
      this.#fail(GrpcStatus.ResourceExhausted, `a message has more than ${MESSAGE_BYTES} bytes`);
    else if (fault === MessageFault.Compressed)
      this.#fail(GrpcStatus.Internal, 'a message is compressed, which this client did not offer');
    else this.#fail(GrpcStatus.Internal, 'a message has a flag that gRPC does not know');
  }

  #onTrailers(stream: ClientHttp2Stream, raw: readonly string[]): void {
    if (stream !== this.#stream) return;
    this.#trailers = raw;
    if (this.#readAll) this.#complete(raw);
  }

  /** All bytes of the answer were read. Trailers come as an event of their own, before or after. */
  #onEnd(stream: ClientHttp2Stream): void {
    if (stream !== this.#stream) return;
    this.#readAll = true;
    if (this.#trailers !== null) this.#complete(this.#trailers);
    else setImmediate(() => this.#endWithoutStatus(stream));
  }

  #endWithoutStatus(stream: ClientHttp2Stream): void {
    if (stream !== this.#stream || this.#over) return;
    // A reset ends the readable side as well: its own event says what it means.
    if (stream.rstCode === constants.NGHTTP2_NO_ERROR && !stream.aborted && !stream.destroyed)
      this.#fail(GrpcStatus.Unknown, NO_STATUS);
  }

  #complete(trailers: readonly string[]): void {
    if (this.#over) return;
    if (this.#reader.partial) {
      this.#fail(GrpcStatus.Internal, 'the last message is cut off');
      return;
    }
    const block = blockOf(trailers, MessageKind.Trailers);
    const text = block.get('grpc-status');
    const status = readStatus(text);
    const message = text === undefined ? NO_STATUS : readMessage(block.get('grpc-message'));
    this.#finish();
    this.#sink.onTrailingMetadata(block);
    this.#sink.onClose(status, message);
  }

  #onClose(stream: ClientHttp2Stream): void {
    if (stream !== this.#stream || this.#over) return;
    if (this.#trailers !== null) {
      this.#complete(this.#trailers);
      return;
    }
    const code = stream.rstCode ?? constants.NGHTTP2_NO_ERROR;
    const session = this.#session!;
    const refused = code === constants.NGHTTP2_REFUSED_STREAM;
    if (refused || this.#unprocessed || stream.id === undefined) {
      this.#again(
        refused ? 'the upstream refused the call' : session.reason || 'the upstream takes no more calls',
      );
    } else if (session.lost) this.#fail(GrpcStatus.Unavailable, session.reason || 'the connection broke');
    else if (code === constants.NGHTTP2_NO_ERROR) this.#fail(GrpcStatus.Unknown, NO_STATUS);
    else this.#fail(statusOfReset(code), `the upstream reset the call with error ${code}`);
  }

  // ── The end ───────────────────────────────────────────────────────────────────────────────────

  #progress(): void {
    const { idleMs } = this.#request;
    if (idleMs > 0 && this.#idle.armed) this.#deps.wheel.extend(this.#idle, idleMs);
  }

  #onDeadline(): void {
    if (!this.#answered) this.#session?.probe();
    this.#fail(GrpcStatus.DeadlineExceeded, 'deadline exceeded');
  }

  #fail(status: GrpcStatus, message: string): void {
    if (this.#over) return;
    this.#finish();
    this.#sink.onClose(status, message);
  }

  #finish(): void {
    this.#over = true;
    const { wheel } = this.#deps;
    wheel.cancel(this.#deadline);
    wheel.cancel(this.#idle);
    this.#detach();
    this.#kept = null;
    if (this.#admitted) this.#cluster.finish();
    this.#deps.callOver(this);
  }

  /** Lets go of stream and session; a stream that is not over is reset. */
  #detach(): void {
    const stream = this.#stream;
    this.#stream = null;
    if (stream !== null && !stream.closed) stream.close(constants.NGHTTP2_CANCEL);
    if (this.#endpoint !== null) this.#endpoint.active--;
    this.#endpoint = null;
    this.#session?.remove(this);
    this.#session = null;
  }
}

const NO_STATUS = 'the upstream ended the call without a status';

/** As Envoy: the cluster's name, without what is of weir's own in it; with TLS the name of the certificate. */
function authorityOf(cluster: Cluster): string {
  const { tls, name } = cluster.spec;
  return tls === null || tls.serverName === '' ? name.slice(name.indexOf('/') + 1) : tls.serverName;
}
