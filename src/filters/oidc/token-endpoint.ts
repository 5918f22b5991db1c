import { ByteWriter, Bytes, PairsWriter, logWarn, setTickPeriod, view } from '@weir/filters-sdk/assembly';
import { clientCredentials } from '@weir/filters-sdk/assembly/bearer';
import { JsonKind, JsonValue, readJson } from '@weir/filters-sdk/assembly/json';
import { HttpAnswer, call, sleep, wait } from '@weir/filters-sdk/assembly/wait';
import { nowMs } from '../jwt/remote-keys';
import { Verdict, verified, verifyToken } from '../jwt/token';
import { ClientAuth, OidcConfig } from './config';
import { Discovery } from './discovery';
import { Session } from './session';
import { addParameter } from './url';

const NONE = new ArrayBuffer(0);
const STEP_MS: u32 = 20;
const MOST_BYTES = 64 * 1024;

export enum Outcome {
  Granted,
  /** The provider says no, or what it gave is not right. */
  Refused,
  /** It could not be asked. */
  Failed,
}

/** What the token endpoint was asked, and what came of it. */
export class Grant {
  outcome: Outcome = Outcome.Failed;
  session: Session = new Session();
}

/** Exchanges a code (OpenID Connect Core, section 3.1.3). Waits. */
export function redeem(
  config: OidcConfig,
  discovery: Discovery,
  code: Bytes,
  redirectUri: ArrayBuffer,
  verifier: ArrayBuffer,
  nonce: ArrayBuffer,
): Grant {
  const form = new ByteWriter(512);
  addParameter(form, 'grant_type', 'authorization_code');
  addParameter(form, 'code', code);
  addParameter(form, 'redirect_uri', redirectUri);
  addParameter(form, 'code_verifier', verifier);
  const grant = ask(config, discovery, form);
  if (grant.outcome != Outcome.Granted) return grant;
  const session = grant.session;
  session.created = nowMs();
  if (session.idToken.byteLength == 0 || !isRight(config, discovery, session, nonce))
    grant.outcome = Outcome.Refused;
  return grant;
}

/** Gets new tokens for a session (section 12). Waits. */
export function refresh(config: OidcConfig, discovery: Discovery, before: Session): Grant {
  const form = new ByteWriter(512);
  addParameter(form, 'grant_type', 'refresh_token');
  addParameter(form, 'refresh_token', before.refreshToken);
  const grant = ask(config, discovery, form);
  if (grant.outcome != Outcome.Granted) return grant;
  const session = grant.session;
  session.created = before.created;
  if (session.refreshToken.byteLength == 0) session.refreshToken = before.refreshToken;
  if (session.idToken.byteLength == 0) {
    session.idToken = before.idToken;
    session.claims = before.claims;
    return grant;
  }
  // It must be of the same person as before.
  const right = isRight(config, discovery, session, NONE) && isSameSubject(session.claims, before.claims);
  if (!right) grant.outcome = Outcome.Refused;
  return grant;
}

function ask(config: OidcConfig, discovery: Discovery, form: ByteWriter): Grant {
  const head = new PairsWriter();
  const url = discovery.token;
  head
    .add(':method', 'POST')
    .add(':scheme', url.scheme)
    .add(':authority', url.authority)
    .add(':path', url.path);
  head.add('content-type', 'application/x-www-form-urlencoded').add('accept', 'application/json');
  if (config.clientAuth == ClientAuth.Basic)
    head.add('authorization', clientCredentials(config.clientId, config.clientSecret));
  else {
    addParameter(form, 'client_id', config.clientId);
    if (config.clientAuth == ClientAuth.Post) addParameter(form, 'client_secret', config.clientSecret);
  }
  const answer = wait(call(config.upstream, head, form.view(), config.timeoutMs));
  return read(answer);
}

function read(answer: HttpAnswer): Grant {
  const grant = new Grant();
  if (answer.failed || answer.status >= 500) {
    logWarn('token endpoint: status ' + answer.status.toString());
    return grant;
  }
  grant.outcome = Outcome.Refused;
  const body = answer.body;
  const tokens: JsonValue | null = body.length > MOST_BYTES ? null : readJson(body);
  if (answer.status != 200 || tokens === null || tokens.kind != JsonKind.Object) {
    const error = tokens === null || tokens.kind != JsonKind.Object ? NONE : textIn(tokens, 'error');
    logWarn('token endpoint: status ' + answer.status.toString() + ' ' + String.UTF8.decode(error));
    return grant;
  }
  const session = grant.session;
  session.accessToken = textIn(tokens, 'access_token');
  session.refreshToken = textIn(tokens, 'refresh_token');
  session.idToken = textIn(tokens, 'id_token');
  const seconds = tokens.get('expires_in');
  if (seconds !== null && seconds.kind == JsonKind.Number && seconds.number > 0 && seconds.number < 1e9)
    session.expires = nowMs() + <i64>(seconds.number * 1000);
  if (session.accessToken.byteLength > 0) grant.outcome = Outcome.Granted;
  return grant;
}

function textIn(object: JsonValue, name: string): ArrayBuffer {
  const value = object.get(name);
  return value !== null && value.kind == JsonKind.String ? value.text : NONE;
}

/** Checks the ID token (section 3.1.3.7), and puts its claims into the session. @param nonce empty: of a refresh */
function isRight(config: OidcConfig, discovery: Discovery, session: Session, nonce: ArrayBuffer): bool {
  let verdict = Verdict.NoKeys;
  for (let waited: u32 = 0; ; waited += STEP_MS) {
    verdict = verifyToken(view(session.idToken), [discovery.provider], nowMs());
    const remote = discovery.provider.remote;
    if (verdict != Verdict.NoKeys && verdict != Verdict.UnknownKey) break;
    if (remote === null || waited >= config.timeoutMs || !remote.wantAgain(nowMs())) break;
    // The keys are fetched by the root context.
    setTickPeriod(1);
    wait(sleep(STEP_MS));
  }
  if (verdict != Verdict.Valid) {
    logWarn('the ID token is not right: ' + (<i32>verdict).toString());
    return false;
  }
  session.claims = verified!.payload;
  const claims = readJson(view(session.claims));
  if (claims === null) return false;
  const told = textIn(claims, 'nonce');
  if (nonce.byteLength > 0 && !view(told).equals(nonce)) return false;
  // Where it is for several, it must have been made for this client.
  const party = claims.get('azp');
  return party === null || (party.kind == JsonKind.String && view(party.text).equals(config.clientId));
}

function isSameSubject(left: ArrayBuffer, right: ArrayBuffer): bool {
  const one = readJson(view(left));
  if (one === null) return false;
  const subject = textIn(one, 'sub');
  const other = readJson(view(right));
  return other !== null && subject.byteLength > 0 && view(subject).equals(textIn(other, 'sub'));
}
