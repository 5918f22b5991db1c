import {
  booleanOf,
  choiceOf,
  clearFaults,
  countFault,
  durationOf,
  expectKind,
  faultAt,
  faultCount,
  listOf,
  parseDuration,
  textOf,
  wholeOf,
} from './config-values';
import { JsonKind, JsonValue, parseJson } from './json';

export { JsonKind, JsonValue, faultAt, parseDuration };

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
  return new Config(rootOf(configuration));
}

/** The object that a configuration is; an empty one after a fault. */
export function rootOf(configuration: ArrayBuffer): JsonValue {
  clearFaults();
  const value = configuration.byteLength == 0 ? NOTHING : parseJson(configuration);
  if (value !== null && value.kind == JsonKind.Object) return value;
  if (value === null) countFault();
  else faultAt(value, 'expected an object');
  return NOTHING;
}

const NOTHING = new JsonValue(JsonKind.Object, 0, null);
const NO_TEXT = new ArrayBuffer(0);

/** One object of a configuration. */
export class Config {
  /** It is not in the text, so nothing can be missing in it. */
  private absent: bool = false;
  /** Any member is fine. */
  private open: bool = false;
  protected objects: Array<Config> = new Array<Config>();
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

  /** UTF-8; `missing` where the member is not there, and without one it must be. */
  text(name: string, missing: ArrayBuffer | null = null): ArrayBuffer {
    if (missing === null) this.requireName(name);
    const value = this.member(name);
    if (value !== null) return textOf(value, 0, i32.MAX_VALUE);
    return missing === null ? NO_TEXT : missing;
  }

  private requireName(name: string): void {
    if (!this.absent && !this.has(name)) faultAt(this.value, '"' + name + '" is required');
  }

  boolean(name: string, missing: bool): bool {
    const value = this.member(name);
    return value === null ? missing : booleanOf(value);
  }

  /** A whole number within bounds. `missing` below the lower one: it must be there. */
  integer(name: string, least: i64, most: i64, missing: i64): i64 {
    if (missing < least) this.requireName(name);
    const value = this.member(name);
    return value === null ? missing : wholeOf(value, least, most);
  }

  /** Milliseconds of a duration such as `"1500ms"` or `"1m30s"`; `missing` 0: it must be there. */
  duration(name: string, least: i64, most: i64, missing: i64): i64 {
    if (missing == 0) this.requireName(name);
    const value = this.member(name);
    return value === null ? missing : durationOf(value, least, most);
  }

  /** Index of a string in a list of choices; the first is taken where the member is not there. */
  choice(name: string, choices: string[]): i32 {
    const value = this.member(name);
    return value === null ? 0 : choiceOf(value, choices);
  }

  /** An object in this one. Where it is not there, all its members are as if left out, required ones too. */
  object(name: string, required: bool = false): Config {
    if (required) this.requireName(name);
    const value = this.member(name);
    const present = value !== null && expectKind(value, JsonKind.Object, 'expected an object');
    const object = new Config(present ? value! : NOTHING);
    object.absent = !present;
    this.objects.push(object);
    return object;
  }

  /** Logs a fault of a member, or of the whole object where the member is not there. */
  fault(name: string, message: string): void {
    const value = this.value.get(name);
    faultAt(value === null ? this.value : value, message);
  }

  /** All members, for an object whose names are up to its author. */
  all(): JsonValue[] {
    this.open = true;
    return this.value.items;
  }

  /** An array's items; none where it is not there. */
  items(name: string): JsonValue[] {
    const value = this.member(name);
    return value === null ? NOTHING.items : listOf(value, JsonKind.Array, 0, i32.MAX_VALUE);
  }

  /** Treats an array's item, or another object, as one to be read by names. */
  static of(value: JsonValue): Config {
    expectKind(value, JsonKind.Object, 'expected an object');
    return new Config(value);
  }

  /** Whether all that was read is right, and nothing is left over, here and in the objects of this one. */
  end(): bool {
    const items = this.value.items;
    for (let i = 0; !this.open && i < items.length; i++) {
      if (!this.known.includes(items[i])) faultAt(items[i], 'unknown field');
    }
    for (let i = 0; i < this.objects.length; i++) this.objects[i].end();
    return faultCount() == 0;
  }
}
