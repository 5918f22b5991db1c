import { ByteWriter, Bytes, Reply, utf8, view } from '@weir/filters-sdk/assembly';
import { toBase64 } from '@weir/filters-sdk/assembly/base64';
import { TokenSources, bearerChallenge } from '@weir/filters-sdk/assembly/bearer';
import { Claim, ClaimHeader } from '@weir/filters-sdk/assembly/claims';
import { Config, JsonKind, faultAt, readConfig } from '@weir/filters-sdk/assembly/config';

const NONE = new ArrayBuffer(0);
const SECOND: i64 = 1000;

export class IntrospectionConfig {
  upstream: ArrayBuffer = NONE;
  scheme: string = 'https';
  authority: ArrayBuffer = NONE;
  path: ArrayBuffer = NONE;
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
    const text = view(config.text('uri'));
    const secure = text.startsWith('https://');
    const from = secure ? 8 : 7;
    if ((!secure && !text.startsWith('http://')) || text.length <= from || text.indexOf(32) >= 0) {
      config.fault('uri', '"uri" must be an http or https URL');
      return;
    }
    this.scheme = secure ? 'https' : 'http';
    const slash = text.indexOf(47, from);
    this.authority = text.slice(from, slash < 0 ? text.length : slash).copy();
    this.path = slash < 0 ? utf8('/') : text.slice(slash).copy();
    if (config.has('client') == config.has('bearer'))
      faultAt(config.value, 'needs exactly one of "client" and "bearer"');
    if (config.has('bearer'))
      this.credential = new ByteWriter(64).add('Bearer ').add(config.text('bearer')).copy();
    else this.readClient(config.object('client'));
  }

  /** RFC 6749, section 2.3.1: both parts are encoded as in a form before they are joined. */
  private readClient(client: Config): void {
    const pair = new ByteWriter(64);
    addFormEncoded(pair, view(client.text('id')));
    pair.addByte(58);
    addFormEncoded(pair, view(client.text('secret')));
    this.credential = new ByteWriter(64).add('Basic ').add(toBase64(pair.view())).copy();
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

const DIGITS = '0123456789ABCDEF';

/** For `application/x-www-form-urlencoded`. */
export function addFormEncoded(writer: ByteWriter, text: Bytes): void {
  for (let i = 0; i < text.length; i++) {
    const byte = text.at(i);
    const plain = <u32>((byte | 32) - 97) < 26 || <u32>(byte - 48) < 10;
    if (plain || byte == 42 || byte == 45 || byte == 46 || byte == 95) writer.addByte(byte);
    else
      writer
        .addByte(37)
        .addByte(DIGITS.charCodeAt(byte >> 4))
        .addByte(DIGITS.charCodeAt(byte & 15));
  }
}
