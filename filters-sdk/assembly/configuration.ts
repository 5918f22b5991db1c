// Configuration as a class: its fields carry type, default, bounds and documentation, and a step of the
// compiler (`@weir/filters-sdk/configuration`) makes the decoder from them, and the JSON Schema that the
// module carries. docs/authoring/configuration.md has it all.
import { Config, JsonKind, JsonValue, faultAt, rootOf } from './config';
import {
  booleanOf,
  choiceOf,
  durationOf,
  expectKind,
  faultCount,
  listOf,
  numberOf,
  sizeOfValue,
  textOf,
  wholeOf,
} from './config-values';

// Decorators. The compiler step reads them from the source and they are never called; these declarations
// are for editors, and for the import.

/** The class that is a plugin's configuration: `@configuration({ title, phase, capabilities })`. One in a module. */
export declare function configuration(options: any): any;
/** A class whose objects are parts of a configuration. */
export declare function part(constructor: any): any;
/** On a class: of these optional members, exactly one is there. */
export declare function exactlyOneOf(...names: string[]): any;
/** A number's bounds, both included. */
export declare function range(least: number, most: number): any;
/** How many characters a text has. */
export declare function length(least: number, most: number): any;
/** How many items a list has, or members a map. */
export declare function items(least: number, most: number): any;
/** A regular expression that the whole text must match. */
export declare function pattern(text: string): any;
/** A regular expression that the names in a map must match. */
export declare function names(text: string): any;
/** The values that there are, all texts or all whole numbers. On a field of an enum: the texts for its members. */
export declare function oneOf(...values: any[]): any;
/** Milliseconds, written as `10s` or `1h30m`; bounds are written so too. */
export declare function duration(least: string, most: string): any;
/** Bytes, written as `64Ki` or as a number; bounds are written so too. */
export declare function size(least: string, most: string): any;
/** Of a JsonValue, which the class reads in its `check`: the JSON Schema of it, in literals. */
export declare function schema(keywords: any): any;
/** The member is there only together with another. */
export declare function needs(name: string): any;
/** A value that nobody may see: weir shows no configuration of the filter. */
export declare function secret(target: any, name: any): any;
/** The member's name where it is not the field's. */
export declare function named(name: string): any;
/** A value for the documentation. */
export declare function example(value: any): any;
/** Not a member: what the filter works out itself. So are private and static fields. */
export declare function derived(target: any, name: any): any;

/**
 * Reads a plugin's configuration into an object of a `@configuration` class. An empty one counts as `{}`.
 *
 * @returns null where anything is wrong with it: every fault is in the log then, with line, column and path
 */
export function readConfiguration<T>(text: ArrayBuffer): T | null {
  const reader = new ConfigReader(rootOf(text));
  const settings = instantiate<T>();
  settings.__read<ConfigReader>(reader);
  return reader.end() ? settings : null;
}

/** For the SDK: what decoders that the compiler step makes are made of. */
export class ConfigReader extends Config {
  private before: i32 = faultCount();

  /** Whether nothing that was read of this object so far is wrong. */
  sound(): bool {
    return faultCount() == this.before;
  }

  asBoolean(value: JsonValue): bool {
    return booleanOf(value);
  }

  asWhole(value: JsonValue, least: i64, most: i64): i64 {
    return wholeOf(value, least, most);
  }

  asNumber(value: JsonValue, least: f64, most: f64, span: string): f64 {
    return numberOf(value, least, most, span);
  }

  asDuration(value: JsonValue, least: i64, most: i64): i64 {
    return durationOf(value, least, most);
  }

  asSize(value: JsonValue, least: i64, most: i64): i64 {
    return sizeOfValue(value, least, most);
  }

  asChoice(value: JsonValue, choices: string[]): i32 {
    return choiceOf(value, choices);
  }

  /** One of the whole numbers that stand at an address. */
  asListed(value: JsonValue, listed: usize, count: i32): i64 {
    let expected = '';
    for (let i = 0; i < count; i++) {
      const number = load<i64>(listed + 8 * i);
      if (value.kind == JsonKind.Number && value.number == <f64>number) return number;
      expected += (i == 0 ? '' : ', ') + number.toString();
    }
    faultAt(value, 'expected one of: ' + expected);
    return load<i64>(listed);
  }

  asBytes(value: JsonValue, least: i32, most: i32): ArrayBuffer {
    return textOf(value, least, most);
  }

  asText(value: JsonValue, least: i32, most: i32): string {
    return String.UTF8.decode(textOf(value, least, most));
  }

  asItems(value: JsonValue, least: i32, most: i32): JsonValue[] {
    return listOf(value, JsonKind.Array, least, most);
  }

  asMembers(value: JsonValue, least: i32, most: i32): JsonValue[] {
    return listOf(value, JsonKind.Object, least, most);
  }

  asObject(value: JsonValue): ConfigReader | null {
    if (!expectKind(value, JsonKind.Object, 'expected an object')) return null;
    const reader = new ConfigReader(value);
    this.objects.push(reader);
    return reader;
  }

  nameOf(value: JsonValue): string {
    return String.UTF8.decode(value.name);
  }

  checkPattern(value: JsonValue, table: usize, pattern: string): void {
    if (value.kind == JsonKind.String && !matches(table, value.text)) faultAt(value, 'must match ' + pattern);
  }

  checkName(value: JsonValue, table: usize, pattern: string): void {
    if (!matches(table, value.name)) faultAt(value, 'the name must match ' + pattern);
  }

  checkExactlyOne(names: string[]): void {
    let count = 0;
    for (let i = 0; i < names.length; i++) if (this.has(names[i])) count++;
    if (count != 1) faultAt(this.value, 'expected exactly one of: ' + names.join(', '));
  }

  checkNeeds(name: string, other: string): void {
    if (this.has(name) && !this.has(other)) this.fault(name, 'needs "' + other + '" beside it');
  }
}

/** Runs the table of a pattern, as `cli/pattern.mjs` lays it out, over a text. */
function matches(table: usize, text: ArrayBuffer): bool {
  const states: u32 = load<u16>(table);
  const ranges: u32 = load<u16>(table, 2);
  const accepting = table + 4 + 2 * ranges;
  const next = accepting + states;
  let classes: u32 = 0;
  for (let i: u32 = 0; i < ranges; i++) classes = max(classes, <u32>load<u8>(table + 2 * i, 5) + 1);
  let state: u32 = 1;
  for (let i = 0; i < text.byteLength; i++) {
    const byte = load<u8>(changetype<usize>(text) + i);
    let range = table + 4;
    while (load<u8>(range) < byte) range += 2;
    const at = state * classes + load<u8>(range, 1);
    state = states > 256 ? load<u16>(next + 2 * at) : load<u8>(next + at);
  }
  return load<u8>(accepting + state) != 0;
}
