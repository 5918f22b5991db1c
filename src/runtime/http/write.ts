import { FieldId, fieldId } from './fields.ts';
import { Framing } from './framing.ts';
import { CR, SP } from './grammar.ts';
import { type HeaderBlock, Pseudo, STATUS_INDEX } from './headers.ts';

import { statusLine } from './reason.ts';

const COLON = 0x3a;
const LF = 0x0a;

const encode = (text: string): Buffer => Buffer.from(text, 'latin1');

const VERSION_AND_HOST = encode(' HTTP/1.1\r\nHost: ');
const LINE_END = encode('\r\n');
const CONTENT_LENGTH = encode('Content-Length: ');
const CHUNKED = encode('Transfer-Encoding: chunked\r\n');
const CLOSE = encode('Connection: close\r\n');
const KEEP_ALIVE = encode('Connection: keep-alive\r\n');
const UPGRADE = encode('Connection: Upgrade\r\nUpgrade: ');
/** Names itself in Connection, so that the next proxy takes it out (RFC 9110, section 10.1.4). */
const ACCEPT_TRAILERS = encode('Connection: TE\r\nTE: trailers\r\n');
const LAST_CHUNK = encode('0\r\n');

/** Bit n is set for a `FieldId` that is never copied from a block: weir writes its own, or none. */
const OWN_FIELDS =
  (1 << FieldId.Host) |
  (1 << FieldId.ContentLength) |
  (1 << FieldId.TransferEncoding) |
  (1 << FieldId.Connection) |
  (1 << FieldId.Upgrade) |
  (1 << FieldId.Te) |
  (1 << FieldId.HopByHop);
/** In answers Host means nothing and passes. */
const OWN_ANSWER_FIELDS = OWN_FIELDS & ~(1 << FieldId.Host);

/** Shorter runs are copied by a loop: `copy` has a fixed cost of about this many bytes. */
const LOOP_BYTES = 48;

/**
 * Size of a request head as {@link writeRequestHead} writes it.
 *
 * @param length of the body; read where `framing` is `Length`
 * @param upgrade protocol to ask for with Upgrade, or null
 * @param acceptTrailers says that an answer may have trailers; not together with `upgrade`
 */
export function requestHeadSize(
  block: HeaderBlock,
  framing: Framing,
  length: number,
  upgrade: Buffer | null = null,
  acceptTrailers = false,
): number {
  const { spans } = block;
  return (
    valueSize(spans, Pseudo.Method) +
    1 +
    valueSize(spans, Pseudo.Path) +
    VERSION_AND_HOST.length +
    valueSize(spans, Pseudo.Authority) +
    LINE_END.length +
    fieldsSize(block, OWN_FIELDS) +
    framingSize(framing, length) +
    (acceptTrailers && upgrade === null ? ACCEPT_TRAILERS.length : upgradeSize(upgrade)) +
    LINE_END.length
  );
}

/**
 * Writes a request head from the block alone: request line, Host first (RFC 9110, section 7.2), the
 * fields, the framing. No Connection option that closes: connections to upstreams are kept.
 *
 * Writes exactly `requestHeadSize` bytes; the caller sees to it that `out` has room.
 *
 * @returns offset after the last byte
 */
export function writeRequestHead(
  block: HeaderBlock,
  framing: Framing,
  length: number,
  out: Buffer,
  at: number,
  upgrade: Buffer | null = null,
  acceptTrailers = false,
): number {
  at = putValue(block, Pseudo.Method, out, at);
  out[at++] = SP;
  at = putValue(block, Pseudo.Path, out, at);
  at = put(VERSION_AND_HOST, out, at);
  at = putValue(block, Pseudo.Authority, out, at);
  at = put(LINE_END, out, at);
  at = putFields(block, OWN_FIELDS, out, at);
  at = putFraming(framing, length, out, at);
  if (upgrade !== null) at = putUpgrade(upgrade, out, at);
  else if (acceptTrailers) at = put(ACCEPT_TRAILERS, out, at);
  return put(LINE_END, out, at);
}

/** Size of the head of an answer as {@link writeResponseHead} writes it. */
export function responseHeadSize(
  block: HeaderBlock,
  framing: Framing,
  length: number,
  keepAlive: boolean,
  minorVersion: 0 | 1 = 1,
  upgrade: Buffer | null = null,
): number {
  const status = statusOf(block);
  return (
    statusLine(status).length +
    fieldsSize(block, ownAnswerFields(status, framing)) +
    framingSize(framing, length) +
    (upgrade === null ? persistence(framing, keepAlive, minorVersion).length : upgradeSize(upgrade)) +
    LINE_END.length
  );
}

/**
 * Writes the head of an answer from the block alone: status line, the fields, the framing, and where the
 * connection ends after it `Connection: close`.
 *
 * `Framing.None` is for answers that have no body: to HEAD, 1xx, 204, 304. Content-Length of the block is
 * kept there, save in 1xx and 204, since it says what GET would bring (RFC 9110, section 8.6).
 *
 * @param minorVersion of the request: a client of HTTP/1.0 is told where the connection stays open
 * @param upgrade protocol that a 101 switches to, or null
 * @returns offset after the last byte, `responseHeadSize` from `at`
 */
export function writeResponseHead(
  block: HeaderBlock,
  framing: Framing,
  length: number,
  keepAlive: boolean,
  out: Buffer,
  at: number,
  minorVersion: 0 | 1 = 1,
  upgrade: Buffer | null = null,
): number {
  const status = statusOf(block);
  at = put(statusLine(status), out, at);
  at = putFields(block, ownAnswerFields(status, framing), out, at);
  at = putFraming(framing, length, out, at);
  at =
    upgrade === null
      ? put(persistence(framing, keepAlive, minorVersion), out, at)
      : putUpgrade(upgrade, out, at);
  return put(LINE_END, out, at);
}

/** Most bytes that {@link writeChunkHead} needs. */
export const CHUNK_HEAD_BYTES = 16;

/**
 * Writes the line before a chunk of `size` bytes so that it ends at `endAt`, right before the data: the
 * caller keeps head room and sends line and data together.
 *
 * @param size at least 1: zero would end the message
 * @returns where the line starts
 */
export function writeChunkHead(size: number, out: Buffer, endAt: number): number {
  let at = endAt;
  out[--at] = LF;
  out[--at] = CR;
  let rest = size;
  do {
    const digit = rest % 16;
    out[--at] = digit < 10 ? 0x30 + digit : 0x57 + digit;
    rest = (rest - digit) / 16;
  } while (rest > 0);
  return at;
}

/** Size of the end of a chunked body: the last chunk, the trailers, the blank line. */
export function lastChunkSize(trailers: HeaderBlock | null): number {
  const fields = trailers === null ? 0 : fieldsSize(trailers, OWN_FIELDS);
  return LAST_CHUNK.length + fields + LINE_END.length;
}

/** @returns offset after the last byte, `lastChunkSize` from `at` */
export function writeLastChunk(trailers: HeaderBlock | null, out: Buffer, at: number): number {
  at = put(LAST_CHUNK, out, at);
  if (trailers !== null) at = putFields(trailers, OWN_FIELDS, out, at);
  return put(LINE_END, out, at);
}

/** The status of an answer, or 500 where `:status` is no number from 100 to 599. */
export function statusOf(block: HeaderBlock): number {
  const start = block.spans[4 * STATUS_INDEX + 2]!;
  if (block.spans[4 * STATUS_INDEX + 3]! - start !== 3) return 500;
  let status = 0;
  for (let p = start; p < start + 3; p++) {
    const digit = block.bytes[p]! - 0x30;
    if (digit < 0 || digit > 9) return 500;
    status = status * 10 + digit;
  }
  return status >= 100 && status <= 599 ? status : 500;
}

function ownAnswerFields(status: number, framing: Framing): number {
  const keepsLength = framing === Framing.None && status >= 200 && status !== 204;
  return keepsLength ? OWN_ANSWER_FIELDS & ~(1 << FieldId.ContentLength) : OWN_ANSWER_FIELDS;
}

function persistence(framing: Framing, keepAlive: boolean, minorVersion: 0 | 1): Buffer {
  if (!keepAlive || framing === Framing.UntilClose) return CLOSE;
  return minorVersion === 0 ? KEEP_ALIVE : NOTHING;
}

const NOTHING = Buffer.alloc(0);

function valueSize(spans: Int32Array, index: number): number {
  return spans[4 * index + 3]! - spans[4 * index + 2]!;
}

/** Sizes of the names in `OWN_FIELDS`: most names are told apart by it alone. */
const OWN_SIZES = (1 << 2) | (1 << 4) | (1 << 7) | (1 << 10) | (1 << 14) | (1 << 16) | (1 << 17) | (1 << 18);
const LETTER_X = 0x78;

function isOwn(own: number, bytes: Buffer, start: number, end: number): boolean {
  const size = end - start;
  if (size > 18 || ((OWN_SIZES >>> size) & 1) === 0 || (bytes[start]! | 0x20) === LETTER_X) return false;
  return ((own >>> fieldId(bytes, start, end)) & 1) !== 0;
}

/**
 * No head of this block is larger, whatever its framing: enough to reserve room without a pass over
 * the fields. Status line or version and Host, framing and Connection are in the constant.
 */
export function headBound(block: HeaderBlock, upgrade: Buffer | null): number {
  return block.length + 4 * block.count + 256 + (upgrade === null ? 0 : upgrade.length);
}

function fieldsSize(block: HeaderBlock, own: number): number {
  const { bytes, spans, count } = block;
  let size = 0;
  for (let i = block.pseudo; i < count; i++) {
    const nameStart = spans[4 * i]!;
    const nameEnd = spans[4 * i + 1]!;
    if (isOwn(own, bytes, nameStart, nameEnd)) continue;
    size += nameEnd - nameStart + spans[4 * i + 3]! - spans[4 * i + 2]! + 4;
  }
  return size;
}

/**
 * Copies runs of neighbouring lines that lie in the arena as `name: value CRLF` at once: in a message
 * that nobody edited these are the stretches between the fields left out. Other lines are put together.
 */
function putFields(block: HeaderBlock, own: number, out: Buffer, at: number): number {
  const { bytes, spans, count } = block;
  let runStart = 0;
  let runEnd = 0;
  for (let i = block.pseudo; i < count; i++) {
    const nameStart = spans[4 * i]!;
    const nameEnd = spans[4 * i + 1]!;
    const valueStart = spans[4 * i + 2]!;
    const valueEnd = spans[4 * i + 3]!;
    if (isOwn(own, bytes, nameStart, nameEnd)) continue;
    if (valueStart === nameEnd + 2 && bytes[nameEnd + 1] === SP && bytes[valueEnd] === CR) {
      if (nameStart !== runEnd) {
        at = putRange(bytes, runStart, runEnd, out, at);
        runStart = nameStart;
      }
      runEnd = valueEnd + 2;
      continue;
    }
    at = putRange(bytes, runStart, runEnd, out, at);
    runStart = runEnd = 0;
    at = putRange(bytes, nameStart, nameEnd, out, at);
    out[at++] = COLON;
    out[at++] = SP;
    at = putRange(bytes, valueStart, valueEnd, out, at);
    at = put(LINE_END, out, at);
  }
  return putRange(bytes, runStart, runEnd, out, at);
}

function framingSize(framing: Framing, length: number): number {
  if (framing === Framing.Length) return CONTENT_LENGTH.length + decimalSize(length) + LINE_END.length;
  return framing === Framing.Chunked ? CHUNKED.length : 0;
}

function putFraming(framing: Framing, length: number, out: Buffer, at: number): number {
  if (framing === Framing.Chunked) return put(CHUNKED, out, at);
  if (framing !== Framing.Length) return at;
  at = put(CONTENT_LENGTH, out, at);
  const end = at + decimalSize(length);
  let rest = length;
  for (let p = end - 1; p >= at; p--) {
    const digit = rest % 10;
    out[p] = 0x30 + digit;
    rest = (rest - digit) / 10;
  }
  return put(LINE_END, out, end);
}

function decimalSize(number: number): number {
  let size = 1;
  for (let bound = 10; number >= bound; bound *= 10) size++;
  return size;
}

function upgradeSize(upgrade: Buffer | null): number {
  return upgrade === null ? 0 : UPGRADE.length + upgrade.length + LINE_END.length;
}

function putUpgrade(upgrade: Buffer | null, out: Buffer, at: number): number {
  if (upgrade === null) return at;
  at = put(UPGRADE, out, at);
  at = put(upgrade, out, at);
  return put(LINE_END, out, at);
}

function putValue(block: HeaderBlock, index: number, out: Buffer, at: number): number {
  return putRange(block.bytes, block.spans[4 * index + 2]!, block.spans[4 * index + 3]!, out, at);
}

function put(text: Buffer, out: Buffer, at: number): number {
  for (let i = 0; i < text.length; i++) out[at++] = text[i]!;
  return at;
}

function putRange(from: Buffer, start: number, end: number, out: Buffer, at: number): number {
  if (end - start > LOOP_BYTES) {
    from.copy(out, at, start, end);
    return at + end - start;
  }
  for (let p = start; p < end; p++) out[at++] = from[p]!;
  return at;
}
