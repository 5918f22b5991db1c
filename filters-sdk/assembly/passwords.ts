import { Bytes, sizeOf, startOf } from './bytes';
import { callForeign } from './foreign';
import { ByteWriter } from './writer';

/** What becomes of a password that the host is asked about. */
export enum PasswordState {
  /** The stream must pause; `onPasswordVerified` comes with the answer. */
  Pending = 2,
  /** Too many wait already. */
  Busy = 3,
  /** The host cannot do it, or the hash is none. */
  Unavailable = 4,
}

const question = new ByteWriter(256);

/**
 * Asks whether a password is the one of a hash, `scrypt$N$r$p$salt$key` as `weir hash-password` makes them. The host does
 * it in another thread: it takes as long as is needed to make guessing dear.
 */
export function verifyPassword<P>(hash: ArrayBuffer, password: P): PasswordState {
  question
    .clear()
    .addU32(hash.byteLength)
    .add(hash)
    .add(Bytes.of(startOf<P>(password), sizeOf<P>(password)));
  const answer = callForeign('weir.verify_password', question.view());
  // Nothing of it stays in memory.
  memory.fill(question.view().start, 0, question.length);
  if (answer === null || answer.length < 1) return PasswordState.Unavailable;
  return <PasswordState>answer.at(0);
}
