import { type HeaderBlock, Pseudo } from './http/headers.ts';
import { JSON_EXPANSION, writeDecimal, writeJsonBytes, writeJsonText } from './json-bytes.ts';
import { responseFlagsText } from './response-flags.ts';

// What a client chooses is cut in the log, so that a line has an end.
const MAX_PATH = 4096;
const MAX_FIELD = 1024;

const NO_BYTES = Buffer.alloc(0);
const FIELDS: readonly Buffer[] = ['user-agent', 'x-forwarded-for', 'x-request-id'].map((name) =>
  Buffer.from(name),
);
// Slots of captured text, the last three in the order of FIELDS.
const METHOD = 0;
const PATH = 1;
const AUTHORITY = 2;
const USER_AGENT = 3;
const FORWARDED_FOR = 4;
const REQUEST_ID = 5;
const CAPTURED = 3 + FIELDS.length;
const CAPTURED_BYTES = MAX_PATH + (CAPTURED - 1) * MAX_FIELD;

/**
 * What the access log says about one stream. The stream owns one, fills it on its way, and uses it
 * again after `reset`.
 */
export class AccessRecord {
  /** Wall clock, milliseconds since 1970. */
  startMs = 0;
  /** From the first byte of the request to the end of the answer, by the monotonic clock. */
  durationMs = 0;
  /** Empty for a TCP stream. */
  protocol = 'HTTP/1.1';
  /** 0 where no answer was begun. */
  status = 0;
  /** Bits of `ResponseFlag`. */
  flags = 0;
  /** Stable words without spaces: `via_upstream`, `route_not_found`, a filter's own. */
  details = '';
  /** Of the bodies. */
  bytesReceived = 0;
  bytesSent = 0;
  attempts = 0;
  /** Until the head of the upstream's answer; -1 where there was none. */
  upstreamServiceMs = -1;
  /** `Endpoint.text` of the last attempt. */
  upstreamHost = '';
  upstreamCluster = '';
  routeName = '';
  /** Who sent the request, as a filter found out; empty: none did. */
  consumer = '';
  /** `address:port` of the client's end of the connection. */
  downstreamAddress = '';
  /** Of the snapshot. */
  version = '';
  /** JSON that goes before the end of the line. */
  more: Buffer = NO_BYTES;

  #bytes = Buffer.alloc(0);
  #length = 0;
  /** Start and end of each captured text; start -1 where the request had none. */
  readonly #spans = new Int32Array(2 * CAPTURED).fill(-1);

  reset(): void {
    this.durationMs = 0;
    this.status = 0;
    this.flags = 0;
    this.details = '';
    this.bytesReceived = 0;
    this.bytesSent = 0;
    this.attempts = 0;
    this.upstreamServiceMs = -1;
    this.upstreamHost = '';
    this.upstreamCluster = '';
    this.routeName = '';
    this.consumer = '';
    this.more = NO_BYTES;
    this.#length = 0;
    this.#spans.fill(-1);
  }

  /**
   * Copies what the log shows of a request's head. Called before filters and rewrites change it, and
   * only where there is an access log.
   */
  capture(block: HeaderBlock): void {
    if (this.#bytes.length === 0) this.#bytes = Buffer.allocUnsafeSlow(CAPTURED_BYTES);
    this.#length = 0;
    this.#copy(block, Pseudo.Method, METHOD, MAX_FIELD);
    this.#copy(block, Pseudo.Path, PATH, MAX_PATH);
    this.#copy(block, Pseudo.Authority, AUTHORITY, MAX_FIELD);
    for (let i = 0; i < FIELDS.length; i++) {
      this.#copy(block, block.indexOf(FIELDS[i]!), USER_AGENT + i, MAX_FIELD);
    }
  }

  #copy(block: HeaderBlock, index: number, slot: number, limit: number): void {
    const spans = this.#spans;
    spans[2 * slot] = -1;
    if (index === -1) return;
    const start = block.spans[4 * index + 2]!;
    const end = Math.min(block.spans[4 * index + 3]!, start + limit);
    const bytes = block.bytes;
    const to = this.#bytes;
    let at = this.#length;
    spans[2 * slot] = at;
    for (let i = start; i < end; i++) to[at++] = bytes[i]!;
    spans[2 * slot + 1] = at;
    this.#length = at;
  }

  /** Room that `write` may need. */
  get maxLineBytes(): number {
    const texts =
      this.details.length +
      this.upstreamHost.length +
      this.upstreamCluster.length +
      this.routeName.length +
      this.consumer.length +
      this.downstreamAddress.length +
      this.version.length;
    return 1024 + this.more.length + JSON_EXPANSION * (this.#length + texts);
  }

  /**
   * Writes the record as one line of JSON, with Envoy's names for what Envoy logs too.
   *
   * @returns offset after the line feed
   */
  write(out: Buffer, at: number): number {
    at = put(KEYS.startTime, out, at);
    at = writeTime(this.startMs, out, at);
    at = this.#text(KEYS.method, METHOD, out, at);
    at = this.#text(KEYS.path, PATH, out, at);
    at = text(KEYS.protocol, this.protocol, out, at);
    at = number(KEYS.responseCode, this.status, out, at);
    at = text(KEYS.responseFlags, responseFlagsText(this.flags), out, at);
    at = text(KEYS.responseCodeDetails, this.details, out, at);
    at = number(KEYS.bytesReceived, this.bytesReceived, out, at);
    at = number(KEYS.bytesSent, this.bytesSent, out, at);
    at = number(KEYS.duration, this.durationMs, out, at);
    at = number(KEYS.upstreamServiceTime, this.upstreamServiceMs, out, at);
    at = this.#text(KEYS.forwardedFor, FORWARDED_FOR, out, at);
    at = this.#text(KEYS.userAgent, USER_AGENT, out, at);
    at = this.#text(KEYS.requestId, REQUEST_ID, out, at);
    at = this.#text(KEYS.authority, AUTHORITY, out, at);
    at = text(KEYS.upstreamHost, this.upstreamHost, out, at);
    at = text(KEYS.upstreamCluster, this.upstreamCluster, out, at);
    at = number(KEYS.attempts, this.attempts, out, at);
    at = text(KEYS.downstreamAddress, this.downstreamAddress, out, at);
    at = text(KEYS.routeName, this.routeName, out, at);
    at = text(KEYS.consumer, this.consumer, out, at);
    at = text(KEYS.version, this.version, out, at);
    at = put(this.more, out, at);
    return put(END, out, at);
  }

  #text(key: Buffer, slot: number, out: Buffer, at: number): number {
    at = put(key, out, at);
    const start = this.#spans[2 * slot]!;
    if (start === -1) return put(NULL, out, at);
    return writeJsonBytes(this.#bytes, start, this.#spans[2 * slot + 1]!, out, at);
  }
}

const NULL = Buffer.from('null');
const END = Buffer.from('}\n');

// Names with what stands between them and the value before.
const KEYS = {
  startTime: Buffer.from('{"start_time":'),
  method: key('method'),
  path: key('path'),
  protocol: key('protocol'),
  responseCode: key('response_code'),
  responseFlags: key('response_flags'),
  responseCodeDetails: key('response_code_details'),
  bytesReceived: key('bytes_received'),
  bytesSent: key('bytes_sent'),
  duration: key('duration'),
  upstreamServiceTime: key('upstream_service_time'),
  forwardedFor: key('x_forwarded_for'),
  userAgent: key('user_agent'),
  requestId: key('request_id'),
  authority: key('authority'),
  upstreamHost: key('upstream_host'),
  upstreamCluster: key('upstream_cluster'),
  attempts: key('upstream_request_attempt_count'),
  downstreamAddress: key('downstream_remote_address'),
  routeName: key('route_name'),
  consumer: key('consumer'),
  version: key('version'),
} as const;

function key(name: string): Buffer {
  return Buffer.from(`,"${name}":`);
}

/** Null for the empty text: nothing is known. */
function text(name: Buffer, value: string, out: Buffer, at: number): number {
  at = put(name, out, at);
  return value === '' ? put(NULL, out, at) : writeJsonText(value, out, at);
}

/** Null for a negative number: nothing is known. */
function number(name: Buffer, value: number, out: Buffer, at: number): number {
  at = put(name, out, at);
  return value < 0 ? put(NULL, out, at) : writeDecimal(Math.floor(value), out, at);
}

function put(bytes: Buffer, out: Buffer, at: number): number {
  for (let i = 0; i < bytes.length; i++) out[at++] = bytes[i]!;
  return at;
}

// The text of the last whole second, since most lines share it with the one before.
let secondKnown = -1;
const secondText = Buffer.from('"1970-01-01T00:00:00.');
const TIME_END = Buffer.from('Z"');

function writeTime(wallMs: number, out: Buffer, at: number): number {
  const whole = Math.floor(wallMs);
  const second = Math.floor(whole / 1000);
  if (second !== secondKnown) {
    secondText.write(new Date(second * 1000).toISOString().slice(0, 19), 1, 'latin1');
    secondKnown = second;
  }
  at = put(secondText, out, at);
  const ms = whole - second * 1000;
  out[at++] = 0x30 + Math.floor(ms / 100);
  out[at++] = 0x30 + (Math.floor(ms / 10) % 10);
  out[at++] = 0x30 + (ms % 10);
  return put(TIME_END, out, at);
}
