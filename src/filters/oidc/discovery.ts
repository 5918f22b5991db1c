import { CallResponse, PairsWriter, httpCall, logWarn, utf8, view } from '@weir/filters-sdk/assembly';
import { JsonKind, JsonValue, readJson } from '@weir/filters-sdk/assembly/json';
import { HttpUrl } from '@weir/filters-sdk/assembly/url';
import { ALGORITHMS, Provider } from '../jwt/provider';
import { RemoteKeys } from '../jwt/remote-keys';
import { OidcConfig } from './config';
import { parseEndpoint } from './url';

const AGAIN_MS: i64 = 3_600_000;
const RETRY_MS: i64 = 1000;
const MOST_BYTES = 128 * 1024;
const KEYS_MS: i64 = 600_000;
const STALE_MS: i64 = 86_400_000;

/** What a provider says of itself (OpenID Connect Discovery), and its keys. */
export class Discovery {
  /** False: nothing is known yet. */
  known: bool = false;
  authorization: ArrayBuffer = new ArrayBuffer(0);
  token: HttpUrl = new HttpUrl('https', new ArrayBuffer(0), new ArrayBuffer(0));
  /** Empty: it has none. */
  endSession: ArrayBuffer = new ArrayBuffer(0);
  readonly provider: Provider;
  private call: u32 = 0;
  private due: i64 = 0;

  constructor(private config: OidcConfig) {
    this.provider = new Provider(utf8('oidc'), config.issuer);
    this.provider.audiences.push(config.clientId);
    this.provider.skewMs = config.skewMs;
    for (let i = 0; i < ALGORITHMS.length; i++) this.provider.algorithms.push(utf8(ALGORITHMS[i]));
  }

  /** Asks where it is time to. For the root context's tick. */
  tick(time: i64): void {
    if (this.call == 0 && time >= this.due) this.fetch(time);
    const remote = this.provider.remote;
    if (remote !== null && remote.tick(time)) this.provider.keys = remote.keys;
  }

  private fetch(time: i64): void {
    this.due = time + RETRY_MS;
    const url = this.config.issuerUrl;
    let path = String.UTF8.decode(url.path);
    while (path.endsWith('/')) path = path.substring(0, path.length - 1);
    const head = new PairsWriter();
    head.add(':method', 'GET').add(':scheme', url.scheme).add(':authority', url.authority);
    head.add(':path', path + '/.well-known/openid-configuration').add('accept', 'application/json');
    this.call = httpCall(this.config.upstream, head, '', this.config.timeoutMs);
  }

  /** @returns whether the answer was meant for it */
  take(response: CallResponse, time: i64): bool {
    const remote = this.provider.remote;
    if (remote !== null && remote.isAnswer(response)) {
      if (remote.take(response, time)) this.provider.keys = remote.keys;
      return true;
    }
    if (this.call == 0 || response.token != this.call) return false;
    this.call = 0;
    if (response.failed || response.status != 200) logWarn('discovery: status ' + response.status.toString());
    else if (this.read(response)) this.due = time + AGAIN_MS;
    return true;
  }

  private read(response: CallResponse): bool {
    const body = response.body;
    const about: JsonValue | null = body.length > MOST_BYTES ? null : readJson(body);
    if (about === null || about.kind != JsonKind.Object) return wrong('no JSON object');
    const issuer = textIn(about, 'issuer');
    // Section 4.3: another issuer could otherwise speak for this one.
    if (issuer === null || !view(issuer).equals(this.config.issuer)) return wrong('another issuer');
    const authorization = textIn(about, 'authorization_endpoint');
    const token = textIn(about, 'token_endpoint');
    const keys = textIn(about, 'jwks_uri');
    if (authorization === null || token === null || keys === null) return wrong('an endpoint is missing');
    const tokenUrl = parseEndpoint(view(token));
    const keysUrl = parseEndpoint(view(keys));
    if (tokenUrl === null || keysUrl === null || parseEndpoint(view(authorization)) === null)
      return wrong('an endpoint is no URL');
    this.authorization = authorization;
    this.token = tokenUrl;
    const endSession = textIn(about, 'end_session_endpoint');
    const hasEnd = endSession !== null && parseEndpoint(view(endSession)) !== null;
    this.endSession = hasEnd ? endSession! : new ArrayBuffer(0);
    if (this.provider.remote === null) {
      const config = this.config;
      this.provider.remote = new RemoteKeys(config.upstream, keysUrl, config.timeoutMs, KEYS_MS, STALE_MS);
    }
    this.known = true;
    return true;
  }
}

function wrong(what: string): bool {
  logWarn('discovery: ' + what);
  return false;
}

function textIn(object: JsonValue, name: string): ArrayBuffer | null {
  const value = object.get(name);
  return value !== null && value.kind == JsonKind.String && value.text.byteLength > 0 ? value.text : null;
}
