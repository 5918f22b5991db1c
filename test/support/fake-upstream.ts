/**
 * An upstream on a real socket. It records every byte it gets, judges requests strictly, and answers as
 * it is told: by a queue of scripted behaviours, then by its default (a JSON description of the request).
 */
import { createHash } from 'node:crypto';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer, type TlsOptions } from 'node:tls';
import { setTimeout as sleep } from 'node:timers/promises';
import { atEnd } from './cleanup.ts';
import { ByteSource, type Fields, framingOf, readBody, readHead, value, values } from './message.ts';
import { bigBytes } from './raw-client.ts';

/** How one request is answered. Called when its head is there; `request.finish()` waits for its body. */
export type Behaviour = (request: UpstreamRequest, answer: UpstreamAnswer) => void | Promise<void>;

export class UpstreamRequest {
  readonly method: string;
  readonly target: string;
  readonly version: string;
  readonly fields: Fields;
  /** The head's bytes as they came. */
  readonly head: Buffer;
  /** Which connection of this upstream carried it, counted from 0, and as which request of it. */
  readonly connection: number;
  readonly sequence: number;
  /** Unless the upstream was made with `discard`. */
  body: Buffer = Buffer.alloc(0);
  bodyLength = 0;
  sha256 = '';
  trailers: Fields = [];
  /** Whole, as far as the body goes. */
  complete = false;
  /** Why it never became whole. */
  fault: unknown = null;
  readonly #finished: Promise<void>;
  #resume: () => void = () => undefined;
  /** Resolves when somebody wants the body. Until then it is left in the socket. */
  readonly wanted: Promise<void>;

  constructor(
    startLine: string,
    fields: Fields,
    head: Buffer,
    connection: number,
    sequence: number,
    body: (r: UpstreamRequest) => Promise<void>,
  ) {
    const [, method, target, version] = /^(\S+) (\S+) (HTTP\/1\.[01])$/.exec(startLine) ?? [];
    if (method === undefined) throw new Error(`bad request line ${JSON.stringify(startLine)}`);
    this.method = method;
    this.target = target!;
    this.version = version!;
    this.fields = fields;
    this.head = head;
    this.connection = connection;
    this.sequence = sequence;
    this.wanted = new Promise((resolve) => {
      this.#resume = resolve;
    });
    this.#finished = body(this);
    this.#finished.catch(() => undefined);
  }

  header(name: string): string | undefined {
    return value(this.fields, name);
  }

  headers(name: string): string[] {
    return values(this.fields, name);
  }

  /** Reads the body to its end. */
  async finish(): Promise<this> {
    this.#resume();
    await this.#finished;
    return this;
  }

  get text(): string {
    return this.body.toString('utf8');
  }
}

export class UpstreamAnswer {
  readonly socket: Socket;
  /** For behaviours that read something other than the request, after an Upgrade for instance. */
  readonly source: ByteSource;
  readonly request: UpstreamRequest;
  /** Set by a behaviour that took the connection over or ended it. */
  over = false;

  constructor(socket: Socket, source: ByteSource, request: UpstreamRequest) {
    this.socket = socket;
    this.source = source;
    this.request = request;
  }

  /** Waits until the bytes are with the kernel; quietly does nothing on a connection that is gone. */
  raw(bytes: string | Uint8Array): Promise<void> {
    return new Promise((resolve) => {
      if (this.socket.destroyed) {
        resolve();
        return;
      }
      this.socket.write(typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes, () => resolve());
    });
  }

  head(status: number, fields: Fields = []): string {
    return `HTTP/1.1 ${status} ${REASONS[status] ?? 'Status'}\r\n${fields.map(([n, v]) => `${n}: ${v}\r\n`).join('')}\r\n`;
  }

  async send(status: number, fields: Fields = [], body: string | Uint8Array = ''): Promise<void> {
    const bytes = Buffer.from(body as string);
    const bodiless = status === 204 || status === 304 || status < 200;
    const head = this.head(status, bodiless ? fields : [...fields, ['Content-Length', String(bytes.length)]]);
    await this.raw(
      bodiless || this.request.method === 'HEAD' ? head : Buffer.concat([Buffer.from(head, 'latin1'), bytes]),
    );
  }

  /** Each piece becomes a chunk and a write of its own. */
  async chunked(
    status: number,
    fields: Fields,
    pieces: Iterable<string | Uint8Array>,
    trailers: Fields = [],
  ): Promise<void> {
    await this.raw(this.head(status, [...fields, ['Transfer-Encoding', 'chunked']]));
    for (const piece of pieces) {
      const bytes = Buffer.from(piece as string);
      await this.raw(
        Buffer.concat([Buffer.from(`${bytes.length.toString(16)}\r\n`), bytes, Buffer.from('\r\n')]),
      );
    }
    await this.raw(`0\r\n${trailers.map(([n, v]) => `${n}: ${v}\r\n`).join('')}\r\n`);
  }

  /** FIN after what was written. What still comes is thrown away, so that the other side's end is seen. */
  close(): void {
    this.over = true;
    this.socket.end();
    this.socket.removeAllListeners('data');
    this.socket.resume();
  }

  /** RST at once. */
  reset(): void {
    this.over = true;
    reset(this.socket);
  }
}

/** RST, which TLS sockets cannot send: there it is an end without close_notify. */
function reset(socket: Socket): void {
  if ('encrypted' in socket) socket.destroy();
  else socket.resetAndDestroy();
}

const REASONS: Record<number, string> = {
  100: 'Continue',
  101: 'Switching Protocols',
  103: 'Early Hints',
  200: 'OK',
  201: 'Created',
  204: 'No Content',
  206: 'Partial Content',
  301: 'Moved Permanently',
  302: 'Found',
  304: 'Not Modified',
  400: 'Bad Request',
  401: 'Unauthorized',
  404: 'Not Found',
  429: 'Too Many Requests',
  500: 'Internal Server Error',
  502: 'Bad Gateway',
  503: 'Service Unavailable',
  504: 'Gateway Timeout',
};

// ------------------------------------------------------------------ behaviours

/** What the default behaviour answers, for `answer.json<Echo>()`. */
export interface Echo {
  upstream: string;
  method: string;
  target: string;
  headers: Fields;
  bodyLength: number;
  sha256: string;
  connection: number;
  sequence: number;
}

export const echo =
  (name = ''): Behaviour =>
  async (request, answer) => {
    await request.finish();
    const { method, target, fields: headers, bodyLength, sha256, connection, sequence } = request;
    const told: Echo = { upstream: name, method, target, headers, bodyLength, sha256, connection, sequence };
    await answer.send(200, [['Content-Type', 'application/json']], JSON.stringify(told));
  };

export const reply =
  (status: number, fields: Fields = [], body: string | Uint8Array = ''): Behaviour =>
  async (request, answer) => {
    await request.finish();
    await answer.send(status, fields, body);
  };

/** Answers from the head alone; the body is read afterwards, so the connection stays usable. */
export const early =
  (status: number, fields: Fields = [], body = ''): Behaviour =>
  async (_request, answer) =>
    answer.send(status, fields, body);

export const chunkedReply =
  (pieces: (string | Uint8Array)[], trailers: Fields = [], fields: Fields = []): Behaviour =>
  async (request, answer) => {
    await request.finish();
    await answer.chunked(200, fields, pieces, trailers);
  };

/** Bytes as they are, in the given pieces. */
export const rawReply =
  (...pieces: (string | Uint8Array)[]): Behaviour =>
  async (request, answer) => {
    await request.finish();
    for (const piece of pieces) {
      await answer.raw(piece);
      await new Promise((resolve) => setImmediate(resolve));
    }
  };

export const delayed =
  (delayMs: number, then: Behaviour): Behaviour =>
  async (request, answer) => {
    await sleep(delayMs, undefined, { ref: false });
    await then(request, answer);
  };

/** Answers once it is let go. */
export function held(then: Behaviour): { readonly behaviour: Behaviour; readonly release: () => void } {
  let release = (): void => undefined;
  const released = new Promise<void>((resolve) => {
    release = resolve;
  });
  const behaviour: Behaviour = async (request, answer) => {
    await released;
    await then(request, answer);
  };
  return { behaviour, release };
}

/** Never answers. Ends when the other side does. */
export const hang = (): Behaviour => (_request, answer) =>
  new Promise((resolve) => {
    answer.socket.once('close', () => resolve());
  });

/** Sends the first `count` bytes of an answer, then RST (or FIN). */
export const cutAfter =
  (count: number, answerBytes: string | Uint8Array, how: 'reset' | 'close' = 'reset'): Behaviour =>
  async (request, answer) => {
    await request.finish();
    await answer.raw(Buffer.from(answerBytes as string).subarray(0, count));
    if (how === 'close') {
      answer.close();
      return;
    }
    // RST overtakes bytes that the reader has not taken yet; give it the time to take them.
    await sleep(count === 0 ? 0 : 20);
    answer.reset();
  };

/** RST as soon as `count` bytes of the request (its head included) have come. */
export const resetOnRequest = (): Behaviour => (_request, answer) => answer.reset();

/** A body of `total` bytes from a seed (`bigHash` knows its SHA-256), with back pressure. */
export const big =
  (total: number, options: { seed?: number; chunked?: boolean } = {}): Behaviour =>
  async (request, answer) => {
    await request.finish();
    if (options.chunked === true) {
      await answer.chunked(200, [], bigBytes(total, options.seed));
      return;
    }
    await answer.raw(answer.head(200, [['Content-Length', String(total)]]));
    for (const piece of bigBytes(total, options.seed)) {
      if (answer.socket.destroyed) return;
      await answer.raw(piece);
    }
  };

/** Accepts an Upgrade and then sends back whatever comes, until the other side ends. */
export const upgradeEcho =
  (protocol = 'websocket', fields: Fields = []): Behaviour =>
  async (_request, answer) => {
    answer.over = true;
    await answer.raw(answer.head(101, [['Connection', 'Upgrade'], ['Upgrade', protocol], ...fields]));
    for (let data = await answer.source.some(); data !== null; data = await answer.source.some())
      await answer.raw(data);
    answer.socket.end();
  };

// -------------------------------------------------------------------- upstream

export interface UpstreamOptions {
  /** Told in the echo. */
  readonly name?: string;
  readonly port?: number;
  readonly host?: string;
  /** Instead of the echo. */
  readonly behaviour?: Behaviour;
  readonly tls?: TlsOptions;
  /** Keep no bodies and no raw bytes, only lengths and hashes. For load and for big bodies. */
  readonly discard?: boolean;
}

export class FakeUpstream {
  readonly name: string;
  port = 0;
  /** In the order in which their heads came. */
  readonly requests: UpstreamRequest[] = [];
  /** Every byte that came, per connection. */
  readonly received: Buffer[][] = [];
  /** Requests counted; goes on with `discard`, where `requests` stays empty. */
  total = 0;
  behaviour: Behaviour;
  readonly #script: Behaviour[] = [];
  readonly #sockets = new Set<Socket>();
  readonly #server: Server;
  readonly #discard: boolean;
  readonly #waiters: { count: number; resolve: () => void }[] = [];

  private constructor(options: UpstreamOptions) {
    this.name = options.name ?? '';
    this.behaviour = options.behaviour ?? echo(this.name);
    this.#discard = options.discard ?? false;
    const serve = (socket: Socket): void => void this.#serve(socket);
    this.#server = options.tls
      ? createTlsServer(options.tls, serve)
      : createServer({ allowHalfOpen: true, noDelay: true }, serve);
  }

  static async start(options: UpstreamOptions = {}): Promise<FakeUpstream> {
    const upstream = new FakeUpstream(options);
    await upstream.listen(options.port, options.host);
    atEnd(() => upstream.stop());
    return upstream;
  }

  /** Listens; again after `stop`, on the same port. */
  async listen(port = this.port, host = '127.0.0.1'): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(port, host, () => {
        this.#server.off('error', reject);
        resolve();
      });
    });
    this.port = (this.#server.address() as AddressInfo).port;
  }

  /** Stops listening and resets what is open. */
  async stop(): Promise<void> {
    for (const socket of this.#sockets) reset(socket);
    if (!this.#server.listening) return;
    await new Promise<void>((resolve) => {
      this.#server.close(() => resolve());
    });
  }

  /** The next requests get these, one each; after them the default again. */
  script(...behaviours: Behaviour[]): this {
    this.#script.push(...behaviours);
    return this;
  }

  get connections(): number {
    return this.#sockets.size;
  }

  /** Ends every connection that is open: FIN, as an upstream does with idle ones. */
  closeConnections(how: 'close' | 'reset' = 'close'): void {
    for (const socket of this.#sockets) {
      if (how === 'close') socket.end();
      else reset(socket);
    }
  }

  /** Resolves once `count` requests in total have come. */
  async waitForRequests(count: number, timeoutMs = 10_000): Promise<void> {
    if (this.total >= count) return;
    let timer: NodeJS.Timeout | undefined;
    await new Promise<void>((resolve, reject) => {
      this.#waiters.push({ count, resolve });
      timer = setTimeout(
        () => reject(new Error(`${this.total} of ${count} requests came within ${timeoutMs} ms`)),
        timeoutMs,
      );
    }).finally(() => clearTimeout(timer));
  }

  async #serve(socket: Socket): Promise<void> {
    const connection = this.received.length;
    const bytes: Buffer[] = [];
    this.received.push(bytes);
    this.#sockets.add(socket);
    socket.on('close', () => this.#sockets.delete(socket));
    const source = new ByteSource(
      socket,
      this.#discard ? undefined : (piece) => bytes.push(Buffer.from(piece)),
    );
    try {
      for (let sequence = 0; ; sequence++) {
        const over = await this.#one(socket, source, connection, sequence);
        if (over) return;
      }
    } catch {
      // A fault of the other side, or its end, is in the request's record; the connection ends here.
      if (!socket.destroyed) socket.end();
    }
  }

  async #one(socket: Socket, source: ByteSource, connection: number, sequence: number): Promise<boolean> {
    const head = await readHead(source);
    if (head === null) {
      socket.end();
      return true;
    }
    const request = new UpstreamRequest(head.startLine, head.fields, head.bytes, connection, sequence, (r) =>
      this.#body(r, source),
    );
    this.total += 1;
    if (!this.#discard) this.requests.push(request);
    for (const waiter of this.#waiters) if (this.total >= waiter.count) waiter.resolve();

    const answer = new UpstreamAnswer(socket, source, request);
    await (this.#script.shift() ?? this.behaviour)(request, answer);
    if (answer.over) return true;
    await request.finish();
    const close = request.headers('connection').join(',').toLowerCase().includes('close');
    if (close) socket.end();
    return close;
  }

  async #body(request: UpstreamRequest, source: ByteSource): Promise<void> {
    await request.wanted;
    const kept: Buffer[] = [];
    const hash = createHash('sha256');
    try {
      request.trailers = await readBody(source, framingOf(request.fields, 'request'), (data) => {
        hash.update(data);
        request.bodyLength += data.length;
        if (!this.#discard) kept.push(data);
      });
      request.complete = true;
    } catch (fault) {
      request.fault = fault;
      throw fault;
    } finally {
      request.body = Buffer.concat(kept);
      request.sha256 = hash.digest('hex');
    }
  }
}
