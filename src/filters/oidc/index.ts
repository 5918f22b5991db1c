// Logs people in at a provider of OpenID Connect and keeps the session in cookies that nobody else can read. See README.md.
export * from '@weir/filters-sdk/assembly/exports';
import {
  Action,
  ByteWriter,
  Bytes,
  CallResponse,
  Pairs,
  PairsWriter,
  Reply,
  RootContext,
  StreamContext,
  getShared,
  registerRoot,
  requestHeaders,
  responseHeaders,
  setProperty,
  setTickPeriod,
  utf8,
  view,
} from '@weir/filters-sdk/assembly';
import { announceConsumer } from '@weir/filters-sdk/assembly/consumer';
import { addBase64Url } from '@weir/filters-sdk/assembly/base64url';
import { addShared, deleteShared, setSharedFor } from '@weir/filters-sdk/assembly/counters';
import { removeSpellings } from '@weir/filters-sdk/assembly/fields';
import { readJson } from '@weir/filters-sdk/assembly/json';
import { Parts, decodeQuery } from '@weir/filters-sdk/assembly/parts';
import { randomBytes } from '@weir/filters-sdk/assembly/sealing';
import { sha256 } from '@weir/filters-sdk/assembly/sha256';
import { sleep, wait } from '@weir/filters-sdk/assembly/wait';
import { nowMs } from '../jwt/remote-keys';
import { OidcConfig } from './config';
import {
  addLogin,
  addSession,
  findCookie,
  loginCookie,
  readSession,
  removeLogins,
  removeSession,
  stripCookies,
} from './cookies';
import { Discovery } from './discovery';
import { Login, Session, isSame } from './session';
import { Grant, Outcome, redeem, refresh } from './token-endpoint';
import { addParameter, isLocal } from './url';

const NONE = new ArrayBuffer(0);
const PAYLOAD = utf8('jwt.payload');
const TICK_MS = 1000;
const STEP_MS: u32 = 20;
const LOGIN_SECONDS: i64 = 600;
const MOST_LOGINS = 5;
/** Of what is kept of a target: browsers keep no larger cookie than 4096 bytes. */
const MOST_TARGET = 2048;
/** One worker refreshes; what came of it the others find for so long. */
const LOCK_MS: u32 = 10_000;
const SHARED_MS: u32 = 10_000;

const digest = memory.data(32);
const parts = new Parts();

class OidcRoot extends RootContext {
  readonly config: OidcConfig = new OidcConfig();
  private found: Discovery | null = null;

  onConfigure(configuration: ArrayBuffer): bool {
    if (!this.config.read(configuration)) return false;
    this.found = new Discovery(this.config);
    setTickPeriod(1);
    return true;
  }

  get discovery(): Discovery {
    return this.found!;
  }

  createStream(): StreamContext {
    return new Oidc(this);
  }

  onTick(): void {
    setTickPeriod(TICK_MS);
    this.discovery.tick(nowMs());
  }

  onCallResponse(response: CallResponse): void {
    this.discovery.take(response, nowMs());
    setTickPeriod(1);
  }
}

class Oidc extends StreamContext {
  /** Cookies for the answer, after a refresh: the session as text. */
  private renewed: ArrayBuffer = NONE;
  /** The provider could not be asked, and what is known does not do. */
  private failed: bool = false;

  constructor(private root: OidcRoot) {
    super();
  }

  onRequestHeaders(_count: i32, _endOfStream: bool): Action {
    const config = this.root.config;
    const target = requestHeaders.get(':path');
    if (target === null) return config.unauthenticated.send();
    const mark = target.indexOf(63);
    const path = mark < 0 ? target : target.slice(0, mark);
    if (path.equals(config.redirectPath)) return this.finishLogin(target);
    if (path.equals(config.logoutPath)) return this.logout();
    const text = readSession(config);
    const id = text.length > 0 ? idOf(text) : '';
    let session: Session | null = text.length > 0 ? Session.open(config, text, nowMs()) : null;
    if (session !== null && this.isDue(session)) session = this.renew(session, id);
    if (this.failed) return config.unavailable.send();
    return session === null ? this.startLogin(target) : this.admit(session);
  }

  private isDue(session: Session): bool {
    if (session.refreshToken.byteLength == 0 || session.expires == 0) return false;
    return nowMs() >= session.expires - this.root.config.refreshMs;
  }

  /** The session with new tokens, or null where the provider ends it. Requests of one session refresh it once. */
  private renew(session: Session, id: string): Session | null {
    const config = this.root.config;
    const known = this.findRenewed(id);
    if (known !== null) return known.session;
    const locks = addShared('oidc-lock-' + id, 1, LOCK_MS);
    if (locks !== null && locks.value > 1) return this.awaitRenewed(session, id);
    const grant = this.refreshed(session);
    if (grant.outcome == Outcome.Granted) {
      this.renewed = grant.session.seal(config).copy();
      setSharedFor('oidc-session-' + id, this.renewed, SHARED_MS);
      return grant.session;
    }
    if (grant.outcome == Outcome.Refused) {
      setSharedFor('oidc-session-' + id, NONE, SHARED_MS);
      return null;
    }
    deleteShared('oidc-lock-' + id);
    return this.asItWas(session);
  }

  private refreshed(session: Session): Grant {
    return this.isDiscovered() ? refresh(this.root.config, this.root.discovery, session) : new Grant();
  }

  private awaitRenewed(session: Session, id: string): Session | null {
    for (let waited: u32 = 0; waited < this.root.config.timeoutMs; waited += STEP_MS) {
      const known = this.findRenewed(id);
      if (known !== null) return known.session;
      wait(sleep(STEP_MS));
    }
    return this.asItWas(session);
  }

  private findRenewed(id: string): Renewed | null {
    const text = getShared('oidc-session-' + id);
    if (text === null) return null;
    this.renewed = text.copy();
    return new Renewed(Session.open(this.root.config, view(this.renewed), nowMs()));
  }

  /** Where nobody could be asked, the session counts for as long as its access token does. */
  private asItWas(session: Session): Session | null {
    this.failed = nowMs() >= session.expires;
    return this.failed ? null : session;
  }

  /** Waits until the provider's endpoints are known. */
  private isDiscovered(): bool {
    const discovery = this.root.discovery;
    for (let waited: u32 = 0; !discovery.known && waited < this.root.config.timeoutMs; waited += STEP_MS) {
      setTickPeriod(1);
      wait(sleep(STEP_MS));
    }
    return discovery.known;
  }

  private admit(session: Session): Action {
    const config = this.root.config;
    removeSpellings(config.owned);
    const text = view(session.claims);
    const claims = readJson(text);
    if (claims === null) return config.unauthenticated.send();
    for (let i = 0; i < config.claims.length; i++) {
      const value = config.claims[i].textIn(claims, text);
      if (value !== null) requestHeaders.set<ArrayBuffer, ArrayBuffer>(config.claims[i].header, value);
    }
    if (config.forwardToken)
      requestHeaders.set(
        'authorization',
        new ByteWriter(1024).add('Bearer ').add(session.accessToken).view(),
      );
    setProperty(PAYLOAD, session.claims);
    const claim = config.consumer;
    const consumer: ArrayBuffer | null = claim === null ? null : claim.text(claims);
    if (consumer !== null) announceConsumer<ArrayBuffer>(consumer);
    stripCookies(config);
    return Action.Continue;
  }

  private startLogin(target: Bytes): Action {
    const config = this.root.config;
    if (!isNavigation()) return config.unauthenticated.send();
    const base = baseOf(config);
    if (base === null) return config.unknownHost.send();
    const wanted = target.length <= MOST_TARGET && isLocal(target) ? target.copy() : utf8('/');
    if (!this.isDiscovered()) return config.unavailable.send();
    const login = new Login(randomText(16), randomText(16), randomText(32), wanted, nowMs());
    const sealed = login.seal(config);
    // A host that cannot seal: nobody gets in.
    if (sealed.length == 0) return config.unavailable.send();
    const reply = redirect();
    addLogin(reply.headers, config, view(login.state), sealed, LOGIN_SECONDS);
    removeLogins(reply.headers, config, MOST_LOGINS);
    const location = new ByteWriter(1024).add(this.root.discovery.authorization);
    if (location.view().indexOf(63) < 0) location.addByte(63);
    addParameter(location, 'response_type', 'code');
    addParameter(location, 'client_id', config.clientId);
    addParameter(location, 'redirect_uri', joined(base, config.redirectPath));
    addParameter(location, 'scope', config.scopes);
    addParameter(location, 'state', login.state);
    addParameter(location, 'nonce', login.nonce);
    addParameter(location, 'code_challenge', challengeOf(login.verifier));
    addParameter(location, 'code_challenge_method', 'S256');
    reply.headers.add('location', location.view());
    return reply.send();
  }

  /** The browser is back from the provider. */
  private finishLogin(target: Bytes): Action {
    const config = this.root.config;
    const base = baseOf(config);
    if (base === null) return config.unknownHost.send();
    const state = parameter(target, 'state');
    const cookie: Bytes | null = state === null ? null : findCookie(loginCookie(config, view(state)));
    const login: Login | null = cookie === null ? null : Login.open(config, cookie);
    if (login === null || state === null || !isSame(login.state, view(state)))
      return config.unknownLogin.send();
    if (nowMs() > login.created + LOGIN_SECONDS * 1000) return config.unknownLogin.send();
    // RFC 9207: who answers must be who was asked.
    const issuer = parameter(target, 'iss');
    const code = parameter(target, 'code');
    if (code === null || (issuer !== null && !view(issuer).equals(config.issuer)))
      return config.refused.send();
    if (!this.isDiscovered()) return config.unavailable.send();
    const redirectUri = joined(base, config.redirectPath);
    const grant = redeem(config, this.root.discovery, view(code), redirectUri, login.verifier, login.nonce);
    if (grant.outcome == Outcome.Failed) return config.unavailable.send();
    if (grant.outcome == Outcome.Refused) return config.refused.send();
    const reply = redirect();
    if (!putSession(reply.headers, config, grant.session)) return config.tooLarge.send();
    addLogin(reply.headers, config, view(state), Bytes.of(0, 0), 0);
    reply.headers.add('location', login.target);
    return reply.send();
  }

  private logout(): Action {
    const config = this.root.config;
    const base = baseOf(config);
    if (base === null) return config.unknownHost.send();
    // Another site could end sessions otherwise.
    const site = requestHeaders.get('sec-fetch-site');
    if (site !== null && site.equals('cross-site')) return config.refused.send();
    const session = Session.open(config, readSession(config), nowMs());
    const reply = redirect();
    removeSession(reply.headers, config);
    const end = this.root.discovery.endSession;
    if (session === null || end.byteLength == 0) {
      reply.headers.add('location', config.afterLogout);
      return reply.send();
    }
    const location = new ByteWriter(1024).add(end);
    if (location.view().indexOf(63) < 0) location.addByte(63);
    addParameter(location, 'client_id', config.clientId);
    if (session.idToken.byteLength > 0) addParameter(location, 'id_token_hint', session.idToken);
    addParameter(location, 'post_logout_redirect_uri', joined(base, config.afterLogout));
    reply.headers.add('location', location.view());
    return reply.send();
  }

  onResponseHeaders(_count: i32, _endOfStream: bool): Action {
    if (this.renewed.byteLength == 0) return Action.Continue;
    const config = this.root.config;
    const made = new PairsWriter();
    if (!addSession(made, config, view(this.renewed), config.sessionMs / 1000)) return Action.Continue;
    const fields = made.view();
    const cookies = Pairs.read(fields.start, fields.length);
    while (cookies.next()) responseHeaders.add(cookies.name, cookies.value);
    return Action.Continue;
  }

  recycle(): bool {
    this.renewed = NONE;
    this.failed = false;
    return true;
  }
}

/** What another request of the session has found out; without a session: the provider has ended it. */
class Renewed {
  constructor(public session: Session | null) {}
}

function idOf(text: Bytes): string {
  sha256(text.start, text.length, digest);
  const id = new ByteWriter(32);
  addBase64Url(id, Bytes.of(digest, 18));
  return id.view().toString();
}

/** Whether somebody looks at a page, so that leading the browser away makes sense. */
function isNavigation(): bool {
  const method = requestHeaders.get(':method');
  if (method === null || !method.equals('GET')) return false;
  const mode = requestHeaders.get('sec-fetch-mode');
  if (mode !== null) return mode.equals('navigate');
  const accept = requestHeaders.get('accept');
  return accept !== null && accept.indexOfBytes('text/html') >= 0;
}

/** Scheme and host as the browser has them; null: nobody logs in there. */
function baseOf(config: OidcConfig): ArrayBuffer | null {
  const authority = requestHeaders.get(':authority');
  const scheme = requestHeaders.get(':scheme');
  if (authority === null || scheme === null) return null;
  let known = config.hosts.length == 0;
  for (let i = 0; i < config.hosts.length; i++) if (authority.equalsIgnoreCase(config.hosts[i])) known = true;
  if (!known) return null;
  if (config.origin.byteLength > 0) return config.origin;
  return new ByteWriter(64).add(scheme).add('://').add(authority).copy();
}

function joined(base: ArrayBuffer, path: ArrayBuffer): ArrayBuffer {
  return new ByteWriter(128).add(base).add(path).copy();
}

function randomText(size: i32): ArrayBuffer {
  const text = new ByteWriter(48);
  addBase64Url(text, view(randomBytes(size)));
  return text.copy();
}

/** RFC 7636, section 4.2. */
function challengeOf(verifier: ArrayBuffer): ArrayBuffer {
  sha256(changetype<usize>(verifier), verifier.byteLength, digest);
  const text = new ByteWriter(48);
  addBase64Url(text, Bytes.of(digest, 32));
  return text.copy();
}

/** The one value of a parameter; null where there is none, or several. */
function parameter(target: Bytes, name: string): ArrayBuffer | null {
  const decoded = new ByteWriter(128);
  let found: ArrayBuffer | null = null;
  parts.query(target);
  while (parts.next()) {
    if (!decodeQuery(parts.name, decoded).equals(name)) continue;
    if (found !== null) return null;
    found = decodeQuery(parts.value, decoded).copy();
  }
  return found;
}

/** Without the ID token where that makes it fit: logging out asks the person once more then. */
function putSession(fields: PairsWriter, config: OidcConfig, session: Session): bool {
  const seconds = config.sessionMs / 1000;
  if (addSession(fields, config, session.seal(config), seconds)) return true;
  session.idToken = NONE;
  return addSession(fields, config, session.seal(config), seconds);
}

function redirect(): Reply {
  const reply = new Reply(302, '', 'oidc_redirect');
  reply.headers.add('cache-control', 'no-store');
  return reply;
}

registerRoot(new OidcRoot());
