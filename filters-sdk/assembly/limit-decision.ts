import { allocate } from './arena';
import { Bytes } from './bytes';

const HEAD_SIZE = 4;
const RECORD_SIZE = 16;

/** Bytes of the host's answer to a call that names so many limits. */
export function answerSize(limits: i32): i32 {
  return HEAD_SIZE + limits * RECORD_SIZE;
}

/** What a limit answers. `Pending`: the stream must pause; `onLimitDecision` comes with the answer. */
export enum LimitState {
  Denied = 0,
  Allowed = 1,
  Pending = 2,
  /** The host cannot say: it has no room, nobody could be asked, or the arguments are not valid. */
  Unavailable = 3,
}

/** The answer of a limit, as the host lays it out. Valid until the callback returns. */
@unmanaged
export class LimitDecision {
  /** The number of the `take` that this answers where it came later; else 0. */
  ticket: u32;
  private word: u32;
  /** Requests that would be allowed right now. */
  remaining: u32;
  /** The most that `remaining` can be. */
  limit: u32;
  /** Milliseconds until `remaining` is `limit` again, if nothing more comes; 0 where nobody knows. */
  resetMs: u32;
  /** Milliseconds until a request that was denied would be allowed; 0 where it was allowed. */
  retryAfterMs: u32;

  get state(): LimitState {
    return <LimitState>(this.word & 0xff);
  }

  get allowed(): bool {
    return this.state == LimitState.Allowed;
  }

  /** The SDK's. */
  settle(state: LimitState): LimitState {
    this.word = state;
    return state;
  }

  /** The SDK's. */
  clear(): void {
    memory.fill(changetype<usize>(this) + offsetof<LimitDecision>('remaining'), 0, RECORD_SIZE);
  }

  /** The same for one limit of a `LimitSet`. Where one refused, the others have a `limit` of 0. */
  of(index: i32): LimitDecision {
    return changetype<LimitDecision>(changetype<usize>(this) + index * RECORD_SIZE);
  }
}

/** An answer of that many limits, all zero. */
export function emptyDecision(limits: i32): LimitDecision {
  const at = allocate(4 + answerSize(limits));
  memory.fill(at, 0, 4 + answerSize(limits));
  return changetype<LimitDecision>(at);
}

/** Reads the host's answer. One that is cut short counts as a refusal. */
export function decodeDecision(bytes: Bytes, ticket: u32): LimitDecision {
  if (bytes.length < answerSize(1)) return emptyDecision(1);
  const at = allocate(4 + bytes.length);
  store<u32>(at, ticket);
  memory.copy(at + 4, bytes.start, bytes.length);
  return changetype<LimitDecision>(at);
}
