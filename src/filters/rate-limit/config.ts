import { Attribute, parseAttribute } from '@weir/filters-sdk/assembly/attributes';
import { ByteWriter, encode, view } from '@weir/filters-sdk/assembly';
import { Config, JsonKind, JsonValue, faultAt, readConfig } from '@weir/filters-sdk/assembly/config';
import { Algorithm, Limit, Scope } from '@weir/filters-sdk/assembly/limits';

/** 31 days. */
const LONGEST_MS: i64 = 2678400000;
/** With the longest period, all arithmetic stays below 2^53. */
const MOST_REQUESTS: i64 = 1000000;

const key = new ByteWriter(256);

export class RateLimitConfig {
  limit: Limit = new Limit(1, 1000, 0, Algorithm.TokenBucket, Scope.Node);
  cost: u32 = 1;
  headers: bool = true;
  failOpen: bool = false;
  /** `"name";q=100;w=60` */
  policy: ArrayBuffer = new ArrayBuffer(0);
  /** `"name"` */
  quotedName: ArrayBuffer = new ArrayBuffer(0);
  /** What every key begins with: the limit's name, and constants before the first attribute. */
  private prefix: ArrayBuffer = new ArrayBuffer(0);
  private attributes: Attribute[] = [];

  read(configuration: ArrayBuffer): bool {
    const config = readConfig(configuration);
    const limit = config.object('limit', true);
    const requests = limit.integer('requests', 1, MOST_REQUESTS, 0);
    const periodMs = limit.duration('per', 1, LONGEST_MS, 0);
    const burst = limit.integer('burst', 0, MOST_REQUESTS, 0);
    const algorithm = limit.choice('algorithm', ['token-bucket', 'gcra']);
    const scope = config.choice('scope', ['node', 'local']) == 0 ? Scope.Node : Scope.Local;
    this.limit = new Limit(<u32>requests, <u32>periodMs, <u32>burst, algorithm, scope);
    this.cost = <u32>config.integer('cost', 1, MOST_REQUESTS, 1);
    this.headers = config.boolean('headers', true);
    this.failOpen = config.boolean('failOpen', false);
    this.readName(config, requests, periodMs);
    return config.end();
  }

  private readName(config: Config, requests: i64, periodMs: i64): void {
    const text = new ByteWriter(32);
    if (config.has('name')) text.add(config.text('name'));
    else text.add('default');
    if (!isName(text)) faultAt(config.value.get('name')!, '1 to 64 printable characters without " and \\');

    const quoted = new ByteWriter(64).add('"').add(text.view()).add('"');
    this.quotedName = quoted.copy();
    quoted.add(';q=').addNumber(requests);
    // A window is told in whole seconds.
    if (periodMs % 1000 == 0) quoted.add(';w=').addNumber(periodMs / 1000);
    this.policy = quoted.copy();

    const items = config.items('key');
    for (let i = 0; i < items.length; i++) this.readKey(items[i], text);
    this.prefix = text.copy();
  }

  private readKey(value: JsonValue, prefix: ByteWriter): void {
    if (value.kind == JsonKind.Object) {
      const config = Config.of(value);
      prefix.addByte(0).add(config.text('constant'));
      config.end();
      return;
    }
    if (value.kind != JsonKind.String) {
      faultAt(value, 'expected the name of an attribute, or an object with "constant"');
      return;
    }
    const name = view(value.text);
    if (name.startsWith('response.') || name.startsWith('upstream.')) {
      faultAt(value, 'not known yet when the request comes');
      return;
    }
    // Else a client would get a new limit for each query that it thinks of.
    const attribute = value.is('request.path')
      ? parseAttribute(encode('request.url_path'))
      : parseAttribute(name);
    if (attribute === null) faultAt(value, 'unknown attribute; a fixed text is written {"constant": …}');
    else this.attributes.push(attribute);
  }

  /** The key of the running request: name, constants, attributes, each behind a NUL. Missing ones are empty. */
  writeKey(): ByteWriter {
    key.clear().add(this.prefix);
    const attributes = this.attributes;
    for (let i = 0; i < attributes.length; i++) {
      key.addByte(0);
      unchecked(attributes[i]).write(key);
    }
    return key;
  }
}

/** What may stand in a structured field's string. */
function isName(text: ByteWriter): bool {
  const bytes = text.view();
  for (let i = 0; i < bytes.length; i++) {
    const byte = bytes.at(i);
    if (byte < 32 || byte > 126 || byte == 34 || byte == 92) return false;
  }
  return bytes.length > 0 && bytes.length <= 64;
}
