import { type ApiDocument, isMapping, member, type Part } from './node.ts';
import type { ApiSchemas } from './schemas.ts';

const PLACES = ['path', 'query', 'header', 'cookie'] as const;
type Place = (typeof PLACES)[number];

/** As the filter `validate` reads it: src/filters/validate/parameters.ts. */
export interface ParameterSpec {
  readonly in: Place;
  readonly name: string;
  readonly member?: string;
  readonly list?: true;
  readonly separator?: number;
  readonly types?: number;
  readonly part?: number;
  readonly members?: readonly ParameterSpec[];
}

/** Bits of `types`. */
const NUMBER = 1;
const BOOLEAN = 2;
const COMMA = 44;
const SEPARATORS: Readonly<Record<string, number>> = {
  form: COMMA,
  simple: COMMA,
  spaceDelimited: 32,
  pipeDelimited: 124,
};
const FIELDS =
  'name in description required deprecated allowEmptyValue style explode allowReserved schema example examples content'.split(
    ' ',
  );
/** Fields that other parts of a document tell of (OpenAPI, "Parameter Object"). */
const ELSEWHERE = new Set(['accept', 'content-type', 'authorization']);
/** Leaves a parameter that cannot be looked at to the upstream. */
const UNCHECKED = 'x-weir-unchecked';
const MOST_DEPTH = 32;

interface Declared {
  readonly part: Part;
  readonly place: Place;
  readonly name: string;
}

/** The parameters of one operation. */
export class ApiParameters {
  readonly specs: ParameterSpec[] = [];
  readonly #api: ApiDocument;
  readonly #schemas: ApiSchemas;
  readonly #declared = new Map<string, Declared>();
  readonly #properties: Record<string, Record<string, unknown>> = {};
  readonly #required: Record<string, string[]> = {};

  constructor(api: ApiDocument, schemas: ApiSchemas) {
    this.#api = api;
    this.#schemas = schemas;
  }

  /** Reads a list of parameters; those of an operation take the place of those of its path. */
  read(list: Part): void {
    const names = new Set<string>();
    for (const item of this.#api.list(list, 'parameters')) {
      const part = this.#api.resolve(item);
      const declared = part === null ? null : this.#declare(part);
      if (declared === null) continue;
      const key = `${declared.place} ${declared.name.toLowerCase()}`;
      if (names.has(key))
        this.#api.report(item.path, `the parameter "${declared.name}" in ${declared.place} is there twice`);
      names.add(key);
      this.#declared.set(key, declared);
    }
  }

  #declare(part: Part): Declared | null {
    const value = this.#api.mapping(part, 'a parameter', FIELDS);
    if (value === null) return null;
    const { name, in: place } = value;
    if (typeof name !== 'string' || name === '') {
      this.#api.report(part.path, 'a parameter needs a name');
      return null;
    }
    if (!PLACES.some((known) => known === place)) {
      this.#api.report(member(part, 'in').path, `a parameter is in one of ${PLACES.join(', ')}`);
      return null;
    }
    return { part, place: place as Place, name };
  }

  /**
   * Compiles what was read.
   *
   * @param templates names in the path, by the number of their part
   * @returns pointer of the schema of all parameters; null: there are none
   */
  compile(templates: ReadonlyMap<string, number>, operation: Part): string | null {
    for (const declared of this.#declared.values()) this.#compileOne(declared, templates);
    for (const name of templates.keys()) {
      if (this.#declared.has(`path ${name.toLowerCase()}`)) continue;
      this.#api.report(
        operation.path,
        `the path has {${name}}, and no parameter in path of that name`,
        undefined,
        true,
      );
    }
    if (this.specs.length === 0) return null;
    const places = Object.entries(this.#properties).map(([place, properties]) => [
      place,
      { type: 'object', properties, required: this.#required[place] ?? [] },
    ]);
    return this.#schemas.addMade(
      { type: 'object', properties: Object.fromEntries(places) as object },
      operation,
    );
  }

  #compileOne({ part, place, name }: Declared, templates: ReadonlyMap<string, number>): void {
    const value = part.value as Readonly<Record<string, unknown>>;
    if (place === 'header' && ELSEWHERE.has(name.toLowerCase())) return;
    if (place === 'path' && !templates.has(name)) {
      this.#api.report(member(part, 'name').path, `the path has no {${name}}`);
      return;
    }
    if (value[UNCHECKED] === true) {
      // It is known, and whatever it is goes by.
      if (place === 'query') this.specs.push({ in: place, name, list: true });
      return;
    }
    const schema = member(part, 'schema');
    if (schema.value === undefined) {
      this.#refuse(
        'content' in value ? member(part, 'content') : part,
        `weir looks at parameters with a schema alone`,
      );
      return;
    }
    const spec = this.#specOf({ part, place, name }, schema);
    if (spec === null) return;
    this.specs.push(place === 'path' ? { ...spec, part: templates.get(name)! } : spec);
    (this.#properties[place] ??= {})[name] = this.#schemas.convert(schema, 'request');
    if (value['required'] === true || place === 'path') (this.#required[place] ??= []).push(name);
    if (place === 'path' && value['required'] !== true)
      this.#api.report(part.path, `the parameter "${name}" in path must have required: true`);
  }

  #specOf({ part, place, name }: Declared, schema: Part): ParameterSpec | null {
    const value = part.value as Readonly<Record<string, unknown>>;
    const usual = place === 'query' || place === 'cookie' ? 'form' : 'simple';
    const style = (value['style'] ?? usual) as string;
    const explode = (value['explode'] ?? style === 'form') as boolean;
    const types = this.#typesOf(schema);
    const spec =
      place === 'header' ? { in: place, name: name.toLowerCase(), member: name } : { in: place, name };
    if (types.has('object')) return this.#objectSpec(spec, style, part, schema);
    const separator = SEPARATORS[style];
    const fits = style === usual || (place === 'query' && separator !== undefined && style !== 'simple');
    if (!fits || separator === undefined) {
      this.#refuse(member(part, 'style'), `weir does not read parameters in ${place} of the style ${style}`);
      return null;
    }
    if (!types.has('array')) return { ...spec, ...bits(types) };
    const items = this.#typesOf(member(this.#api.resolve(schema) ?? schema, 'items'));
    if (items.has('array') || items.has('object')) {
      this.#refuse(schema, 'weir does not read lists of lists or objects in parameters');
      return null;
    }
    if (place === 'cookie' && explode) {
      this.#refuse(
        part,
        'weir does not read lists in cookies of which each item is a cookie',
        'explode: false',
      );
      return null;
    }
    const spreads = place === 'query' && explode;
    return { ...spec, list: true, ...(spreads ? {} : { separator }), ...bits(items) };
  }

  #objectSpec(
    spec: { in: Place; name: string },
    style: string,
    part: Part,
    schema: Part,
  ): ParameterSpec | null {
    if (spec.in !== 'query' || style !== 'deepObject') {
      this.#refuse(part, 'weir reads objects in parameters of the style deepObject, in query, alone');
      return null;
    }
    const resolved = this.#api.resolve(schema);
    const properties = resolved === null ? schema : member(resolved, 'properties');
    const names = isMapping(properties.value) ? Object.keys(properties.value) : [];
    const members = names.map((name): ParameterSpec => {
      const types = this.#typesOf(member(properties, name));
      if (types.has('array') || types.has('object'))
        this.#refuse(
          member(properties, name),
          'weir does not read lists or objects in objects in parameters',
        );
      return { in: spec.in, name: `${spec.name}[${name}]`, member: name, ...bits(types) };
    });
    if (members.length === 0)
      this.#refuse(schema, 'an object in a parameter needs properties, so that weir finds its members');
    return { ...spec, members };
  }

  #refuse(
    { path }: Part,
    message: string,
    hint = `${UNCHECKED}: true at the parameter leaves it to the upstream`,
  ): void {
    this.#api.report(path, message, hint);
  }

  /** What values of a schema may be. */
  #typesOf(part: Part, depth = 0): Set<string> {
    const resolved = this.#api.resolve(part);
    const value = resolved?.value;
    if (resolved === null || !isMapping(value) || depth > MOST_DEPTH) return new Set();
    const own = [value['type']].flat().filter((type): type is string => typeof type === 'string');
    if (own.length > 0) return new Set(own);
    const types = new Set<string>();
    const values = [...(Array.isArray(value['enum']) ? (value['enum'] as unknown[]) : []), value['const']];
    for (const one of values) if (one !== undefined) types.add(Array.isArray(one) ? 'array' : typeof one);
    for (const name of ['allOf', 'anyOf', 'oneOf'])
      for (const branch of this.#api.list(member(resolved, name), name))
        for (const type of this.#typesOf(branch, depth + 1)) types.add(type);
    if (types.size === 0 && 'properties' in value) types.add('object');
    if (types.size === 0 && 'items' in value) types.add('array');
    return types;
  }
}

function bits(types: ReadonlySet<string>): { types?: number } {
  const number = types.has('number') || types.has('integer') ? NUMBER : 0;
  const all = number | (types.has('boolean') ? BOOLEAN : 0);
  return all === 0 ? {} : { types: all };
}
