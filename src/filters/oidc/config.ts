import { ByteWriter, Reply, utf8, view } from '@weir/filters-sdk/assembly';
import { Claim, ClaimHeader } from '@weir/filters-sdk/assembly/claims';
import { Config, JsonKind, faultAt, readConfig } from '@weir/filters-sdk/assembly/config';
import { sha256 } from '@weir/filters-sdk/assembly/sha256';
import { HttpUrl } from '@weir/filters-sdk/assembly/url';
import { parseEndpoint } from './url';

const NONE = new ArrayBuffer(0);
const SECOND: i64 = 1000;
const LEAST_SECRET = 32;

/** How weir says to the provider who it is (OpenID Connect Core, section 9). */
export enum ClientAuth {
  Basic,
  Post,
  None,
}

export class OidcConfig {
  issuer: ArrayBuffer = NONE;
  issuerUrl: HttpUrl = new HttpUrl('https', NONE, NONE);
  upstream: ArrayBuffer = NONE;
  timeoutMs: u32 = 5000;
  clientId: ArrayBuffer = NONE;
  clientSecret: ArrayBuffer = NONE;
  clientAuth: ClientAuth = ClientAuth.Basic;
  scopes: ArrayBuffer = NONE;
  /** The first seals, all open. */
  keys: ArrayBuffer[] = [];
  redirectPath: ArrayBuffer = NONE;
  logoutPath: ArrayBuffer = NONE;
  afterLogout: ArrayBuffer = NONE;
  /** Scheme and host as browsers have them; empty: those of the request. */
  origin: ArrayBuffer = NONE;
  /** Hosts that may be led to the provider; empty: all that come here. */
  hosts: ArrayBuffer[] = [];
  cookieName: ArrayBuffer = NONE;
  loginName: ArrayBuffer = NONE;
  /** What sessions and logins are sealed for: another filter with the same secret opens neither. */
  sessionContext: ArrayBuffer = NONE;
  loginContext: ArrayBuffer = NONE;
  /** What follows the value of each cookie. */
  cookieEnd: ArrayBuffer = NONE;
  sessionMs: i64 = 0;
  refreshMs: i64 = 0;
  skewMs: i64 = 0;
  claims: ClaimHeader[] = [];
  consumer: Claim | null = null;
  forwardToken: bool = false;
  owned: ArrayBuffer[] = [];
  unauthenticated: Reply = Reply.problem(401, 'Unauthorized', 'a login is required', 'oidc_login_required');
  refused: Reply = Reply.problem(403, 'Forbidden', 'the login did not succeed', 'oidc_login_failed');
  unknownLogin: Reply = Reply.problem(
    400,
    'Bad Request',
    'this login is not known or too old; open the page again',
    'oidc_login_unknown',
  );
  unknownHost: Reply = Reply.problem(400, 'Bad Request', 'no login at this host', 'oidc_unknown_host');
  tooLarge: Reply = Reply.problem(
    500,
    'Internal Server Error',
    'the session is larger than cookies may be',
    'oidc_session_too_large',
  );
  unavailable: Reply = Reply.problem(
    503,
    'Service Unavailable',
    'the provider of logins cannot be asked now',
    'oidc_unavailable',
  );

  read(configuration: ArrayBuffer): bool {
    const config = readConfig(configuration);
    this.readProvider(config);
    this.readPlaces(config);
    this.readCookies(config);
    const session = config.object('session');
    this.sessionMs = session.duration('lifetime', 60 * SECOND, 31 * 86_400 * SECOND, 8 * 3600 * SECOND);
    this.refreshMs = session.duration('refreshBefore', SECOND, 3600 * SECOND, 60 * SECOND);
    this.skewMs = config.duration('clockSkew', SECOND, 300 * SECOND, 30 * SECOND);
    this.claims = ClaimHeader.readAll(config.items('claimsToHeaders'), this.owned);
    const consumer = config.member('consumerClaim');
    if (consumer !== null) this.consumer = Claim.read(consumer);
    this.forwardToken = config.boolean('forwardAccessToken', false);
    if (this.forwardToken) this.owned.push(utf8('authorization'));
    this.unavailable.headers.add('retry-after', '1');
    return config.end();
  }

  private readProvider(config: Config): void {
    this.issuer = config.text('issuer');
    const url = parseEndpoint(view(this.issuer));
    if (url === null) config.fault('issuer', '"issuer" must be an http or https URL');
    else this.issuerUrl = url;
    this.upstream = config.text('upstream');
    this.timeoutMs = <u32>config.duration('timeout', 100, 30 * SECOND, 5 * SECOND);
    this.clientId = config.text('clientId');
    this.clientAuth = config.choice('clientAuth', ['basic', 'post', 'none']);
    const isPublic = this.clientAuth == ClientAuth.None;
    if (isPublic == config.has('clientSecret'))
      faultAt(
        config.value,
        isPublic ? 'a public client has no "clientSecret"' : '"clientSecret" is required',
      );
    if (!isPublic) this.clientSecret = config.text('clientSecret');
    const scopes = config.items('scopes');
    let text = 'openid';
    for (let i = 0; i < scopes.length; i++) {
      if (scopes[i].kind != JsonKind.String) faultAt(scopes[i], 'expected a string');
      else if (!scopes[i].is('openid')) text += ' ' + String.UTF8.decode(scopes[i].text);
    }
    this.scopes = utf8(text);
  }

  private readPlaces(config: Config): void {
    this.redirectPath = this.pathIn(config, 'redirectPath', '/oauth2/callback');
    this.logoutPath = this.pathIn(config, 'logoutPath', '/oauth2/logout');
    this.afterLogout = this.pathIn(config, 'afterLogout', '/');
    this.origin = config.text('origin', NONE);
    const origin: HttpUrl | null = this.origin.byteLength == 0 ? null : parseEndpoint(view(this.origin));
    if (this.origin.byteLength > 0 && (origin === null || view(this.origin).lastIndexOf(47) > 7))
      config.fault('origin', 'expected a scheme and a host, such as https://app.example.com');
    const hosts = config.items('hosts');
    for (let i = 0; i < hosts.length; i++) {
      if (hosts[i].kind != JsonKind.String) faultAt(hosts[i], 'expected a string');
      this.hosts.push(hosts[i].text);
    }
  }

  private pathIn(config: Config, name: string, missing: string): ArrayBuffer {
    const path = config.text(name, utf8(missing));
    const bytes = view(path);
    if (bytes.length == 0 || bytes.at(0) != 47 || bytes.indexOf(63) >= 0)
      config.fault(name, 'must be a path');
    return path;
  }

  private readCookies(config: Config): void {
    const secrets = config.items('cookieSecrets');
    if (secrets.length == 0) faultAt(config.value, '"cookieSecrets" must hold at least one');
    for (let i = 0; i < secrets.length; i++) {
      const secret = secrets[i];
      if (secret.kind != JsonKind.String || secret.text.byteLength < LEAST_SECRET)
        faultAt(secret, 'a secret has at least 32 bytes');
      const key = new ArrayBuffer(32);
      sha256(changetype<usize>(secret.text), secret.text.byteLength, changetype<usize>(key));
      this.keys.push(key);
    }
    const cookie = config.object('cookie');
    const secure = cookie.boolean('secure', true);
    // The prefix has browsers refuse it from other hosts and over http (RFC 6265bis, section 4.1.3.2).
    const name = cookie.has('name')
      ? String.UTF8.decode(cookie.text('name'))
      : secure
        ? '__Host-weir-session'
        : 'weir-session';
    for (let i = 0; i < name.length; i++) {
      const code = name.charCodeAt(i);
      if (<u32>((code | 32) - 97) >= 26 && <u32>(code - 48) >= 10 && code != 45 && code != 95)
        cookie.fault('name', 'expected letters, digits, - and _');
    }
    this.cookieName = utf8(name);
    this.loginName = utf8(name + '-login-');
    this.sessionContext = this.contextOf(this.cookieName);
    this.loginContext = this.contextOf(this.loginName);
    const site = cookie.choice('sameSite', ['Lax', 'None', 'Strict']);
    const sites = ['Lax', 'None', 'Strict'];
    this.cookieEnd = utf8('; Path=/; HttpOnly; SameSite=' + sites[site] + (secure ? '; Secure' : ''));
  }

  private contextOf(name: ArrayBuffer): ArrayBuffer {
    const context = new ByteWriter(128).add(name).addByte(0).add(this.issuer).addByte(0).add(this.clientId);
    return context.copy();
  }
}
