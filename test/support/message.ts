/**
 * A slow, obvious, strict reader of HTTP/1.1 messages, independent of `src/runtime/http`. It refuses
 * what a careful peer would refuse, so that a test sees when weir sends something sloppy.
 */
import type { Socket } from 'node:net';

/** Fields as they came: names keep their case, values are trimmed of surrounding blanks, latin1. */
export type Fields = [name: string, value: string][];

export interface Head {
  /** The bytes up to and including the empty line. */
  readonly bytes: Buffer;
  readonly startLine: string;
  readonly fields: Fields;
}

export type Framing =
  | { readonly type: 'none' }
  | { readonly type: 'length'; readonly length: number }
  | { readonly type: 'chunked' }
  | { readonly type: 'until-close' };

/** What a peer must not send. */
export class MessageError extends Error {}

/** The other side closed or reset before a message was whole. */
export class ClosedError extends Error {
  readonly reset: boolean;
  constructor(message: string, reset: boolean) {
    super(message);
    this.reset = reset;
  }
}

// Bytes kept unread before the socket is paused, so that back pressure reaches the other side.
const HIGH_WATER = 256 * 1024;

/** Bytes of a socket, on demand. Nothing is read ahead beyond {@link HIGH_WATER}. */
export class ByteSource {
  readonly #socket: Socket;
  readonly #chunks: Buffer[] = [];
  #length = 0;
  #state: 'open' | 'ended' | 'reset' = 'open';
  #wake: (() => void) | null = null;
  #paused = false;

  /** @param tap sees every byte as it arrives */
  constructor(socket: Socket, tap?: (bytes: Buffer) => void) {
    this.#socket = socket;
    socket.on('data', (bytes: Buffer) => {
      tap?.(bytes);
      this.#chunks.push(bytes);
      this.#length += bytes.length;
      if (this.#length >= HIGH_WATER && !this.#paused) {
        this.#paused = true;
        socket.pause();
      }
      this.#notify();
    });
    socket.on('end', () => this.#finish('ended'));
    socket.on('error', () => this.#finish('reset'));
    socket.on('close', () => this.#finish('reset'));
  }

  /** Bytes that arrived and were not taken. */
  get buffered(): number {
    return this.#length;
  }

  get state(): 'open' | 'ended' | 'reset' {
    return this.#state;
  }

  #finish(state: 'ended' | 'reset'): void {
    if (this.#state === 'open') this.#state = state;
    this.#notify();
  }

  #notify(): void {
    const wake = this.#wake;
    this.#wake = null;
    wake?.();
  }

  async #more(): Promise<boolean> {
    if (this.#state !== 'open') return false;
    if (this.#wake !== null) throw new Error('two readers wait on one source');
    if (this.#paused) {
      this.#paused = false;
      this.#socket.resume();
    }
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
    });
    return true;
  }

  /** At least one byte, at most `limit`; null when the other side has ended. */
  async some(limit = Infinity): Promise<Buffer | null> {
    while (this.#length === 0) {
      if (!(await this.#more())) {
        if (this.#state === 'reset') throw new ClosedError('the connection was reset', true);
        return null;
      }
    }
    const first = this.#chunks[0]!;
    if (first.length <= limit) {
      this.#chunks.shift();
      this.#length -= first.length;
      return first;
    }
    this.#chunks[0] = first.subarray(limit);
    this.#length -= limit;
    return first.subarray(0, limit);
  }

  async exactly(count: number): Promise<Buffer> {
    const parts: Buffer[] = [];
    let missing = count;
    while (missing > 0) {
      const part = await this.some(missing);
      if (part === null) throw new ClosedError(`closed ${missing} bytes too early`, false);
      parts.push(part);
      missing -= part.length;
    }
    return parts.length === 1 ? parts[0]! : Buffer.concat(parts);
  }

  /** Everything up to and including `mark`; null when the other side ended before the first byte. */
  async until(mark: string, limit: number): Promise<Buffer | null> {
    for (;;) {
      if (this.#chunks.length > 1) this.#chunks.splice(0, this.#chunks.length, Buffer.concat(this.#chunks));
      const at = this.#chunks[0]?.indexOf(mark, 0, 'latin1') ?? -1;
      if (at >= 0) return this.exactly(at + mark.length);
      if (this.#length > limit) throw new MessageError(`no ${JSON.stringify(mark)} within ${limit} bytes`);
      const before = this.#length;
      if (await this.#more()) continue;
      if (this.#length > before) continue;
      if (this.#state === 'reset') throw new ClosedError('the connection was reset', true);
      if (this.#length === 0) return null;
      throw new ClosedError(`closed inside a head: ${this.#chunks[0]!.toString('latin1')}`, false);
    }
  }
}

const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;

/** The next head, or null when the other side ended between messages. */
export async function readHead(source: ByteSource): Promise<Head | null> {
  const bytes = await source.until('\r\n\r\n', 1024 * 1024);
  if (bytes === null) return null;
  const lines = bytes.toString('latin1', 0, bytes.length - 4).split('\r\n');
  const startLine = lines.shift()!;
  if (/[\r\n]/.test(startLine)) throw new MessageError(`bare CR or LF in ${JSON.stringify(startLine)}`);
  return { bytes, startLine, fields: lines.map(readField) };
}

function readField(line: string): [string, string] {
  const colon = line.indexOf(':');
  const name = line.slice(0, Math.max(colon, 0));
  const value = line.slice(colon + 1).replace(/^[\t ]+|[\t ]+$/g, '');
  if (!TOKEN.test(name) || !VALUE.test(value))
    throw new MessageError(`bad field line ${JSON.stringify(line)}`);
  return [name, value];
}

/** All values of a field, in order. */
export function values(fields: Fields, name: string): string[] {
  return fields.filter(([n]) => n.toLowerCase() === name.toLowerCase()).map(([, value]) => value);
}

/** The only value of a field; undefined where there is none. Two are an error of the test's subject. */
export function value(fields: Fields, name: string): string | undefined {
  const all = values(fields, name);
  if (all.length > 1) throw new MessageError(`${name} appears ${all.length} times: ${all.join(' | ')}`);
  return all[0];
}

/** RFC 9112, section 6.3, without its leniencies. `bodiless` for 1xx, 204, 304 and answers to HEAD. */
export function framingOf(fields: Fields, kind: 'request' | 'answer', bodiless = false): Framing {
  const coding = value(fields, 'transfer-encoding');
  const length = value(fields, 'content-length');
  if (coding !== undefined && length !== undefined) {
    throw new MessageError('both Transfer-Encoding and Content-Length');
  }
  if (coding !== undefined && coding.toLowerCase() !== 'chunked') {
    throw new MessageError(`Transfer-Encoding is ${coding}`);
  }
  if (length !== undefined && !/^\d{1,15}$/.test(length))
    throw new MessageError(`Content-Length is ${length}`);
  if (bodiless) return { type: 'none' };
  if (coding !== undefined) return { type: 'chunked' };
  if (length !== undefined) return { type: 'length', length: Number(length) };
  return kind === 'request' ? { type: 'none' } : { type: 'until-close' };
}

/** Reads a body to its end, handing on its data; returns the trailers. */
export async function readBody(
  source: ByteSource,
  framing: Framing,
  onData: (data: Buffer) => void,
): Promise<Fields> {
  switch (framing.type) {
    case 'none':
      return [];
    case 'length':
      await pass(source, framing.length, onData);
      return [];
    case 'until-close':
      for (let data = await source.some(); data !== null; data = await source.some()) onData(data);
      return [];
    case 'chunked':
      return readChunks(source, onData);
  }
}

async function pass(source: ByteSource, count: number, onData: (data: Buffer) => void): Promise<void> {
  let missing = count;
  while (missing > 0) {
    const data = await source.some(missing);
    if (data === null) throw new ClosedError(`closed ${missing} bytes before the end of a body`, false);
    missing -= data.length;
    onData(data);
  }
}

async function readChunks(source: ByteSource, onData: (data: Buffer) => void): Promise<Fields> {
  for (;;) {
    const line = await readLine(source);
    if (!/^[0-9a-fA-F]{1,8}$/.test(line)) throw new MessageError(`bad chunk size ${JSON.stringify(line)}`);
    const size = Number.parseInt(line, 16);
    if (size === 0) break;
    await pass(source, size, onData);
    if ((await source.exactly(2)).toString('latin1') !== '\r\n')
      throw new MessageError('no CRLF after a chunk');
  }
  const trailers: Fields = [];
  for (let line = await readLine(source); line !== ''; line = await readLine(source)) {
    trailers.push(readField(line));
  }
  return trailers;
}

async function readLine(source: ByteSource): Promise<string> {
  const line = await source.until('\r\n', 64 * 1024);
  if (line === null) throw new ClosedError('closed inside a chunked body', false);
  return line.toString('latin1', 0, line.length - 2);
}
