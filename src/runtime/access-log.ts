import { fstatSync, write as writeDescriptor, writeSync } from 'node:fs';
import type { AccessRecord } from './access-record.ts';

export { AccessRecord } from './access-record.ts';

/** Where lines go. The default is a file descriptor; tests pass their own. */
export interface LogSink {
  /** Writes some of `bytes[start … end)`, then says how many, or why none. One call at a time. */
  write(
    bytes: Buffer,
    start: number,
    end: number,
    done: (error: NodeJS.ErrnoException | null, written: number) => void,
  ): void;
  /** The same, before it returns; for the end of the process. */
  writeNow(bytes: Buffer, start: number, end: number): number;
  /**
   * How many bytes go in without those of other processes between them: PIPE_BUF for a pipe, which
   * the workers share; Infinity for a file in append mode.
   */
  readonly atomicBytes: number;
}

const PIPE_BUF = 4096;

export class DescriptorSink implements LogSink {
  readonly atomicBytes: number;
  readonly #descriptor: number;

  constructor(descriptor: number) {
    this.#descriptor = descriptor;
    const stat = fstatSync(descriptor);
    this.atomicBytes = stat.isFIFO() || stat.isSocket() ? PIPE_BUF : Infinity;
  }

  write(
    bytes: Buffer,
    start: number,
    end: number,
    done: (error: NodeJS.ErrnoException | null, written: number) => void,
  ): void {
    writeDescriptor(this.#descriptor, bytes, start, end - start, null, done);
  }

  writeNow(bytes: Buffer, start: number, end: number): number {
    return writeSync(this.#descriptor, bytes, start, end - start, null);
  }
}

const BUFFER_BYTES = 256 * 1024;
const FLUSH_BYTES = 32 * 1024;
const FLUSH_MS = 1000;
// A pipe whose reader is slow refuses; it is asked again after this.
const RETRY_MS = 20;
const LINE_FEED = 0x0a;

/**
 * Gathers lines in one buffer while the other is being written. When the reader of the log cannot
 * keep up, lines are dropped and counted: the log never makes a request wait, and its memory is
 * bounded.
 */
export class AccessLog {
  /** Lines that were not written. */
  dropped = 0;

  readonly #sink: LogSink;
  readonly #flushMs: number;
  #filling = Buffer.allocUnsafeSlow(BUFFER_BYTES);
  #filled = 0;
  #writing = Buffer.allocUnsafeSlow(BUFFER_BYTES);
  #writeFrom = 0;
  #writeEnd = 0;
  /** End of what the sink has been given and has not reported on. */
  #givenEnd = 0;
  #timer: NodeJS.Timeout | null = null;
  #closed = false;

  constructor(sink: LogSink, flushMs: number = FLUSH_MS) {
    this.#sink = sink;
    this.#flushMs = flushMs;
  }

  write(record: AccessRecord): void {
    if (this.#closed || this.#filled + record.maxLineBytes > this.#filling.length) {
      this.dropped++;
      return;
    }
    this.#filled = record.write(this.#filling, this.#filled);
    if (this.#filled >= FLUSH_BYTES) this.flush();
    else this.#timer ??= setTimeout(this.#onTimer, this.#flushMs).unref();
  }

  /** Begins to write what is there, unless writing is under way, which will go on with it. */
  flush(): void {
    if (this.#filled === 0 || this.#writeFrom < this.#writeEnd) return;
    this.#stopTimer();
    const written = this.#writing;
    this.#writing = this.#filling;
    this.#writeFrom = 0;
    this.#writeEnd = this.#filled;
    this.#filling = written;
    this.#filled = 0;
    this.#writeOn();
  }

  /** Writes what is left before it returns, as far as the descriptor takes it. For the end of the process. */
  close(): void {
    this.#closed = true;
    this.#stopTimer();
    // What is being written is left to the sink: written again, it would be there twice.
    this.#writeRest(this.#writing, Math.max(this.#writeFrom, this.#givenEnd), this.#writeEnd);
    this.#writeRest(this.#filling, 0, this.#filled);
    this.#filled = 0;
  }

  readonly #onTimer = (): void => {
    this.#timer = null;
    this.flush();
  };

  readonly #writeOn = (): void => {
    if (this.#closed || this.#writeFrom === this.#writeEnd) return;
    this.#givenEnd = this.#pieceEnd();
    this.#sink.write(this.#writing, this.#writeFrom, this.#givenEnd, this.#onWritten);
  };

  readonly #onWritten = (error: NodeJS.ErrnoException | null, written: number): void => {
    if (this.#closed) return;
    this.#givenEnd = 0;
    if (error === null) this.#writeFrom += written;
    else if (error.code === 'EAGAIN') {
      setTimeout(this.#writeOn, RETRY_MS).unref();
      return;
    } else {
      this.dropped += countLines(this.#writing, this.#writeFrom, this.#writeEnd);
      this.#writeFrom = this.#writeEnd;
    }
    if (this.#writeFrom < this.#writeEnd) this.#writeOn();
    else if (this.#filled >= FLUSH_BYTES) this.flush();
    else if (this.#filled > 0) this.#timer ??= setTimeout(this.#onTimer, this.#flushMs).unref();
  };

  /** As many whole lines as go in at once; one line where it alone is longer. */
  #pieceEnd(): number {
    const limit = this.#writeFrom + this.#sink.atomicBytes;
    if (limit >= this.#writeEnd) return this.#writeEnd;
    const last = this.#writing.lastIndexOf(LINE_FEED, limit - 1);
    if (last >= this.#writeFrom) return last + 1;
    return this.#writing.indexOf(LINE_FEED, limit) + 1;
  }

  #writeRest(bytes: Buffer, start: number, end: number): void {
    try {
      while (start < end) start += this.#sink.writeNow(bytes, start, end);
    } catch {
      this.dropped += countLines(bytes, start, end);
    }
  }

  #stopTimer(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }
}

function countLines(bytes: Buffer, start: number, end: number): number {
  let lines = 0;
  for (let i = start; i < end; i++) if (bytes[i] === LINE_FEED) lines++;
  return lines;
}
