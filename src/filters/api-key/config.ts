import { ByteWriter, Reply, view } from '@weir/filters-sdk/assembly';
import { Config, JsonValue, faultAt, readConfig } from '@weir/filters-sdk/assembly/config';
import { Consumer, readNotAfter } from '@weir/filters-sdk/assembly/consumer';
import { fieldName, isQuotable } from '@weir/filters-sdk/assembly/fields';
import { sha256 } from '@weir/filters-sdk/assembly/sha256';
import { Keys, MOST_SIZE } from './keys';

export enum From {
  Header,
  Query,
  Cookie,
}

/** One place where a credential may be. */
export class Source {
  /** The running request has a credential here. */
  seen: bool = false;

  constructor(
    public from: From,
    public name: ArrayBuffer,
    /** What stands before the credential in a header, `Bearer` for one; empty: nothing. */
    public scheme: ArrayBuffer,
  ) {}
}

const NONE = new ArrayBuffer(0);
const digest = memory.data(32);

export class ApiKeyConfig {
  sources: Source[] = [];
  hasQuery: bool = false;
  hasCookie: bool = false;
  keys: Keys = new Keys();
  strip: bool = true;
  /** Empty: no header. */
  consumerHeader: ArrayBuffer = NONE;
  missing: Reply = new Reply(401, '');
  invalid: Reply = new Reply(401, '');
  expired: Reply = new Reply(401, '');

  read(configuration: ArrayBuffer): bool {
    const config = readConfig(configuration);
    const from = config.items('from');
    if (from.length == 0) faultAt(config.value, '"from" must name at least one place');
    for (let i = 0; i < from.length; i++) this.readSource(from[i]);
    // An empty list is what weir makes of Consumers where there are none: nobody is admitted.
    const keys = config.items('keys');
    if (!config.has('keys')) faultAt(config.value, '"keys" is required');
    for (let i = 0; i < keys.length; i++) this.readKey(keys[i]);
    this.keys.finish();
    this.strip = config.boolean('stripCredential', true);
    if (config.has('consumerHeader')) this.consumerHeader = checkedName(config, 'consumerHeader');
    const realm = config.has('realm') ? config.text('realm') : NONE;
    if (!isQuotable(realm)) faultAt(config.value.get('realm')!, 'printable characters without " and \\');
    const ok = config.end();
    this.missing = this.refusal(realm, 'api_key_missing');
    this.invalid = this.refusal(realm, 'api_key_invalid');
    this.expired = this.refusal(realm, 'api_key_expired');
    return ok;
  }

  private readSource(value: JsonValue): void {
    const config = Config.of(value);
    let source: Source | null = null;
    if (config.has('header')) {
      const scheme = config.has('scheme') ? config.text('scheme') : NONE;
      source = new Source(From.Header, checkedName(config, 'header'), scheme);
    } else if (config.has('query')) {
      source = new Source(From.Query, config.text('query'), NONE);
      this.hasQuery = true;
    } else if (config.has('cookie')) {
      source = new Source(From.Cookie, config.text('cookie'), NONE);
      this.hasCookie = true;
    }
    if (source === null || source.name.byteLength == 0)
      faultAt(value, 'expected header, query or cookie, with a name');
    else this.sources.push(source);
    config.end();
  }

  private readKey(value: JsonValue): void {
    const config = Config.of(value);
    const owner = Consumer.read(config);
    const end = readNotAfter(config);
    if (config.has('sha256') == config.has('key')) {
      faultAt(value, 'expected either "sha256" or "key"');
    } else if (config.has('key')) {
      const key = config.text('key');
      if (key.byteLength == 0) faultAt(value, 'the key is empty');
      if (key.byteLength > MOST_SIZE) faultAt(value, 'the key is longer than 1024 bytes');
      sha256(changetype<usize>(key), key.byteLength, digest);
      this.addKey(value, owner, end);
    } else if (decodeHex(config.text('sha256'))) {
      this.addKey(value, owner, end);
    } else {
      faultAt(value, '"sha256" must have 64 hexadecimal digits');
    }
    config.end();
  }

  private addKey(value: JsonValue, owner: Consumer, end: i64): void {
    if (!this.keys.add(owner, end, digest)) faultAt(value, 'this key stands in the list already');
  }

  private refusal(realm: ArrayBuffer, details: string): Reply {
    const reply = Reply.problem(401, 'Unauthorized', 'a valid API key is required', details);
    const challenge = new ByteWriter(64);
    const scheme = this.sources.length > 0 ? this.sources[0].scheme : NONE;
    if (scheme.byteLength > 0) challenge.add(scheme);
    else challenge.add('ApiKey');
    challenge.add(' realm="');
    if (realm.byteLength > 0) challenge.add(realm);
    else challenge.add('api');
    reply.headers.add('www-authenticate', challenge.add('"').view());
    return reply;
  }
}

function checkedName(config: Config, member: string): ArrayBuffer {
  const name = fieldName(config.text(member));
  if (name !== null) return name;
  faultAt(config.value.get(member)!, 'not the name of a field that filters may change');
  return NONE;
}

/** Writes 64 hexadecimal digits to `digest`. */
function decodeHex(text: ArrayBuffer): bool {
  if (text.byteLength != 64) return false;
  for (let i = 0; i < 64; i++) {
    const byte: i32 = load<u8>(changetype<usize>(text) + i);
    let value = byte - 48;
    if (<u32>value > 9) value = <u32>((byte | 32) - 97) < 6 ? (byte | 32) - 87 : -1;
    if (value < 0) return false;
    const at = digest + (i >> 1);
    store<u8>(at, i & 1 ? load<u8>(at) | value : value << 4);
  }
  return true;
}
