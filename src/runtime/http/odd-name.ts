import { FieldId, fieldId } from './fields.ts';
import { TOKEN, TOKEN_PLAIN } from './grammar.ts';

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

export function hasUnderscore(bytes: Buffer, start: number, end: number): boolean {
  for (let p = start; p < end; p++) if (bytes[p] === UNDERSCORE) return true;
  return false;
}
