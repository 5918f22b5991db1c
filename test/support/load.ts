/**
 * A small load generator on raw keep-alive connections, for tests that must not lose one request. It
 * counts every failure with its reason and hands each answer to the test. Not a benchmark: see bench/.
 */
import { connect, type Socket } from 'node:net';

export interface LoadOptions {
  readonly port: number;
  readonly host?: string;
  readonly connections: number;
  /** Each connection ends after the answer that it waits for then. */
  readonly durationMs?: number;
  /** Instead of a duration, or as a bound beside it: requests in total. */
  readonly requests?: number;
  /** The bytes of the n-th request, counted over all connections. Answers to HEAD are not understood. */
  readonly request: (n: number) => string | Uint8Array;
  /** Judges an answer: a text is a failure. */
  readonly check?: (answer: LoadAnswer) => string | null;
  readonly timeoutMs?: number;
}

export interface LoadAnswer {
  /** Which request it answers. */
  readonly n: number;
  readonly status: number;
  /** Lower-case names; the last value where a field came twice. */
  readonly headers: ReadonlyMap<string, string>;
  readonly body: Buffer;
  /** When the request was sent, and how long its answer took; milliseconds of `performance.now()`. */
  readonly sentAt: number;
  readonly tookMs: number;
}

export interface LoadResult {
  ok: number;
  failed: number;
  /** Reason to count. */
  failures: Map<string, number>;
  statuses: Map<number, number>;
  /** Connections opened, the first ones included. */
  opened: number;
}

/** A load that runs until it is done or stopped. */
export class Load {
  readonly result: LoadResult = { ok: 0, failed: 0, failures: new Map(), statuses: new Map(), opened: 0 };
  readonly done: Promise<LoadResult>;
  readonly options: LoadOptions;
  #next = 0;
  #stopped = false;

  constructor(options: LoadOptions) {
    this.options = options;
    const lanes = Array.from({ length: options.connections }, () => this.#lane());
    const timer =
      options.durationMs === undefined ? undefined : setTimeout(() => this.stop(), options.durationMs);
    this.done = Promise.all(lanes).then(() => {
      clearTimeout(timer);
      return this.result;
    });
  }

  /** No new requests; `done` resolves when the ones under way are answered. */
  stop(): void {
    this.#stopped = true;
  }

  get #more(): boolean {
    return !this.#stopped && (this.options.requests === undefined || this.#next < this.options.requests);
  }

  async #lane(): Promise<void> {
    let lane: Lane | null = null;
    while (this.#more) {
      const n = this.#next++;
      try {
        if (lane === null || lane.closed) {
          lane = await Lane.open(this.options);
          this.result.opened += 1;
        }
        const answer = await lane.exchange(n, this.options.request(n), this.options.timeoutMs ?? 10_000);
        count(this.result.statuses, answer.status);
        const fault = this.options.check?.(answer) ?? null;
        if (fault === null) this.result.ok += 1;
        else this.#fail(fault);
      } catch (fault) {
        lane?.destroy();
        this.#fail(fault instanceof Error ? fault.message : String(fault));
      }
    }
    lane?.destroy();
  }

  #fail(reason: string): void {
    this.result.failed += 1;
    count(this.result.failures, reason);
  }
}

/** Runs a load to its end. */
export function load(options: LoadOptions): Promise<LoadResult> {
  return new Load(options).done;
}

function count<K>(map: Map<K, number>, key: K): void {
  map.set(key, (map.get(key) ?? 0) + 1);
}

/** One connection: a request at a time. */
class Lane {
  readonly #socket: Socket;
  #pending: {
    n: number;
    sentAt: number;
    resolve: (a: LoadAnswer) => void;
    reject: (e: Error) => void;
  } | null = null;
  #bytes: Buffer = Buffer.alloc(0);
  closed = false;

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('data', (bytes) => {
      this.#bytes = this.#bytes.length === 0 ? bytes : Buffer.concat([this.#bytes, bytes]);
      try {
        this.#read();
      } catch (fault) {
        this.#fault(fault as Error);
      }
    });
    socket.on('end', () =>
      this.#fault(
        new Error(this.#bytes.length === 0 ? 'closed before an answer' : 'closed inside an answer'),
      ),
    );
    socket.on('error', (fault: NodeJS.ErrnoException) => this.#fault(new Error(fault.code ?? fault.message)));
    socket.on('close', () => this.#fault(new Error('closed')));
  }

  static open(options: LoadOptions): Promise<Lane> {
    return new Promise((resolve, reject) => {
      const socket = connect({ port: options.port, host: options.host ?? '127.0.0.1', noDelay: true });
      const refused = (fault: NodeJS.ErrnoException): void =>
        reject(new Error(`connect ${fault.code ?? fault.message}`));
      socket.once('error', refused);
      socket.once('connect', () => {
        socket.off('error', refused);
        resolve(new Lane(socket));
      });
    });
  }

  exchange(n: number, request: string | Uint8Array, timeoutMs: number): Promise<LoadAnswer> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#fault(new Error(`no answer within ${timeoutMs} ms`));
      }, timeoutMs);
      this.#pending = {
        n,
        sentAt: performance.now(),
        resolve: (answer) => {
          clearTimeout(timer);
          resolve(answer);
        },
        reject: (fault) => {
          clearTimeout(timer);
          reject(fault);
        },
      };
      this.#socket.write(typeof request === 'string' ? Buffer.from(request, 'latin1') : request);
    });
  }

  destroy(): void {
    this.closed = true;
    this.#socket.destroy();
  }

  #fault(fault: Error): void {
    this.closed = true;
    const pending = this.#pending;
    this.#pending = null;
    pending?.reject(fault);
    this.#socket.destroy();
  }

  #read(): void {
    const end = this.#bytes.indexOf('\r\n\r\n');
    if (end < 0) return;
    const pending = this.#pending;
    if (pending === null) throw new Error('an answer that nobody asked for');
    const [startLine, ...lines] = this.#bytes.toString('latin1', 0, end).split('\r\n');
    const status = Number(/^HTTP\/1\.1 (\d{3}) /.exec(startLine!)?.[1] ?? NaN);
    if (Number.isNaN(status)) throw new Error(`bad status line ${startLine}`);
    if (status < 200) {
      this.#bytes = this.#bytes.subarray(end + 4);
      this.#read();
      return;
    }
    const headers = new Map<string, string>();
    for (const line of lines) {
      const colon = line.indexOf(':');
      headers.set(line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim());
    }
    const body = this.#body(headers, status, end + 4);
    if (body === null) return;

    this.#pending = null;
    if (headers.get('connection')?.toLowerCase() === 'close') this.destroy();
    pending.resolve({
      n: pending.n,
      status,
      headers,
      body,
      sentAt: pending.sentAt,
      tookMs: performance.now() - pending.sentAt,
    });
  }

  /** The body from `start` on, taken off the bytes; null until it is whole. */
  #body(headers: Map<string, string>, status: number, start: number): Buffer | null {
    const bytes = this.#bytes;
    if (status === 204 || status === 304) {
      this.#bytes = bytes.subarray(start);
      return Buffer.alloc(0);
    }
    const length = headers.get('content-length');
    if (length !== undefined) {
      const end = start + Number(length);
      if (bytes.length < end) return null;
      this.#bytes = bytes.subarray(end);
      return bytes.subarray(start, end);
    }
    if (headers.get('transfer-encoding') !== 'chunked') throw new Error('an answer without framing');
    const parts: Buffer[] = [];
    for (let at = start; ;) {
      const line = bytes.indexOf('\r\n', at);
      if (line < 0) return null;
      const size = Number.parseInt(bytes.toString('latin1', at, line), 16);
      if (Number.isNaN(size)) throw new Error('bad chunk size');
      const end = line + 2 + size;
      if (bytes.length < end + 2) return null;
      if (size === 0) {
        const last = bytes.indexOf('\r\n\r\n', line);
        if (last < 0) return null;
        this.#bytes = bytes.subarray(last + 4);
        return Buffer.concat(parts);
      }
      parts.push(bytes.subarray(line + 2, end));
      at = end + 2;
    }
  }
}
