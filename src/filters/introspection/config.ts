import { ByteWriter, Reply, utf8, view } from '@weir/filters-sdk/assembly';
import { TokenSources, bearerChallenge, clientCredentials } from '@weir/filters-sdk/assembly/bearer';
import { Claim, ClaimHeader } from '@weir/filters-sdk/assembly/claims';
import { Config, JsonKind, faultAt, readConfig } from '@weir/filters-sdk/assembly/config';
import { HttpUrl } from '@weir/filters-sdk/assembly/url';

const NONE = new ArrayBuffer(0);
const SECOND: i64 = 1000;

export class IntrospectionConfig {
  upstream: ArrayBuffer = NONE;
  url: HttpUrl = new HttpUrl('https', NONE, NONE);
  timeoutMs: u32 = 1000;
  /** How weir says who it is: the value of Authorization. */
  credential: ArrayBuffer = NONE;
  sources: TokenSources = new TokenSources();
  required: bool = true;
  strip: bool = false;
  cacheMs: i64 = 0;
  negativeCacheMs: i64 = 0;
  skewMs: i64 = 0;
  issuer: ArrayBuffer = NONE;
  audiences: ArrayBuffer[] = [];
  /** A token must have all of them. */
  scopes: ArrayBuffer[] = [];
  claims: ClaimHeader[] = [];
  /** Names the consumer; null: no claim does. */
  consumer: Claim | null = null;
  owned: ArrayBuffer[] = [];
  missing: Reply = new Reply(401, '');
  inactive: Reply = new Reply(401, '');
  scope: Reply = new Reply(403, '');
  unavailable: Reply = Reply.problem(
    503,
    'Service Unavailable',
    'tokens cannot be checked now',
    'introspection_unavailable',
  );

  read(configuration: ArrayBuffer): bool {
    const config = readConfig(configuration);
    this.readServer(config);
    this.sources.read(config);
    this.required = config.boolean('required', true);
    this.strip = config.boolean('stripCredential', false);
    this.cacheMs = config.duration('cache', 0, 3600 * SECOND, 30 * SECOND);
    this.negativeCacheMs = config.duration('negativeCache', 0, 300 * SECOND, 5 * SECOND);
    if (config.has('clockSkew')) this.skewMs = config.duration('clockSkew', 0, 300 * SECOND, 1);
    this.issuer = config.text('issuer', NONE);
    this.audiences = texts(config, 'audiences');
    this.scopes = texts(config, 'scopes');
    this.claims = ClaimHeader.readAll(config.items('claimsToHeaders'), this.owned);
    const consumer = config.member('consumerClaim');
    if (consumer !== null) this.consumer = Claim.read(consumer);
    const realm = config.has('realm') ? config.text('realm') : utf8('api');
    this.missing = bearerChallenge(realm, '', 'introspection_missing', 'a token is required');
    this.inactive = bearerChallenge(
      realm,
      'invalid_token',
      'introspection_inactive',
      'the token is not valid',
    );
    this.scope = this.scopeChallenge(realm);
    this.unavailable.headers.add('retry-after', '1');
    return config.end();
  }

  private readServer(config: Config): void {
    this.upstream = config.text('upstream');
    this.timeoutMs = <u32>config.duration('timeout', 50, 30 * SECOND, SECOND);
    const url = HttpUrl.parse(view(config.text('uri')));
    if (url === null) {
      config.fault('uri', '"uri" must be an http or https URL');
      return;
    }
    this.url = url;
    if (config.has('client') == config.has('bearer'))
      faultAt(config.value, 'needs exactly one of "client" and "bearer"');
    if (config.has('bearer'))
      this.credential = new ByteWriter(64).add('Bearer ').add(config.text('bearer')).copy();
    else {
      const client = config.object('client');
      this.credential = clientCredentials(client.text('id'), client.text('secret'));
    }
  }

  /** RFC 6750, section 3.1. */
  private scopeChallenge(realm: ArrayBuffer): Reply {
    const reply = Reply.problem(403, 'Forbidden', 'the token is not for this', 'introspection_scope');
    const field = new ByteWriter(96)
      .add('Bearer realm="')
      .add(realm)
      .add('", error="insufficient_scope", scope="');
    for (let i = 0; i < this.scopes.length; i++) {
      if (i > 0) field.addByte(32);
      field.add(this.scopes[i]);
    }
    reply.headers.add('www-authenticate', field.addByte(34).view());
    return reply;
  }
}

function texts(config: Config, name: string): ArrayBuffer[] {
  const items = config.items(name);
  const list: ArrayBuffer[] = [];
  for (let i = 0; i < items.length; i++) {
    if (items[i].kind != JsonKind.String || items[i].text.byteLength == 0)
      faultAt(items[i], 'expected a string');
    list.push(items[i].text);
  }
  return list;
}
