import { ByteWriter, Reply, view } from '@weir/filters-sdk/assembly';
import { Config, JsonKind, faultAt, readConfig } from '@weir/filters-sdk/assembly/config';
import { fieldName } from '@weir/filters-sdk/assembly/fields';
import { Algorithm, Limit, Scope } from '@weir/filters-sdk/assembly/limits';
import { Key, readKeys } from './keys';

const NONE = new ArrayBuffer(0);
const SECOND: i64 = 1000;
const DEFAULT_COMPONENTS = ['@method', '@authority', '@path', '@query'];
const KNOWN = ['@method', '@authority', '@path', '@query', '@target-uri', '@request-target', '@scheme'];

export class HmacConfig {
  keys: Key[] = [];
  /** What a signature must cover. */
  components: string[] = [];
  /** The only label and tag that count; empty: any. */
  label: ArrayBuffer = NONE;
  tag: ArrayBuffer = NONE;
  maxAgeMs: i64 = 0;
  skewMs: i64 = 0;
  nonceRequired: bool = false;
  /** Each nonce once. */
  replay: Limit = new Limit(1, 1000, 0, Algorithm.Gcra, Scope.Node);
  /** Of a body whose digest is checked; 0: bodies are not looked at. */
  maxBody: i32 = 0;
  consumerHeader: ArrayBuffer = NONE;
  missing: Reply = new Reply(401, '');
  invalid: Reply = new Reply(401, '');
  expired: Reply = new Reply(401, '');
  replayed: Reply = new Reply(401, '');
  digest: Reply = new Reply(401, '');
  tooLarge: Reply = Reply.problem(
    413,
    'Content Too Large',
    'the body is larger than what is checked',
    'hmac_body_too_large',
  );
  unavailable: Reply = Reply.problem(
    503,
    'Service Unavailable',
    'whether a request is a repetition cannot be told now',
    'hmac_replay_unavailable',
  );

  read(configuration: ArrayBuffer): bool {
    const config = readConfig(configuration);
    // An empty list is what weir makes of Consumers where there are none: nobody is admitted.
    if (!config.has('keys')) faultAt(config.value, '"keys" is required');
    this.keys = readKeys(config.items('keys'), configuration);
    this.readComponents(config);
    this.label = config.text('label', NONE);
    this.tag = config.text('tag', NONE);
    this.maxAgeMs = config.duration('maxAge', SECOND, 86_400 * SECOND, 300 * SECOND);
    this.skewMs = config.duration('clockSkew', 0, 300 * SECOND, 30 * SECOND);
    this.nonceRequired = config.boolean('nonceRequired', false);
    // For as long as the signature could be taken for a fresh one.
    const window = this.maxAgeMs + 2 * this.skewMs;
    this.replay = new Limit(1, <u32>window, 0, Algorithm.Gcra, Scope.Node);
    if (config.has('body')) this.maxBody = <i32>config.object('body').integer('maxBytes', 1, 16_777_216, 0);
    if (config.has('consumerHeader')) {
      const name = fieldName(config.text('consumerHeader'));
      if (name === null)
        config.fault('consumerHeader', 'must be the name of a field that filters may change');
      else this.consumerHeader = name;
    }
    this.makeReplies();
    return config.end();
  }

  private readComponents(config: Config): void {
    const items = config.items('components');
    for (let i = 0; i < items.length; i++) {
      const item = items[i];
      const name = item.kind == JsonKind.String ? String.UTF8.decode(item.text) : '';
      const isField = item.kind == JsonKind.String && isFieldName(item.text);
      if (!KNOWN.includes(name) && !isField)
        faultAt(item, 'expected the name of a field in lower case, or one of: ' + KNOWN.join(', '));
      this.components.push(name);
    }
    if (items.length == 0) this.components = DEFAULT_COMPONENTS;
  }

  /** Each tells what a signature must cover (RFC 9421, section 5.1). */
  private makeReplies(): void {
    const wanted = new ByteWriter(128).add('sig=(');
    for (let i = 0; i < this.components.length; i++) {
      if (i > 0) wanted.addByte(32);
      wanted.addByte(34).add(this.components[i]).addByte(34);
    }
    wanted.add(');created;keyid');
    if (this.nonceRequired) wanted.add(';nonce');
    if (this.tag.byteLength > 0) wanted.add(';tag="').add(this.tag).addByte(34);
    const accepted = wanted.copy();
    this.missing = refusal('a signature is required', 'hmac_missing', accepted);
    this.invalid = refusal('the signature is not valid', 'hmac_invalid', accepted);
    this.expired = refusal('the signature is not valid at this time', 'hmac_expired', accepted);
    this.replayed = refusal('the request was here before', 'hmac_replayed', accepted);
    this.digest = refusal('the body is not the one that was signed', 'hmac_digest', accepted);
  }
}

function refusal(text: string, details: string, accepted: ArrayBuffer): Reply {
  const reply = Reply.problem(401, 'Unauthorized', text, details);
  reply.headers.add('accept-signature', accepted);
  return reply;
}

function isFieldName(text: ArrayBuffer): bool {
  const bytes = view(text);
  for (let i = 0; i < bytes.length; i++) {
    const byte = bytes.at(i);
    if (<u32>(byte - 97) >= 26 && <u32>(byte - 48) >= 10 && byte != 45 && byte != 95) return false;
  }
  return bytes.length > 0;
}
