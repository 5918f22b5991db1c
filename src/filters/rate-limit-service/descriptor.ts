import { ByteWriter, encode, utf8, view } from '@weir/filters-sdk/assembly';
import { Attribute, parseAttribute } from '@weir/filters-sdk/assembly/attributes';
import { Config, JsonKind, JsonValue, faultAt } from '@weir/filters-sdk/assembly/config';
import { wholeOf } from '@weir/filters-sdk/assembly/config-values';
import { isQuotable } from '@weir/filters-sdk/assembly/fields';
import { Algorithm, Limit, Scope } from '@weir/filters-sdk/assembly/limits';
import { addField, addNumberField, addText } from '@weir/filters-sdk/assembly/protobuf';
import { Expression } from '@weir/filters-sdk/assembly/state';

const MOST_HITS: i64 = 1_000_000_000;
/** 31 days. */
const LONGEST_MS: i64 = 2_678_400_000;
/** Of requests times period: all arithmetic stays below 2^53. */
const MOST_UNITS: i64 = 4_503_599_627_370_496;
const GENERIC_KEY = utf8('generic_key');
const NONE = new ArrayBuffer(0);

const entry = new ByteWriter(256);
const text = new ByteWriter(256);
const wrapped = new ByteWriter(16);

/** What a service is asked about: `RateLimitDescriptor` of extensions.common.ratelimit.v3. */
export class Descriptor {
  /** Its keys, for the RateLimit fields where the service has no name for the limit. */
  name: ArrayBuffer = NONE;
  /** What is counted here while the service cannot be asked; null: nothing. */
  local: Limit | null = null;
  private entries: Entry[] = [];
  private cost: Cost | null = null;

  constructor(config: Config) {
    const items = config.items('entries');
    if (items.length == 0) config.fault('entries', 'needs at least one entry');
    const name = new ByteWriter(64);
    for (let i = 0; i < items.length; i++) {
      const item = new Entry(Config.of(items[i]));
      this.entries.push(item);
      if (i > 0) name.addByte(46);
      name.add(item.key);
    }
    this.name = name.copy();
    const cost = config.member('cost');
    if (cost !== null) this.cost = new Cost(cost);
    if (config.has('local')) this.local = readLocal(config.object('local'));
    config.end();
  }

  /** False where the request lacks what it is made of: then it is not asked about. */
  write(into: ByteWriter): bool {
    const entries = this.entries;
    for (let i = 0; i < entries.length; i++) if (!unchecked(entries[i]).write(into)) return false;
    const cost = this.cost;
    if (cost === null) return true;
    wrapped.clear();
    addNumberField(wrapped, 1, cost.hits());
    addField(into, 3, wrapped.view());
    return true;
  }

  /** What the running request takes, where its own cost does not say otherwise. */
  hits(otherwise: u32): u32 {
    const cost = this.cost;
    return cost === null ? otherwise : cost.hits();
  }
}

/** One key of a descriptor, and where its value comes from. */
class Entry {
  key: ArrayBuffer;
  private constant: ArrayBuffer | null = null;
  private attribute: Attribute | null = null;
  private expression: Expression | null = null;
  /** Null: without a value the whole descriptor is left out. */
  private missing: ArrayBuffer | null = null;

  constructor(config: Config) {
    this.key = config.text('key', GENERIC_KEY);
    if (this.key.byteLength == 0 || !isQuotable(this.key))
      config.fault('key', 'expected printable characters without " and \\');
    const sources = i32(config.has('value')) + i32(config.has('attribute')) + i32(config.has('cel'));
    if (sources != 1) faultAt(config.value, 'needs exactly one of "value", "attribute" and "cel"');
    if (config.has('value')) this.constant = config.text('value');
    const attribute = config.member('attribute');
    if (attribute !== null) this.attribute = attributeOf(attribute);
    if (config.has('cel')) {
      const expression = new Expression(String.UTF8.decode(config.text('cel')));
      if (!expression.valid) config.fault('cel', 'not a CEL expression that this host can evaluate');
      this.expression = expression;
    }
    if (config.has('default')) this.missing = config.text('default');
    config.end();
  }

  write(into: ByteWriter): bool {
    text.clear();
    if (!this.writeValue()) return false;
    entry.clear();
    addField(entry, 1, this.key);
    addText(entry, 2, text.view());
    addField(into, 1, entry.view());
    return true;
  }

  /** Into `text`. */
  private writeValue(): bool {
    const constant = this.constant;
    if (constant !== null) {
      text.add(constant);
      return true;
    }
    const attribute = this.attribute;
    if (attribute !== null && attribute.write(text)) return true;
    const expression = this.expression;
    if (expression !== null) {
      const value = expression.evaluate();
      if (value !== null) {
        text.add(value);
        return true;
      }
    }
    const missing = this.missing;
    if (missing === null) return false;
    text.add(missing);
    return true;
  }
}

/** How many hits a request counts as: a number, or an attribute. */
export class Cost {
  private constant: u32 = 1;
  private attribute: Attribute | null = null;

  constructor(value: JsonValue) {
    if (value.kind == JsonKind.String) this.attribute = attributeOf(value);
    else this.constant = <u32>wholeOf(value, 1, MOST_HITS);
  }

  /** An attribute that is no number counts as one. */
  hits(): u32 {
    const attribute = this.attribute;
    if (attribute === null) return this.constant;
    text.clear();
    if (!attribute.write(text)) return 1;
    const number = text.view().trim().toUnsigned();
    return number < 1 ? 1 : <u32>min(number, MOST_HITS);
  }
}

/** Null after a fault. */
function attributeOf(value: JsonValue): Attribute | null {
  if (value.kind != JsonKind.String) {
    faultAt(value, 'expected the name of an attribute');
    return null;
  }
  const name = view(value.text);
  if (name.startsWith('response.') || name.startsWith('upstream.')) {
    faultAt(value, 'not known yet when the request comes');
    return null;
  }
  // Else a client would get a new limit for each query that it thinks of.
  const attribute = parseAttribute(value.is('request.path') ? encode('request.url_path') : name);
  if (attribute === null) faultAt(value, 'unknown attribute; a fixed text is a "value"');
  return attribute;
}

function readLocal(config: Config): Limit {
  const algorithm = <Algorithm>(
    config.choice('algorithm', ['token-bucket', 'gcra', 'fixed-window', 'sliding-window'])
  );
  const requests = config.integer('requests', 1, MOST_HITS, 0);
  const periodMs = config.duration('per', 1, LONGEST_MS, 0);
  const burst = config.integer('burst', 0, MOST_HITS, 0);
  if (burst > 0 && algorithm > Algorithm.Gcra) config.fault('burst', 'only token-bucket and gcra have one');
  if (max(requests, burst) * periodMs > MOST_UNITS) config.fault('requests', 'too many for so long a period');
  return new Limit(<u32>requests, <u32>periodMs, <u32>burst, algorithm, Scope.Node);
}
