/**
 * An HTTP/1.1 client on a bare socket: sends exactly the bytes a test gives it, in the pieces it gives
 * them, and reads answers strictly. A client library would correct what a test wants to send wrong.
 */
import { createHash } from 'node:crypto';
import { connect, type Socket } from 'node:net';
import { connect as connectTls, type ConnectionOptions, type TLSSocket } from 'node:tls';
import { atEnd } from './cleanup.ts';
import {
  ByteSource,
  ClosedError,
  type Fields,
  framingOf,
  MessageError,
  readBody,
  readHead,
  value,
  values,
} from './message.ts';

export interface ClientOptions {
  readonly port: number;
  /** Default 127.0.0.1. */
  readonly host?: string;
  /** To come from, where it matters. */
  readonly localAddress?: string;
  /** Switches TLS on. */
  readonly tls?: ConnectionOptions;
  /** For every read and wait of this client. Default 10 s. */
  readonly timeoutMs?: number;
}

export interface ReadOptions {
  /** The request's method; answers to HEAD and CONNECT are framed differently. Default GET. */
  readonly method?: string;
  /** Sees the body as it arrives. */
  readonly onData?: (data: Buffer) => void;
  /** Keep no body, only its length and hash. For big ones. */
  readonly discard?: boolean;
  readonly timeoutMs?: number;
}

export interface Interim {
  readonly status: number;
  readonly fields: Fields;
}

/** An answer, read to its end. */
export class Answer {
  readonly version: string;
  readonly status: number;
  readonly reason: string;
  readonly fields: Fields;
  /** 1xx answers that came before. */
  readonly interim: Interim[];
  /** The head's bytes as they came. */
  readonly head: Buffer;
  readonly framing: 'none' | 'length' | 'chunked' | 'until-close';
  body: Buffer = Buffer.alloc(0);
  bodyLength = 0;
  /** Of the body, hex. */
  sha256 = '';
  trailers: Fields = [];

  constructor(startLine: string, fields: Fields, head: Buffer, interim: Interim[], method: string) {
    const [, version, status, reason] = /^(HTTP\/1\.[01]) ([1-5]\d\d) ?(.*)$/.exec(startLine) ?? [];
    if (version === undefined) throw new MessageError(`bad status line ${JSON.stringify(startLine)}`);
    this.version = version;
    this.status = Number(status);
    this.reason = reason!;
    this.fields = fields;
    this.head = head;
    this.interim = interim;
    this.framing = framingOf(fields, 'answer', this.isBodiless(method)).type;
  }

  isBodiless(method: string): boolean {
    const { status } = this;
    if (method === 'HEAD' || status < 200 || status === 204 || status === 304) return true;
    return method === 'CONNECT' && status < 300;
  }

  /** The only value of a field. */
  header(name: string): string | undefined {
    return value(this.fields, name);
  }

  headers(name: string): string[] {
    return values(this.fields, name);
  }

  get text(): string {
    return this.body.toString('utf8');
  }

  json<T = unknown>(): T {
    return JSON.parse(this.text) as T;
  }

  /** Whether the connection may carry another request after this answer. */
  get keepAlive(): boolean {
    const connection = this.headers('connection').join(',').toLowerCase();
    if (this.framing === 'until-close' || connection.includes('close')) return false;
    return this.version === 'HTTP/1.1' || connection.includes('keep-alive');
  }
}

export class RawClient {
  readonly socket: Socket;
  /** For tests that read something other than HTTP, after an Upgrade for instance. */
  readonly source: ByteSource;
  readonly #timeoutMs: number;
  readonly #forget: () => void;

  private constructor(socket: Socket, timeoutMs: number) {
    this.socket = socket;
    this.source = new ByteSource(socket);
    this.#timeoutMs = timeoutMs;
    this.#forget = atEnd(() => {
      socket.destroy();
    });
    socket.once('close', () => this.#forget());
  }

  static async connect(options: ClientOptions): Promise<RawClient> {
    const from = options.localAddress === undefined ? {} : { localAddress: options.localAddress };
    const at = { port: options.port, host: options.host ?? '127.0.0.1', ...from };
    const socket = options.tls
      ? connectTls({ ...options.tls, ...at })
      : connect({ ...at, allowHalfOpen: true });
    const client = new RawClient(socket, options.timeoutMs ?? 10_000);
    const opened = new Promise<void>((resolve, reject) => {
      socket.once(options.tls ? 'secureConnect' : 'connect', () => resolve());
      socket.once('error', reject);
    });
    await client.#within(opened, `connecting to ${at.host}:${at.port}`);
    socket.setNoDelay(true);
    return client;
  }

  /** The TLS side of the connection. */
  get tls(): TLSSocket {
    return this.socket as TLSSocket;
  }

  /** Sends the pieces one after the other, each in a write (and, as far as the kernel lets us, a segment) of its own. */
  async send(...pieces: (string | Uint8Array)[]): Promise<void> {
    for (const [i, piece] of pieces.entries()) {
      if (i > 0) await new Promise((resolve) => setImmediate(resolve));
      await this.#write(typeof piece === 'string' ? Buffer.from(piece, 'latin1') : piece);
    }
  }

  /** Sends in pieces of `size` bytes. */
  async sendInPieces(bytes: string | Uint8Array, size = 1): Promise<void> {
    const all = typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : Buffer.from(bytes);
    for (let at = 0; at < all.length; at += size) await this.send(all.subarray(at, at + size));
  }

  /** Sends `total` bytes made from a seed (see `bigBytes`) with back pressure; returns their SHA-256. */
  async sendBig(total: number, seed = 1): Promise<string> {
    const hash = createHash('sha256');
    for (const piece of bigBytes(total, seed)) {
      hash.update(piece);
      await this.#write(piece);
    }
    return hash.digest('hex');
  }

  #write(bytes: Uint8Array): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.socket.destroyed) {
        reject(new ClosedError('the connection is closed', true));
        return;
      }
      this.socket.write(bytes, (fault) => (fault ? reject(fault) : resolve()));
    });
  }

  /** The next answer, whole. Throws ClosedError where the connection ended first, MessageError on bad bytes. */
  async read(options: ReadOptions = {}): Promise<Answer> {
    return this.#within(this.#read(options), 'reading an answer', options.timeoutMs);
  }

  async #read(options: ReadOptions): Promise<Answer> {
    const method = options.method ?? 'GET';
    const interim: Interim[] = [];
    for (;;) {
      const head = await readHead(this.source);
      if (head === null) throw new ClosedError('closed before an answer', false);
      const answer = new Answer(head.startLine, head.fields, head.bytes, interim, method);
      if (answer.status < 200 && answer.status !== 101) {
        interim.push({ status: answer.status, fields: answer.fields });
        continue;
      }
      const kept: Buffer[] = [];
      const hash = createHash('sha256');
      const framing = framingOf(answer.fields, 'answer', answer.isBodiless(method));
      answer.trailers = await readBody(this.source, framing, (data) => {
        hash.update(data);
        answer.bodyLength += data.length;
        options.onData?.(data);
        if (options.discard !== true) kept.push(data);
      });
      answer.body = Buffer.concat(kept);
      answer.sha256 = hash.digest('hex');
      return answer;
    }
  }

  /** Sends a request, whole, and reads its answer. */
  async exchange(request: string | Uint8Array, options: ReadOptions = {}): Promise<Answer> {
    const method = /^[A-Z]+/.exec(Buffer.from(request).toString('latin1', 0, 16))?.[0] ?? 'GET';
    await this.send(request);
    return this.read({ method, ...options });
  }

  /** Half-closes: nothing more is sent, answers may still be read. */
  end(): void {
    this.socket.end();
  }

  /** Sends RST. TLS sockets cannot: there it is an end without close_notify. */
  reset(): void {
    if ('encrypted' in this.socket) this.socket.destroy();
    else this.socket.resetAndDestroy();
  }

  close(): void {
    this.socket.destroy();
  }

  /** Waits until the other side closed; bytes that it sent before are an error of the test's subject. */
  async closed(timeoutMs?: number): Promise<'ended' | 'reset'> {
    const wait = async (): Promise<'ended' | 'reset'> => {
      try {
        const rest = await this.source.some();
        if (rest !== null)
          throw new MessageError(`unexpected bytes: ${JSON.stringify(rest.toString('latin1'))}`);
        return 'ended';
      } catch (fault) {
        if (fault instanceof ClosedError) return fault.reset ? 'reset' : 'ended';
        throw fault;
      }
    };
    return this.#within(wait(), 'waiting for the other side to close', timeoutMs);
  }

  async #within<T>(work: Promise<T>, what: string, timeoutMs = this.#timeoutMs): Promise<T> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_resolve, reject) => {
      timer = setTimeout(() => reject(new Error(`${what}: nothing within ${timeoutMs} ms`)), timeoutMs);
    });
    try {
      return await Promise.race([work, late]);
    } finally {
      clearTimeout(timer);
    }
  }
}

/** Opens a connection, sends, reads one answer, closes. */
export async function exchange(
  options: ClientOptions,
  request: string | Uint8Array,
  read: ReadOptions = {},
): Promise<Answer> {
  const client = await RawClient.connect(options);
  try {
    return await client.exchange(request, read);
  } finally {
    client.close();
  }
}

/** A plain GET, written out. Fields are `Name: value` lines. */
export function getRequest(path: string, host = 'example.test', ...fields: string[]): string {
  return [`GET ${path} HTTP/1.1`, `Host: ${host}`, ...fields, '', ''].join('\r\n');
}

/** A POST with a Content-Length. */
export function postRequest(
  path: string,
  body: string | Uint8Array,
  host = 'example.test',
  ...fields: string[]
): Buffer {
  const bytes = Buffer.from(body as string);
  const head = [
    `POST ${path} HTTP/1.1`,
    `Host: ${host}`,
    `Content-Length: ${bytes.length}`,
    ...fields,
    '',
    '',
  ];
  return Buffer.concat([Buffer.from(head.join('\r\n'), 'latin1'), bytes]);
}

/** `total` bytes that depend on the seed and on where they lie, in pieces of 64 KiB. */
export function* bigBytes(total: number, seed = 1): Generator<Buffer> {
  const size = 64 * 1024;
  let state = (seed * 2_654_435_761) >>> 0 || 1;
  const block = Buffer.alloc(size);
  for (let i = 0; i < size; i += 4) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    block.writeUInt32LE(state, i);
  }
  for (let at = 0; at < total; at += size) {
    const piece = Buffer.from(block);
    piece.writeUInt32LE((at / size) >>> 0, 0);
    yield total - at < size ? piece.subarray(0, total - at) : piece;
  }
}

/** What `sendBig` and the fake upstream's `big` should arrive as. */
export function bigHash(total: number, seed = 1): string {
  const hash = createHash('sha256');
  for (const piece of bigBytes(total, seed)) hash.update(piece);
  return hash.digest('hex');
}
