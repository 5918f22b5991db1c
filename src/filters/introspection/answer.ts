import { Bytes, view } from '@weir/filters-sdk/assembly';
import { claimTime } from '@weir/filters-sdk/assembly/claims';
import { JsonKind, JsonValue, readJson } from '@weir/filters-sdk/assembly/json';
import { IntrospectionConfig } from './config';

export enum Verdict {
  Active,
  Inactive,
  /** It lacks a scope. */
  Scope,
  /** What came is no answer of RFC 7662. */
  None,
}

/** What a server has said of a token. */
export class Known {
  constructor(
    public verdict: Verdict,
    /** Milliseconds since 1970. */
    public until: i64,
    /** By the claims of the configuration; null: the answer has not got the claim. */
    public values: Array<ArrayBuffer | null>,
    public consumer: ArrayBuffer | null,
    /** All claims, as JSON text. */
    public claims: ArrayBuffer,
  ) {}
}

/** Reads the answer of an introspection endpoint (RFC 7662, section 2.2). @param time milliseconds since 1970 */
export function readAnswer(config: IntrospectionConfig, body: Bytes, time: i64): Known {
  const known = new Known(Verdict.None, 0, [], null, new ArrayBuffer(0));
  const answer = readJson<Bytes>(body);
  const active: JsonValue | null = answer === null ? null : answer.get('active');
  if (answer === null || answer.kind != JsonKind.Object || active === null || active.kind != JsonKind.Boolean)
    return known;
  known.until = time + config.negativeCacheMs;
  known.verdict = Verdict.Inactive;
  const expires = claimTime(answer, 'exp', i64.MAX_VALUE);
  if (active.number == 0 || !isInTime(config, answer, expires, time) || !isMeant(config, answer))
    return known;
  known.verdict = hasScopes(config, answer) ? Verdict.Active : Verdict.Scope;
  // Whatever is remembered ends with the token.
  known.until = min(time + config.cacheMs, expires == i64.MAX_VALUE ? expires : expires + config.skewMs);
  for (let i = 0; i < config.claims.length; i++) known.values.push(config.claims[i].textIn(answer, body));
  const consumer = config.consumer;
  known.consumer = consumer === null ? null : consumer.text(answer);
  known.claims = body.copy();
  return known;
}

function isInTime(config: IntrospectionConfig, answer: JsonValue, expires: i64, time: i64): bool {
  const begins = claimTime(answer, 'nbf', 0);
  if (expires < 0 || begins < 0) return false;
  return begins <= time + config.skewMs && (expires == i64.MAX_VALUE || time < expires + config.skewMs);
}

/** Whether it is of the issuer and for an audience that count. */
function isMeant(config: IntrospectionConfig, answer: JsonValue): bool {
  if (config.issuer.byteLength > 0) {
    const issuer = answer.get('iss');
    if (issuer === null || issuer.kind != JsonKind.String || !view(issuer.text).equals(config.issuer))
      return false;
  }
  if (config.audiences.length == 0) return true;
  const audience = answer.get('aud');
  if (audience === null) return false;
  if (audience.kind == JsonKind.String) return isWanted(config, audience);
  if (audience.kind != JsonKind.Array) return false;
  for (let i = 0; i < audience.items.length; i++) if (isWanted(config, audience.items[i])) return true;
  return false;
}

function isWanted(config: IntrospectionConfig, audience: JsonValue): bool {
  if (audience.kind != JsonKind.String) return false;
  for (let i = 0; i < config.audiences.length; i++)
    if (view(audience.text).equals(config.audiences[i])) return true;
  return false;
}

/** `scope` is a list with blanks between. */
function hasScopes(config: IntrospectionConfig, answer: JsonValue): bool {
  if (config.scopes.length == 0) return true;
  const scope = answer.get('scope');
  if (scope === null || scope.kind != JsonKind.String) return false;
  for (let i = 0; i < config.scopes.length; i++)
    if (!hasWord(view(scope.text), view(config.scopes[i]))) return false;
  return true;
}

function hasWord(list: Bytes, wanted: Bytes): bool {
  for (let from = 0; from <= list.length;) {
    const blank = list.indexOf(32, from);
    const end = blank < 0 ? list.length : blank;
    if (list.slice(from, end).equals(wanted)) return true;
    from = end + 1;
  }
  return false;
}
