import { Bytes } from './bytes';
import { callForeign } from './foreign';
import { Fields, addField } from './protobuf';
import { ByteWriter } from './writer';

/**
 * Checks a signature made with RSA (PKCS #1 v1.5) or ECDSA (DER).
 *
 * @param hash `sha1`, `sha224`, `sha256`, `sha384` or `sha512`
 * @param publicKey DER, SubjectPublicKeyInfo
 * @returns false where it is another's, or the host cannot say
 */
export function verifySignature<K, S, T>(hash: string, publicKey: K, signature: S, text: T): bool {
  const message = new ByteWriter();
  addField(message, 1, hash);
  addField<K>(message, 2, publicKey);
  addField<S>(message, 3, signature);
  addField<T>(message, 4, text);
  const answer = callForeign('verify_signature', message.view());
  if (answer === null) return false;
  const fields = new Fields(answer);
  while (fields.next()) if (fields.field == 1) return fields.number != 0;
  return false;
}

/**
 * Makes such a signature.
 *
 * @param privateKey DER, PKCS #8
 * @returns null where the key or the hash is not one, or the host cannot sign
 */
export function sign<K, T>(hash: string, privateKey: K, text: T): Bytes | null {
  const message = new ByteWriter();
  addField(message, 1, hash);
  addField<K>(message, 2, privateKey);
  addField<T>(message, 3, text);
  const answer = callForeign('sign', message.view());
  if (answer === null) return null;
  const fields = new Fields(answer);
  let good = false;
  let signature: Bytes | null = null;
  while (fields.next()) {
    if (fields.field == 1) good = fields.number != 0;
    if (fields.field == 2) signature = fields.value;
  }
  return good ? signature : null;
}
