import { ByteWriter, Bytes, view } from '@weir/filters-sdk/assembly';
import { claimTime } from '@weir/filters-sdk/assembly/claims';
import { Consumer } from '@weir/filters-sdk/assembly/consumer';
import { JsonKind, JsonValue, readJson } from '@weir/filters-sdk/assembly/json';
import { decodeBase64Url } from '@weir/filters-sdk/assembly/jws';
import { Key, textOf } from './keys';
import { Provider } from './provider';

/** Longer tokens are refused unread. */
const MOST_BYTES = 8192;

const head = new ByteWriter(256);
const body = new ByteWriter(1024);
const signature = new ByteWriter(512);

export enum Verdict {
  Valid,
  Invalid,
  Expired,
  /** Right but for its signature, and there are no keys at all to check that. */
  NoKeys,
  /** It names a key that its provider has not published, as far as is known. */
  UnknownKey,
}

/** What is kept of a token that was found right. */
export class Verified {
  constructor(
    public provider: Provider,
    /** Milliseconds since 1970, skew included; the time between which it may be used. */
    public begin: i64,
    public end: i64,
    /** By the provider's claims; null: the token has not got the claim. */
    public values: Array<ArrayBuffer | null>,
    /** As one claim names it. */
    public name: ArrayBuffer | null,
    /** One of those that are listed. */
    public consumer: Consumer | null,
    /** All claims, as JSON text. */
    public payload: ArrayBuffer,
  ) {}
}

/** Of the token that `verifyToken` saw last. */
export let verified: Verified | null = null;
export let providerOf: Provider | null = null;

/**
 * Checks a JWS in compact form (RFC 7515, section 5.2; RFC 7519, section 7.2) against the provider that its `iss`
 * names. A token is refused that leaves anything to guess.
 *
 * @param time milliseconds since 1970
 */
export function verifyToken(token: Bytes, providers: Provider[], time: i64): Verdict {
  verified = null;
  providerOf = null;
  if (token.length > MOST_BYTES) return Verdict.Invalid;
  const first = token.indexOf(46);
  const second = first < 0 ? -1 : token.indexOf(46, first + 1);
  if (second < 0 || token.indexOf(46, second + 1) >= 0) return Verdict.Invalid;
  const header = readPart(token.slice(0, first), head);
  if (header === null || !isPlain(header)) return Verdict.Invalid;
  const algorithm = textOf(header, 'alg');
  const named = header.get('kid');
  const id = textOf(header, 'kid');
  if (algorithm === null || (named !== null && id === null)) return Verdict.Invalid;

  const payload = readPart(token.slice(first + 1, second), body);
  if (payload === null) return Verdict.Invalid;
  const provider = providerFor(payload, providers);
  if (provider === null || !provider.allows(algorithm)) return Verdict.Invalid;
  if (!provider.takesType(header.get('typ')) || !provider.takes(payload.get('aud'))) return Verdict.Invalid;
  signature.clear();
  if (!decodeBase64Url(token.slice(second + 1), signature) || signature.length == 0) return Verdict.Invalid;
  const times = timesOf(payload, provider, time);
  if (times === null) return Verdict.Invalid;

  providerOf = provider;
  if (provider.keys.length == 0) return Verdict.NoKeys;
  let known = false;
  let right = false;
  for (let i = 0; i < provider.keys.length && !right; i++) {
    const key: Key = provider.keys[i];
    if (!key.mayHaveSigned(algorithm, id)) continue;
    known = true;
    right = key.verify(algorithm, token.slice(0, second), signature.view());
  }
  if (!right) return known ? Verdict.Invalid : Verdict.UnknownKey;
  // Only whoever has a right signature learns that its time is over.
  if (time < times.begin || time >= times.end) return Verdict.Expired;
  const consumer = provider.consumers.find(payload);
  verified = new Verified(
    provider,
    times.begin,
    consumer === null ? times.end : min(times.end, provider.consumers.end),
    valuesOf(payload, provider),
    provider.consumer === null ? null : provider.consumer!.text(payload),
    consumer,
    body.copy(),
  );
  return Verdict.Valid;
}

/** A part as the object that it is; null where it is none. */
function readPart(part: Bytes, into: ByteWriter): JsonValue | null {
  into.clear();
  if (!decodeBase64Url(part, into)) return null;
  const value = readJson<Bytes>(into.view());
  return value !== null && value.kind == JsonKind.Object ? value : null;
}

/** Whether a header asks for nothing beyond a signature by a key that is known already. */
function isPlain(header: JsonValue): bool {
  return (
    header.get('crit') === null &&
    header.get('jku') === null &&
    header.get('jwk') === null &&
    header.get('x5u') === null &&
    header.get('x5c') === null &&
    header.get('b64') === null &&
    header.get('zip') === null
  );
}

function providerFor(payload: JsonValue, providers: Provider[]): Provider | null {
  const issuer = textOf(payload, 'iss');
  if (issuer === null) return null;
  for (let i = 0; i < providers.length; i++)
    if (view(issuer).equals(providers[i].issuer)) return providers[i];
  return null;
}

class Times {
  constructor(
    public begin: i64,
    public end: i64,
  ) {}
}

/** When the token may be used; null where a time in it is none, or one is missing. */
function timesOf(payload: JsonValue, provider: Provider, now: i64): Times | null {
  const expires = claimTime(payload, 'exp', i64.MAX_VALUE);
  const begins = claimTime(payload, 'nbf', 0);
  const issued = claimTime(payload, 'iat', 0);
  if (expires < 0 || begins < 0 || issued < 0) return null;
  if (expires == i64.MAX_VALUE && provider.requireExpiry) return null;
  // A token of the future was made by somebody whose clock nobody can trust.
  const begin = max(begins, issued) - provider.skewMs;
  return new Times(begin, expires == i64.MAX_VALUE ? expires : expires + provider.skewMs);
}

function valuesOf(payload: JsonValue, provider: Provider): Array<ArrayBuffer | null> {
  const values = new Array<ArrayBuffer | null>();
  for (let i = 0; i < provider.claims.length; i++) {
    values.push(provider.claims[i].textIn(payload, body.view()));
  }
  return values;
}
