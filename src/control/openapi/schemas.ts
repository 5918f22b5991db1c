import { JSON_FORMATS } from '../../runtime/json-formats.ts';
import { SchemaError, SchemaResource } from '../../runtime/json-schema.ts';
import { PatternError } from '../../runtime/regex-parse.ts';
import { schemaPattern } from '../../runtime/schema-pattern.ts';
import { listNames, suggest } from '../nearest.ts';
import { type ApiDocument, isMapping, type Mapping, member, type Part, partsOfPointer } from './node.ts';

/** What a schema is for: what is read-only is not sent, what is write-only is not answered. */
export type Direction = 'request' | 'response';

/** How the value of a keyword holds schemas. */
const Holds = { Nothing: 0, One: 1, List: 2, Map: 3 } as const;

const KEYWORDS: Readonly<Record<string, number>> = {
  ...of(
    Holds.Nothing,
    'type enum const multipleOf maximum exclusiveMaximum minimum exclusiveMinimum maxLength minLength',
  ),
  ...of(
    Holds.Nothing,
    'pattern format maxItems minItems uniqueItems maxContains minContains maxProperties minProperties',
  ),
  ...of(Holds.Nothing, 'required dependentRequired'),
  ...of(
    Holds.One,
    'items not if then else contains additionalProperties propertyNames unevaluatedItems unevaluatedProperties',
  ),
  ...of(Holds.List, 'allOf anyOf oneOf prefixItems'),
  ...of(Holds.Map, 'properties patternProperties dependentSchemas'),
};

/** They say something to people, or to other programs. */
const NOTES = new Set(
  'title description default example examples deprecated readOnly writeOnly discriminator xml externalDocs $comment contentEncoding contentMediaType contentSchema nullable'.split(
    ' ',
  ),
);
const TYPES = ['string', 'number', 'integer', 'boolean', 'array', 'object', 'null'];

function of(holds: number, names: string): Record<string, number> {
  return Object.fromEntries(names.split(' ').map((name) => [name, holds]));
}

/**
 * The schemas of a document that something is held against, as one JSON Schema of draft 2020-12 that refers to nothing
 * outside of itself. Each has a name under `$defs`.
 */
export class ApiSchemas {
  readonly #api: ApiDocument;
  readonly #defs: Record<string, unknown> = {};
  readonly #names = new Map<string, string>();
  /** Where each of them stands in the document. */
  readonly #parts = new Map<string, Part>();

  constructor(api: ApiDocument) {
    this.#api = api;
  }

  /** The schemas as text. Those that cannot be compiled are reported. */
  text(): string {
    const document = { $defs: this.#defs };
    if (this.#api.diagnostics.length === 0) this.#compile(document);
    return JSON.stringify(document);
  }

  #compile(document: object): void {
    const told = new Set<string>();
    const attempt = (name: string, work: () => void): void => {
      try {
        work();
      } catch (error) {
        if (!(error instanceof SchemaError)) throw error;
        // Whatever refers to it fails for the same reason.
        if (!told.has(error.message)) this.#reportSchema(name, error);
        told.add(error.message);
      }
    };
    let resource: SchemaResource | null = null;
    attempt('', () => (resource = new SchemaResource(document)));
    for (const name of this.#parts.keys()) attempt(name, () => resource?.compile(`/$defs/${name}`));
  }

  /** @param name of the schema that was compiled; empty: the fault says where in all of them it is */
  #reportSchema(name: string, { pointer, message }: SchemaError): void {
    const [, , at = name, ...rest] = partsOfPointer(pointer);
    const part = this.#parts.get(at);
    this.#api.report([...(part?.path ?? []), ...rest], `this schema cannot be used: ${message}`);
  }

  /** Pointer of a schema of the document; empty where it leads to nothing, which is reported. */
  add(part: Part, direction: Direction): string {
    const { value } = part;
    const isReference =
      isMapping(value) && typeof value['$ref'] === 'string' && Object.keys(value).length === 1;
    const meant = isReference ? this.#api.target(value['$ref'] as string, [...part.path, '$ref']) : part;
    return meant === null ? '' : `/$defs/${this.#nameOf(meant, direction)}`;
  }

  /** Pointer of a schema that is made here. @param part what it is made of */
  addMade(schema: object, part: Part): string {
    const name = this.#newName(part);
    this.#defs[name] = schema;
    return `/$defs/${name}`;
  }

  /** A schema to be put into one that is made here. */
  convert(part: Part, direction: Direction): unknown {
    const { value, path } = part;
    if (typeof value === 'boolean' && !this.#api.isOld) return value;
    const schema = this.#api.mapping(part, 'a schema');
    if (schema === null) return {};
    const ref = schema['$ref'];
    if (typeof ref === 'string') {
      const target = this.#api.target(ref, [...path, '$ref']);
      const there = target === null ? {} : { $ref: `#/$defs/${this.#nameOf(target, direction)}` };
      // 3.0: what stands beside a reference has no meaning.
      return this.#api.isOld ? there : { ...there, ...this.#keywords(schema, part, direction) };
    }
    return this.#keywords(schema, part, direction);
  }

  #nameOf(part: Part, direction: Direction): string {
    const key = `${direction} ${JSON.stringify(part.path)}`;
    let name = this.#names.get(key);
    if (name === undefined) {
      this.#names.set(key, (name = this.#newName(part)));
      this.#defs[name] = {};
      this.#defs[name] = this.convert(part, direction);
    }
    return name;
  }

  #newName(part: Part): string {
    const name = `s${this.#parts.size}`;
    this.#parts.set(name, part);
    return name;
  }

  #keywords(schema: Mapping, part: Part, direction: Direction): Record<string, unknown> {
    const result: Record<string, unknown> = {};
    for (const [name, value] of Object.entries(schema)) {
      const own = member(part, name);
      const holds = KEYWORDS[name];
      if (name === '$ref' || name.startsWith('x-')) continue;
      if (holds === undefined) this.#checkNote(name, own);
      else if (holds === Holds.Nothing) this.#keep(result, name, own);
      else result[name] = this.#held(holds, own, value, direction);
    }
    this.#convertOld(schema, result);
    this.#dropForeign(part, direction, result);
    return result;
  }

  #held(holds: number, own: Part, value: unknown, direction: Direction): unknown {
    if (holds === Holds.One) return typeof value === 'boolean' ? value : this.convert(own, direction);
    if (holds === Holds.List)
      return this.#api.list(own, own.path.at(-1) as string).map((item) => this.convert(item, direction));
    const map = this.#api.mapping(own, String(own.path.at(-1))) ?? {};
    if (own.path.at(-1) === 'patternProperties')
      for (const pattern of Object.keys(map)) this.#checkPattern(pattern, member(own, pattern));
    return Object.fromEntries(
      Object.keys(map).map((name) => [name, this.convert(member(own, name), direction)]),
    );
  }

  #checkNote(name: string, own: Part): void {
    if (name === 'nullable' && !this.#api.isOld)
      this.#api.report(
        own.path,
        '"nullable" is of OpenAPI 3.0, and has no meaning in 3.1',
        'write type: [string, "null"]',
        true,
      );
    if (NOTES.has(name)) return;
    const known = [...Object.keys(KEYWORDS), ...NOTES, '$ref'];
    const hint = suggest(name, known);
    const unsupported = name.startsWith('$') ? ': weir reads $ref alone' : '';
    this.#api.report(own.path, `a schema has no keyword "${name}"${unsupported}`, hint, true);
  }

  /** A keyword without schemas in it. Formats that are not known say something to people alone, as the standard has it. */
  #keep(result: Record<string, unknown>, name: string, own: Part): void {
    if (name === 'format' && !Object.hasOwn(JSON_FORMATS, String(own.value))) return;
    if (name === 'type') this.#checkType(own);
    if (name === 'pattern' && typeof own.value === 'string') this.#checkPattern(own.value, own);
    result[name] = own.value;
  }

  #checkType(own: Part): void {
    for (const type of [own.value].flat() as unknown[])
      if (!TYPES.includes(String(type)))
        this.#api.report(
          own.path,
          `there is no type "${String(type)}"`,
          suggest(String(type), TYPES) ?? `known: ${listNames(TYPES)}`,
        );
  }

  #checkPattern(pattern: string, own: Part): void {
    try {
      schemaPattern(pattern);
    } catch (error) {
      if (!(error instanceof PatternError)) throw error;
      this.#api.report(own.path, `the pattern cannot be used: ${error.message}`);
    }
  }

  /** OpenAPI 3.0: its own `nullable`, and bounds that are flags. */
  #convertOld(schema: Mapping, result: Record<string, unknown>): void {
    if (!this.#api.isOld) return;
    if (schema['nullable'] === true && typeof result['type'] === 'string')
      result['type'] = [result['type'], 'null'];
    for (const [flag, bound] of [
      ['exclusiveMinimum', 'minimum'],
      ['exclusiveMaximum', 'maximum'],
    ] as const) {
      if (typeof result[flag] !== 'boolean') continue;
      const isExclusive = result[flag];
      delete result[flag];
      if (!isExclusive || result[bound] === undefined) continue;
      result[flag] = result[bound];
      delete result[bound];
    }
  }

  /** Members that are only sent, or only answered, are not required the other way. */
  #dropForeign(part: Part, direction: Direction, result: Record<string, unknown>): void {
    if (!Array.isArray(result['required'])) return;
    const flag = direction === 'request' ? 'readOnly' : 'writeOnly';
    const properties = member(part, 'properties');
    const isForeign = (name: unknown): boolean => {
      const property = member(properties, String(name));
      if (property.value === undefined) return false;
      if (isMapping(property.value) && property.value[flag] === true) return true;
      const resolved = this.#api.resolve(property);
      return isMapping(resolved?.value) && resolved.value[flag] === true;
    };
    result['required'] = (result['required'] as unknown[]).filter((name) => !isForeign(name));
  }
}
