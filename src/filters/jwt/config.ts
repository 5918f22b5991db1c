import { Reply, utf8, view } from '@weir/filters-sdk/assembly';
import { bearerChallenge, TokenSources } from '@weir/filters-sdk/assembly/bearer';
import { Claim, ClaimHeader } from '@weir/filters-sdk/assembly/claims';
import { Config, JsonKind, JsonValue, faultAt, readConfig } from '@weir/filters-sdk/assembly/config';
import { Consumer, readNotAfter } from '@weir/filters-sdk/assembly/consumer';
import { HttpUrl } from '@weir/filters-sdk/assembly/url';
import { Entry } from './consumers';
import { readKeyList } from './keys';
import { ALGORITHMS, Provider, shortType } from './provider';
import { RemoteKeys } from './remote-keys';

const NONE = new ArrayBuffer(0);
/** The text that offsets of values lead into. */
let configurationText = NONE;
const SECOND: i64 = 1000;
const DAY: i64 = 86_400_000;

export class JwtConfig {
  providers: Provider[] = [];
  sources: TokenSources = new TokenSources();
  required: bool = true;
  strip: bool = false;
  /** A token must lead to one of the consumers that are listed. */
  needsConsumer: bool = false;
  /** Fields that the filter sets, and takes out of what came from outside. */
  owned: ArrayBuffer[] = [];
  missing: Reply = new Reply(401, '');
  invalid: Reply = new Reply(401, '');
  expired: Reply = new Reply(401, '');
  unavailable: Reply = new Reply(503, '');
  unknown: Reply = new Reply(403, '');

  read(configuration: ArrayBuffer): bool {
    configurationText = configuration;
    const config = readConfig(configuration);
    const providers = config.items('providers');
    if (providers.length == 0) faultAt(config.value, '"providers" must hold at least one');
    for (let i = 0; i < providers.length; i++) this.readProvider(providers[i]);
    // Also an empty list: nobody is admitted then.
    this.needsConsumer = config.has('consumers');
    const consumers = config.items('consumers');
    for (let i = 0; i < consumers.length; i++) this.readConsumer(consumers[i]);
    this.sources.read(config);
    this.required = config.boolean('required', true);
    this.strip = config.boolean('stripCredential', false);
    const realm = config.has('realm') ? config.text('realm') : utf8('api');
    const ok = config.end();
    this.missing = bearerChallenge(realm, '', 'jwt_missing', 'a token is required');
    this.invalid = bearerChallenge(realm, 'invalid_token', 'jwt_invalid', 'the token is not valid');
    this.expired = bearerChallenge(
      realm,
      'invalid_token',
      'jwt_expired',
      'the token is not valid at this time',
    );
    this.unavailable = Reply.problem(
      503,
      'Service Unavailable',
      'keys to check tokens are not there',
      'jwt_no_keys',
    );
    this.unavailable.headers.add('retry-after', '1');
    this.unknown = Reply.problem(403, 'Forbidden', 'the token is of nobody known here', 'jwt_no_consumer');
    return ok;
  }

  private readProvider(value: JsonValue): void {
    const config = Config.of(value);
    const provider = new Provider(config.text('name'), config.text('issuer'));
    for (let i = 0; i < this.providers.length; i++) {
      if (view(this.providers[i].issuer).equals(provider.issuer))
        config.fault('issuer', 'another provider has this issuer');
    }
    const audiences = config.items('audiences');
    for (let i = 0; i < audiences.length; i++) {
      if (audiences[i].kind != JsonKind.String) faultAt(audiences[i], 'expected a string');
      provider.audiences.push(audiences[i].text);
    }
    const types = config.items('types');
    if (config.has('types') && types.length == 0) config.fault('types', 'must name at least one');
    for (let i = 0; i < types.length; i++) {
      if (types[i].kind != JsonKind.String) faultAt(types[i], 'expected a string');
      provider.types.push(shortType(view(types[i].text)).copy());
    }
    this.readAlgorithms(config, provider);
    provider.skewMs = config.duration('clockSkew', 0, 300 * SECOND, 30 * SECOND);
    provider.requireExpiry = config.boolean('requireExpiry', true);
    provider.claims = ClaimHeader.readAll(config.items('claimsToHeaders'), this.owned);
    const consumer = config.member('consumerClaim');
    if (consumer !== null) provider.consumer = Claim.read(consumer);
    this.readKeySource(config, provider);
    config.end();
    this.providers.push(provider);
  }

  /** Those that are checked with public keys and are in use: a list narrows them. */
  private readAlgorithms(config: Config, provider: Provider): void {
    const list = config.items('algorithms');
    for (let i = 0; i < list.length; i++) {
      let known = false;
      for (let k = 0; k < ALGORITHMS.length; k++) if (list[i].is(ALGORITHMS[k])) known = true;
      if (known) provider.algorithms.push(list[i].text);
      else faultAt(list[i], 'expected one of: ' + ALGORITHMS.join(', '));
    }
    if (list.length > 0) return;
    for (let k = 0; k < ALGORITHMS.length; k++) provider.algorithms.push(utf8(ALGORITHMS[k]));
  }

  private readConsumer(value: JsonValue): void {
    const config = Config.of(value);
    const issuer = view(config.text('issuer'));
    const claim = config.required('claim');
    const equals = config.text('equals');
    const entry = new Entry(Consumer.read(config), readNotAfter(config));
    for (let i = 0; i < this.providers.length; i++) {
      const provider = this.providers[i];
      // Tokens of an issuer that has no provider here are refused, whoever they are of.
      if (!issuer.equals(provider.issuer) || claim === null) continue;
      if (!provider.consumers.add(entry, Claim.read(claim).path, equals))
        faultAt(value, 'this claim has this value in the list already');
    }
    config.end();
  }

  private readKeySource(config: Config, provider: Provider): void {
    const jwks = config.object('jwks', true);
    const set = jwks.member('keys');
    if (set !== null) {
      const keys = readKeyList(set, configurationText);
      if (keys === null || keys.length == 0)
        faultAt(set, 'expected a list of JWKs with keys to check signatures');
      else provider.keys = keys;
      if (jwks.has('uri')) faultAt(set, 'either "keys" or "uri", not both');
      return;
    }
    const upstream = jwks.text('upstream');
    const timeout = jwks.duration('timeout', 100, 30 * SECOND, 5 * SECOND);
    const cache = jwks.duration('cache', SECOND, DAY, 600 * SECOND);
    const stale = jwks.duration('staleIfError', 0, 30 * DAY, DAY);
    const uri = jwks.text('uri');
    const url = HttpUrl.parse(view(uri));
    if (url === null) {
      if (uri.byteLength > 0) faultAt(jwks.value, '"uri" must be an http or https URL');
      return;
    }
    provider.remote = new RemoteKeys(upstream, url, <u32>timeout, cache, stale);
  }
}
