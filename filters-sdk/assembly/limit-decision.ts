import { allocate } from './arena';
import { Bytes } from './bytes';

export const ANSWER_SIZE = 20;

/** What a limit answers. `Pending`: the stream must pause; `onLimitDecision` comes with the answer. */
export enum LimitState {
  Denied = 0,
  Allowed = 1,
  Pending = 2,
  /** The host cannot say: it has no room, or the arguments are not valid. */
  Unavailable = 3,
}

/** The answer of a limit, as the host lays it out. Valid until the callback returns. */
@unmanaged
export class LimitDecision {
  private state: u32;
  /** Requests that would be allowed right now. */
  remaining: u32;
  /** The most that `remaining` can be. */
  limit: u32;
  /** Milliseconds until `remaining` is `limit` again, if nothing more comes. */
  resetMs: u32;
  /** Milliseconds until a request that was denied would be allowed; 0 where it was allowed. */
  retryAfterMs: u32;
  /** The number of the `take` that this answers where it came later; else 0. */
  ticket: u32;

  get allowed(): bool {
    return this.state == <u32>LimitState.Allowed;
  }
}

/** Reads the host's answer. One that is cut short counts as a refusal. */
export function decodeDecision(bytes: Bytes, ticket: u32): LimitDecision {
  const at = allocate(ANSWER_SIZE + 4);
  memory.fill(at, 0, ANSWER_SIZE);
  if (bytes.length >= ANSWER_SIZE) memory.copy(at, bytes.start, ANSWER_SIZE);
  const decision = changetype<LimitDecision>(at);
  decision.ticket = ticket;
  return decision;
}
