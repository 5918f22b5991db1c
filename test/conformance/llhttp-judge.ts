import { ChunkedReader } from '../../src/runtime/http/chunked.ts';
import { HeaderBlock, MessageKind } from '../../src/runtime/http/headers.ts';
import { Framing, HeadReader, MethodId, NEED_MORE, REFUSED } from '../../src/runtime/http/parse.ts';
import { DEFAULT_LISTENER_LIMITS } from '../../src/runtime/snapshot.ts';

/**
 * A test vector of llhttp. Its verdict is that of strict mode; for bytes that are published for lenient
 * modes only (`(strict)` in the name) it was taken by running llhttp 9.3.1 without leniency.
 */
export type Vector = readonly [
  name: string,
  llhttp: 'accept' | 'refuse',
  /** A number is the status that the message is refused with. */
  weir: 'accept' | number,
  bytes: string,
  /** Why the two differ. */
  reason?: string,
];

/**
 * Reads message after message, as a connection would, until the bytes end, one is refused, or one says that
 * it is the last. A message that is not complete yet counts as accepted, as in llhttp.
 *
 * @param requestMethod of the requests that answers belong to
 */
export function judge(
  kind: typeof MessageKind.Request | typeof MessageKind.Response,
  bytes: string,
  requestMethod: MethodId = MethodId.Get,
): 'accept' | number {
  const buffer = Buffer.from(bytes, 'latin1');
  const reader = new HeadReader();
  const block = new HeaderBlock();
  const body = new ChunkedReader();
  for (let at = 0; at < buffer.length;) {
    reader.begin(block, kind, DEFAULT_LISTENER_LIMITS, requestMethod);
    const next = reader.read(buffer, at, buffer.length);
    if (next === REFUSED) return reader.refusal;
    if (next === NEED_MORE) break;
    at = next;
    if (reader.framing === Framing.Length) at += reader.contentLength;
    if (reader.framing === Framing.Chunked) {
      body.reset(DEFAULT_LISTENER_LIMITS, kind);
      at = body.read(buffer, at, buffer.length);
      if (body.refusal !== 0) return body.refusal;
    }
    if (reader.upgrade || !reader.keepAlive) break;
  }
  return 'accept';
}
