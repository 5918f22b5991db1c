import { Bytes, requestBody, requestHeaders } from '@weir/filters-sdk/assembly';
import { fromBase64 } from '@weir/filters-sdk/assembly/base64';
import { sha256 } from '@weir/filters-sdk/assembly/sha256';
import { Cursor } from './cursor';
import { sha512 } from './sha512';

const digest = memory.data(64);

/**
 * Whether the body is the one that `Content-Digest` (RFC 9530) tells of: with SHA-256 or SHA-512, each of them where
 * there are both. Other algorithms are passed over.
 *
 * @param size of the body, all of it
 */
export function isDigestRight(size: i32): bool {
  const fields = requestHeaders.all();
  let checked = false;
  while (fields.nextNamed('content-digest')) {
    const cursor = new Cursor(fields.value);
    while (cursor.nextMember()) {
      const algorithm = cursor.key();
      cursor.expect(61);
      const value = cursor.byteSequence();
      if (cursor.failed) return false;
      const bits = algorithm.equals('sha-256') ? 256 : algorithm.equals('sha-512') ? 512 : 0;
      if (bits == 0) continue;
      const told = fromBase64(value);
      if (told === null || !told.equals(digestOf(size, bits))) return false;
      checked = true;
    }
    if (cursor.failed) return false;
  }
  return checked;
}

function digestOf(size: i32, bits: i32): Bytes {
  const body = size > 0 ? requestBody.read(0, size) : Bytes.of(digest, 0);
  if (bits == 256) sha256(body.start, body.length, digest);
  else sha512(body.start, body.length, digest);
  return Bytes.of(digest, bits >> 3);
}
