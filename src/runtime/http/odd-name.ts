import { FieldId, fieldId } from './fields.ts';
import { LOWER, TOKEN, TOKEN_PLAIN } from './grammar.ts';
import type { HeaderBlock } from './headers.ts';

const DASH = 0x2d;
const UNDERSCORE = 0x5f;

const mapped = Buffer.alloc(64);

/**
 * Which known field a server behind weir may take a name for. CGI and its heirs map every separator to
 * one byte, so that `content_length` and `content.length` reach the application as Content-Length.
 */
export function mappedFieldId(bytes: Buffer, start: number, end: number): FieldId {
  const size = Math.min(end - start, mapped.length);
  for (let i = 0; i < size; i++) {
    const byte = bytes[start + i]!;
    mapped[i] = TOKEN[byte] === TOKEN_PLAIN ? byte : DASH;
  }
  return fieldId(mapped, 0, size);
}

/** Does the name map to one that frames the message, without being it? Refused in every mode. */
export function mapsToFraming(bytes: Buffer, start: number, end: number): boolean {
  const id = mappedFieldId(bytes, start, end);
  return id === FieldId.ContentLength || id === FieldId.TransferEncoding;
}

/** Takes trailers out that a server which joins them to the fields of the head would take for another value of one. */
export function removeRepeated(trailers: HeaderBlock, head: HeaderBlock): void {
  for (let i = trailers.count - 1; i >= 0; i--) if (isNamed(head, trailers, i)) trailers.removeAt(i);
}

/** Whether the head has a field whose name is, or may be taken for, that of a trailer. */
function isNamed(head: HeaderBlock, trailers: HeaderBlock, index: number): boolean {
  const start = trailers.spans[4 * index]!;
  const size = trailers.spans[4 * index + 1]! - start;
  for (let i = head.pseudo; i < head.count; i++) {
    const at = head.spans[4 * i]!;
    if (head.spans[4 * i + 1]! - at !== size) continue;
    let k = 0;
    while (k < size && folded(head.bytes[at + k]!) === folded(trailers.bytes[start + k]!)) k++;
    if (k === size) return true;
  }
  return false;
}

/** What a server that maps every separator to one byte makes of a byte of a name. */
export function folded(byte: number): number {
  return TOKEN[byte] === TOKEN_PLAIN ? LOWER[byte]! : DASH;
}

export function hasUnderscore(bytes: Buffer, start: number, end: number): boolean {
  for (let p = start; p < end; p++) if (bytes[p] === UNDERSCORE) return true;
  return false;
}
