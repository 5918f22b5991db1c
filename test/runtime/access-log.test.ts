import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { AccessLog, AccessRecord, DescriptorSink, type LogSink } from '../../src/runtime/access-log.ts';
import { ResponseFlag } from '../../src/runtime/response-flags.ts';
import { requestBlock } from './blocks.ts';

/** Takes what it is given when the test says so. */
class FakeSink implements LogSink {
  readonly atomicBytes: number;
  text = '';
  readonly pieces: number[] = [];
  failWith: NodeJS.ErrnoException | null = null;
  #pending: (() => void) | null = null;

  constructor(atomicBytes = Infinity) {
    this.atomicBytes = atomicBytes;
  }

  write(
    bytes: Buffer,
    start: number,
    end: number,
    done: (error: NodeJS.ErrnoException | null, written: number) => void,
  ): void {
    expect(this.#pending).toBe(null);
    this.#pending = () => {
      if (this.failWith !== null) return done(this.failWith, 0);
      this.pieces.push(end - start);
      this.text += bytes.toString('utf8', start, end);
      done(null, end - start);
    };
  }

  writeNow(bytes: Buffer, start: number, end: number): number {
    if (this.failWith !== null) throw this.failWith;
    // Takes it in two goes, as a descriptor may.
    const stop = Math.max(start + 1, Math.floor((start + end) / 2));
    this.text += bytes.toString('utf8', start, stop);
    return stop - start;
  }

  get waiting(): boolean {
    return this.#pending !== null;
  }

  settle(): void {
    const pending = this.#pending!;
    this.#pending = null;
    pending();
  }

  settleAll(): void {
    while (this.waiting) this.settle();
  }

  get lines(): Record<string, unknown>[] {
    expect(this.text === '' || this.text.endsWith('\n')).toBe(true);
    return this.text
      .split('\n')
      .slice(0, -1)
      .map((line) => JSON.parse(line) as Record<string, unknown>);
  }
}

function record(path = '/'): AccessRecord {
  const made = new AccessRecord();
  made.startMs = Date.UTC(2026, 0, 2, 3, 4, 5, 67);
  made.capture(requestBlock({ path }));
  return made;
}

describe('AccessRecord', () => {
  test("is one line of JSON under Envoy's names", () => {
    const sink = new FakeSink();
    const log = new AccessLog(sink);
    const full = new AccessRecord();
    full.startMs = Date.UTC(2026, 0, 2, 3, 4, 5, 67);
    full.capture(
      requestBlock({ method: 'POST', path: '/a?b="c"', authority: 'example.com:8080' }, [
        ['User-Agent', 'curl/8'],
        ['x-forwarded-for', '10.0.0.1'],
        ['x-request-id', 'f00'],
      ]),
    );
    full.status = 503;
    full.flags = ResponseFlag.UpstreamConnectionFailure | ResponseFlag.UpstreamRetryLimitExceeded;
    full.details = 'upstream_reset_before_response_started{connection_failure}';
    full.bytesReceived = 12;
    full.bytesSent = 34;
    full.durationMs = 56.9;
    full.upstreamServiceMs = 7;
    full.attempts = 3;
    full.upstreamHost = '10.0.0.9:80';
    full.upstreamCluster = 'shop/checkout';
    full.routeName = 'shop/checkout#api';
    full.consumer = 'acme "é"';
    full.downstreamAddress = '127.0.0.1:4711';
    full.version = 'ab12';
    log.write(full);
    log.flush();
    sink.settleAll();
    expect(sink.lines).toEqual([
      {
        start_time: '2026-01-02T03:04:05.067Z',
        method: 'POST',
        path: '/a?b="c"',
        protocol: 'HTTP/1.1',
        response_code: 503,
        response_flags: 'UF,URX',
        response_code_details: 'upstream_reset_before_response_started{connection_failure}',
        bytes_received: 12,
        bytes_sent: 34,
        duration: 56,
        upstream_service_time: 7,
        x_forwarded_for: '10.0.0.1',
        user_agent: 'curl/8',
        request_id: 'f00',
        authority: 'example.com:8080',
        upstream_host: '10.0.0.9:80',
        upstream_cluster: 'shop/checkout',
        upstream_request_attempt_count: 3,
        downstream_remote_address: '127.0.0.1:4711',
        route_name: 'shop/checkout#api',
        consumer: 'acme "é"',
        version: 'ab12',
      },
    ]);
  });

  test('what is not known is null, and reset forgets everything of the stream before', () => {
    const sink = new FakeSink();
    const log = new AccessLog(sink);
    const used = record('/secret');
    used.status = 200;
    used.upstreamHost = '10.0.0.9:80';
    used.reset();
    log.write(used);
    log.flush();
    sink.settleAll();
    const line = sink.lines[0]!;
    expect(line).toMatchObject({ response_code: 0, response_flags: '-', bytes_sent: 0 });
    for (const key of [
      'method',
      'path',
      'authority',
      'user_agent',
      'upstream_host',
      'upstream_service_time',
    ]) {
      expect([key, line[key]]).toEqual([key, null]);
    }
  });

  test('an endless path is cut, so that a line has an end', () => {
    const long = record(`/${'"'.repeat(9000)}`);
    const out = Buffer.alloc(100_000);
    const end = long.write(out, 0);
    expect(end).toBeLessThanOrEqual(long.maxLineBytes);
    expect((JSON.parse(out.toString('utf8', 0, end)) as { path: string }).path).toHaveLength(4096);
  });
});

describe('AccessLog', () => {
  test('gathers lines while others are being written', () => {
    const sink = new FakeSink();
    const log = new AccessLog(sink);
    log.write(record('/1'));
    log.flush();
    log.write(record('/2'));
    log.write(record('/3'));
    log.flush();
    sink.settle();
    log.flush();
    sink.settleAll();
    expect(sink.lines.map(({ path }) => path)).toEqual(['/1', '/2', '/3']);
    expect(sink.pieces).toHaveLength(2);
    expect(log.dropped).toBe(0);
  });

  test('begins to write by itself when enough has gathered', () => {
    const sink = new FakeSink();
    const log = new AccessLog(sink);
    for (let i = 0; i < 200 && !sink.waiting; i++) log.write(record(`/${i}`));
    expect(sink.waiting).toBe(true);
  });

  test('drops and counts lines when the reader does not keep up', () => {
    const sink = new FakeSink();
    const log = new AccessLog(sink);
    for (let i = 0; i < 5000; i++) log.write(record(`/${i}`));
    expect(log.dropped).toBeGreaterThan(0);
    sink.settleAll();
    log.flush();
    sink.settleAll();
    expect(sink.lines).toHaveLength(5000 - log.dropped);
    expect(sink.lines.map(({ path }) => path)).toEqual(sink.lines.map((_, i) => `/${i}`));
    const dropped = log.dropped;
    log.write(record('/after'));
    expect(log.dropped).toBe(dropped);
  });

  test('a pipe gets whole lines in pieces that no other process can come between', () => {
    const sink = new FakeSink(4096);
    const log = new AccessLog(sink);
    for (let i = 0; i < 40; i++) log.write(record(`/${'x'.repeat(i * 10)}`));
    log.write(record(`/${'y'.repeat(4000)}`));
    log.write(record('/last'));
    log.flush();
    let seen = 0;
    while (sink.waiting) {
      sink.settle();
      expect(sink.text.endsWith('\n')).toBe(true);
      seen++;
    }
    expect(seen).toBeGreaterThan(3);
    expect(sink.lines).toHaveLength(42);
    // One line was longer than a piece can be.
    expect(sink.pieces.filter((piece) => piece > 4096)).toHaveLength(1);
  });

  test('an error loses the lines that were being written, counts them, and goes on', () => {
    const sink = new FakeSink();
    const log = new AccessLog(sink);
    log.write(record('/1'));
    log.write(record('/2'));
    log.flush();
    sink.failWith = Object.assign(new Error('gone'), { code: 'EPIPE' });
    sink.settle();
    expect(log.dropped).toBe(2);
    sink.failWith = null;
    log.write(record('/3'));
    log.flush();
    sink.settleAll();
    expect(sink.lines.map(({ path }) => path)).toEqual(['/3']);
  });

  describe('with time passing', () => {
    afterEach(() => void vi.useRealTimers());

    test('a line is written within a second, however few there are', () => {
      vi.useFakeTimers();
      const sink = new FakeSink();
      const log = new AccessLog(sink);
      log.write(record('/1'));
      vi.advanceTimersByTime(999);
      expect(sink.waiting).toBe(false);
      vi.advanceTimersByTime(1);
      sink.settleAll();
      expect(sink.lines).toHaveLength(1);
    });

    test('a reader that is slow (EAGAIN) is asked again, and loses nothing', () => {
      vi.useFakeTimers();
      const sink = new FakeSink();
      const log = new AccessLog(sink);
      log.write(record('/1'));
      log.flush();
      sink.failWith = Object.assign(new Error('busy'), { code: 'EAGAIN' });
      sink.settle();
      log.write(record('/2'));
      log.flush();
      expect(sink.waiting).toBe(false);
      sink.failWith = null;
      vi.advanceTimersByTime(20);
      sink.settle();
      vi.advanceTimersByTime(1000);
      sink.settleAll();
      expect(sink.lines.map(({ path }) => path)).toEqual(['/1', '/2']);
      expect(log.dropped).toBe(0);
    });
  });

  test('close writes what is left, and nothing twice', () => {
    const sink = new FakeSink();
    const log = new AccessLog(sink);
    log.write(record('/1'));
    log.flush();
    log.write(record('/2'));
    log.close();
    sink.settle();
    expect(sink.lines.map(({ path }) => path).sort()).toEqual(['/1', '/2']);
    log.write(record('/3'));
    expect(log.dropped).toBe(1);
  });
});

test('a descriptor gets the lines of several logs, one after the other', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'weir-access-log-'));
  const path = join(folder, 'access.log');
  const descriptor = openSync(path, 'a');
  try {
    const sink = new DescriptorSink(descriptor);
    expect(sink.atomicBytes).toBe(Infinity);
    const bytes = Buffer.from('0123456789');
    await new Promise<void>((resolve) => {
      sink.write(bytes, 2, 5, (error, written) => {
        expect([error, written]).toEqual([null, 3]);
        resolve();
      });
    });
    expect(sink.writeNow(bytes, 5, 10)).toBe(5);
    const log = new AccessLog(sink);
    log.write(record('/1'));
    log.close();
    expect(readFileSync(path, 'utf8')).toMatch(/^23456789\{"start_time":.*\}\n$/);
  } finally {
    closeSync(descriptor);
    rmSync(folder, { recursive: true });
  }
});
