import { createHmac, timingSafeEqual } from 'node:crypto';

/** The field of a request that wants to be explained: tokens, with commas between them. */
export const EXPLAIN_FIELD = 'x-weir-explain';

const SHAPE = /^(\d{1,10})\.(\d{13})\.([\w-]{43})$/;

/**
 * @param session number of the session that is to explain the request
 * @param until milliseconds since 1970
 * @param key of the session
 */
export function signToken(session: number, until: number, key: Buffer): string {
  const claim = `${session}.${until}`;
  return `${claim}.${signature(claim, key)}`;
}

/** The session whose token this is, where its key has signed it and it is still good; else null. */
export function sessionOf(
  token: string,
  keyOf: (session: number) => Buffer | undefined,
  now: number,
): number | null {
  const [, session, until, given] = SHAPE.exec(token) ?? [];
  if (session === undefined || Number(until) < now) return null;
  const key = keyOf(Number(session));
  if (key === undefined) return null;
  const right = signature(`${session}.${until}`, key);
  return timingSafeEqual(Buffer.from(given!), Buffer.from(right)) ? Number(session) : null;
}

function signature(claim: string, key: Buffer): string {
  return createHmac('sha256', key).update(`${EXPLAIN_FIELD} ${claim}`).digest('base64url');
}
