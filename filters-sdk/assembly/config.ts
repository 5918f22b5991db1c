import { JsonKind, JsonValue, logAt, parseJson } from './json';

export { JsonKind, JsonValue };

/** Faults found since {@link readConfig}. */
let faults = 0;

/**
 * Reads a plugin's configuration, a JSON object, for use like this:
 *
 *     const config = readConfig(configuration);
 *     this.level = config.integer('level', 1, 5, 3);
 *     this.name = config.text('name');
 *     return config.end();
 *
 * Each getter names a member; what is missing, has the wrong type or is out of range is logged with its
 * place, and `end` answers false then, so that all faults are told at once. A member that no getter asked
 * for is a fault too. An empty configuration counts as `{}`.
 */
export function readConfig(configuration: ArrayBuffer): Config {
  faults = 0;
  const value = configuration.byteLength == 0 ? NOTHING : parseJson(configuration);
  if (value !== null && value.kind == JsonKind.Object) return new Config(value);
  if (value !== null) faultAt(value, 'expected an object');
  faults++;
  return new Config(NOTHING);
}

const NOTHING = new JsonValue(JsonKind.Object, 0, null);
const NO_TEXT = new ArrayBuffer(0);

/** Logs a fault of the configuration: position, path, message. */
export function faultAt(value: JsonValue, message: string): void {
  faults++;
  const path = pathOf(value);
  logAt(value.offset, path.length == 0 ? message : path + ': ' + message);
}

function pathOf(value: JsonValue): string {
  const parent = value.parent;
  if (parent === null) return '';
  const before = pathOf(parent);
  if (parent.kind == JsonKind.Array) return before + '[' + value.index.toString() + ']';
  const name = String.UTF8.decode(value.name);
  return before.length == 0 ? name : before + '.' + name;
}

/** One object of a configuration. */
export class Config {
  /** It is not in the text, so nothing can be missing in it. */
  private absent: bool = false;
  /** Any member is fine. */
  private open: bool = false;
  private objects: Array<Config> = new Array<Config>();
  private known: Array<JsonValue> = new Array<JsonValue>();

  constructor(public value: JsonValue) {}

  has(name: string): bool {
    return this.value.get(name) !== null;
  }

  /** The member as it stands, or null. The caller checks it. */
  member(name: string): JsonValue | null {
    const value = this.value.get(name);
    if (value !== null) this.known.push(value);
    return value;
  }

  /** A member that must be there. */
  required(name: string): JsonValue | null {
    const value = this.member(name);
    if (value === null) faultAt(this.value, '"' + name + '" is required');
    return value;
  }

  private typed(name: string, kind: JsonKind, expected: string): JsonValue | null {
    const value = this.member(name);
    if (value === null || value.kind == kind) return value;
    faultAt(value, expected);
    return null;
  }

  /** UTF-8; `missing` where the member is not there, and without one it must be. */
  text(name: string, missing: ArrayBuffer | null = null): ArrayBuffer {
    if (missing === null) this.requireName(name);
    const value = this.typed(name, JsonKind.String, 'expected a string');
    return value !== null ? value.text : missing === null ? NO_TEXT : missing;
  }

  private requireName(name: string): void {
    if (!this.absent && !this.has(name)) faultAt(this.value, '"' + name + '" is required');
  }

  boolean(name: string, missing: bool): bool {
    const value = this.typed(name, JsonKind.Boolean, 'expected true or false');
    return value === null ? missing : value.number != 0;
  }

  /** A whole number within bounds. `missing` below the lower one: it must be there. */
  integer(name: string, least: i64, most: i64, missing: i64): i64 {
    if (missing < least) this.requireName(name);
    const value = this.typed(name, JsonKind.Number, 'expected a number');
    if (value === null) return missing;
    const number = value.number;
    if (number == floor(number) && number >= <f64>least && number <= <f64>most) return <i64>number;
    faultAt(value, 'expected a whole number from ' + least.toString() + ' to ' + most.toString());
    return missing;
  }

  /** Milliseconds of a duration such as `"1500ms"` or `"1m30s"`; `missing` 0: it must be there. */
  duration(name: string, least: i64, most: i64, missing: i64): i64 {
    if (missing == 0) this.requireName(name);
    const value = this.typed(name, JsonKind.String, 'expected a duration such as "10s"');
    if (value === null) return missing;
    const milliseconds = parseDuration(value.text);
    if (milliseconds >= least && milliseconds <= most) return milliseconds;
    faultAt(
      value,
      milliseconds < 0
        ? 'expected a duration such as "500ms", "10s" or "1h30m"'
        : 'expected from ' + least.toString() + ' to ' + most.toString() + ' ms',
    );
    return missing;
  }

  /** Index of a string in a list of choices; the first is taken where the member is not there. */
  choice(name: string, choices: string[]): i32 {
    const value = this.typed(name, JsonKind.String, 'expected a string');
    if (value === null) return 0;
    for (let i = 0; i < choices.length; i++) if (value.is(choices[i])) return i;
    faultAt(value, 'expected one of: ' + choices.join(', '));
    return 0;
  }

  /** An object in this one. Where it is not there, all its members are as if left out, required ones too. */
  object(name: string, required: bool = false): Config {
    if (required) this.requireName(name);
    const value = this.typed(name, JsonKind.Object, 'expected an object');
    const object = new Config(value === null ? NOTHING : value);
    object.absent = value === null;
    this.objects.push(object);
    return object;
  }

  /** All members, for an object whose names are up to its author. */
  all(): JsonValue[] {
    this.open = true;
    return this.value.items;
  }

  /** An array's items; none where it is not there. */
  items(name: string): JsonValue[] {
    const value = this.typed(name, JsonKind.Array, 'expected an array');
    return value === null ? NOTHING.items : value.items;
  }

  /** Treats an array's item, or another object, as one to be read by names. */
  static of(value: JsonValue): Config {
    if (value.kind != JsonKind.Object) faultAt(value, 'expected an object');
    return new Config(value);
  }

  /** Whether all that was read is right, and nothing is left over, here and in the objects of this one. */
  end(): bool {
    const items = this.value.items;
    for (let i = 0; !this.open && i < items.length; i++) {
      if (!this.known.includes(items[i])) faultAt(items[i], 'unknown field');
    }
    for (let i = 0; i < this.objects.length; i++) this.objects[i].end();
    return faults == 0;
  }
}

/** Milliseconds, or -1: numbers with the units d, h, m, s, ms, largest first. */
export function parseDuration(text: ArrayBuffer): i64 {
  const start = changetype<usize>(text);
  const length = text.byteLength;
  let total: i64 = 0;
  let before: i64 = i64.MAX_VALUE;
  let i = 0;
  if (length == 0) return -1;
  while (i < length) {
    const from = i;
    let value: i64 = 0;
    while (i < length && <u32>(load<u8>(start + i) - 48) < 10) {
      value = value * 10 + (load<u8>(start + i) - 48);
      i++;
      if (i - from > 12) return -1;
    }
    if (i == from || i == length) return -1;
    const unit = load<u8>(start + i++);
    let factor: i64 = 0;
    if (unit == 100) factor = 86400000;
    else if (unit == 104) factor = 3600000;
    else if (unit == 115) factor = 1000;
    else if (unit == 109) {
      const milli = i < length && load<u8>(start + i) == 115;
      factor = milli ? 1 : 60000;
      if (milli) i++;
    }
    if (factor == 0 || factor >= before) return -1;
    before = factor;
    total += value * factor;
  }
  return total;
}
