import { Ajv2020, type ErrorObject, type Options, type ValidateFunction } from 'ajv/dist/2020.js';
import { JSON_FORMATS } from './json-formats.ts';
import { PatternError } from './regex-parse.ts';
import { schemaPattern } from './schema-pattern.ts';

/** What is wrong with a schema. */
export class SchemaError extends Error {
  /** JSON pointer of the part that is wrong, as far as that is known. */
  readonly pointer: string;

  constructor(message: string, pointer = '') {
    super(message);
    this.name = 'SchemaError';
    this.pointer = pointer;
  }
}

/** One rule that a document breaks; never with a value of it. */
export interface SchemaViolation {
  /** RFC 6901, cut where it is long. Of a member that is missing, or should not be there: where it would be. */
  readonly pointer: string;
  /** The keyword of the schema. */
  readonly rule: string;
}

/** Subschemas behind references that one document may visit: schemas that refer to themselves may branch at each level. */
const MOST_STEPS = 200_000;
const POINTER_LENGTH = 200;
/** Names in it are not keywords, whatever they look like. */
const DATA = new Set(['const', 'enum', 'default', 'example', 'examples']);

class OutOfSteps extends Error {}

let steps = 0;

function takeStep(): boolean {
  if (++steps > MOST_STEPS) throw new OutOfSteps();
  return true;
}

const engine = (pattern: string) => schemaPattern(pattern);
// Only used where ajv writes its code to a file.
engine.code = '';

const OPTIONS: Options = {
  strict: true,
  // Rules for style: schemas that mean what they say break them.
  strictTypes: false,
  strictTuples: false,
  strictRequired: false,
  formats: JSON_FORMATS,
  // `constructor` is a member only where the document has it.
  ownProperties: true,
  messages: false,
  logger: false,
  // Done once, by an instance of its own: the schema of schemas takes longer to compile than most of them.
  meta: false,
  validateSchema: false,
  // Its optimizer takes longer than it saves.
  code: { regExp: engine, optimize: false },
};

function newAjv(allErrors: boolean): Ajv2020 {
  const ajv = new Ajv2020({ ...OPTIONS, allErrors });
  // ajv compares each item with each other.
  ajv.removeKeyword('uniqueItems');
  ajv.addKeyword({
    keyword: 'uniqueItems',
    type: 'array',
    schemaType: 'boolean',
    validate: (wanted: boolean, items: unknown[]) => !wanted || areUnique(items),
    errors: false,
  });
  ajv.addKeyword({ keyword: 'x-weir-step', validate: takeStep, errors: false });
  return ajv;
}

let ofSchemas: Ajv2020 | null = null;

function checkIsSchema(schema: boolean | object): void {
  ofSchemas ??= new Ajv2020({ messages: false, logger: false });
  if (ofSchemas.validateSchema(schema) !== true) throw faultOf(ofSchemas.errors ?? []);
}

function areUnique(items: readonly unknown[]): boolean {
  const seen = new Set<string>();
  for (const item of items) {
    const key = JSON.stringify(item, sorted);
    if (seen.has(key)) return false;
    seen.add(key);
  }
  return true;
}

/** For JSON.stringify: members in the order of their names. */
function sorted(_name: string, value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  const members = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(members);
}

/**
 * A JSON Schema (draft 2020-12) and the schemas in it. Compiled when a configuration comes into force; what it costs to
 * check a document is bounded by the sizes of both.
 */
export class SchemaResource {
  readonly #schema: boolean | object;
  readonly #quick = newAjv(false);
  #listing: Ajv2020 | null = null;

  /** @throws SchemaError where it is no schema */
  constructor(schema: unknown) {
    if (typeof schema === 'boolean') this.#schema = schema;
    else if (typeof schema === 'object' && schema !== null && !Array.isArray(schema))
      this.#schema = counted(schema);
    else throw new SchemaError('a schema is an object, or true or false');
    guard(() => {
      checkIsSchema(this.#schema);
      this.#quick.addSchema(this.#schema, 'weir:');
    });
  }

  /**
   * @param fragment JSON pointer of the schema in the resource; empty: all of it
   * @throws SchemaError where it refers to something that is not there, or has a keyword, format or pattern that is not
   *   known here
   */
  compile(fragment = ''): JsonSchema {
    const ref = { $ref: `weir:#${fragment}` };
    const quick = guard(() => this.#quick.compile(ref));
    return new JsonSchema(quick, () => this.#listingAjv().compile(ref));
  }

  #listingAjv(): Ajv2020 {
    if (this.#listing === null) {
      this.#listing = newAjv(true);
      this.#listing.addSchema(this.#schema, 'weir:');
    }
    return this.#listing;
  }
}

/** One that documents are held against. */
export class JsonSchema {
  readonly #quick: ValidateFunction;
  readonly #compileListing: () => ValidateFunction;
  /** Tells all that is wrong. Compiled with the first document that is: most schemas never see one. */
  #listing: ValidateFunction | null = null;

  constructor(quick: ValidateFunction, compileListing: () => ValidateFunction) {
    this.#quick = quick;
    this.#compileListing = compileListing;
  }

  /** Whether to list what is wrong with a document takes a moment more, once. */
  get listsForTheFirstTime(): boolean {
    return this.#listing === null;
  }

  /**
   * @param most of what is wrong is told; 1 is the cheapest
   * @returns empty where the document is right
   */
  check(document: unknown, most: number): readonly SchemaViolation[] {
    steps = 0;
    try {
      if (this.#quick(document)) return [];
      if (most === 1) return violations(this.#quick.errors!.slice(-1), most);
      this.#listing ??= this.#compileListing();
      this.#listing(document);
      return violations(this.#listing.errors ?? this.#quick.errors!, most);
    } catch (error) {
      if (error instanceof OutOfSteps || error instanceof RangeError)
        return [{ pointer: '', rule: 'complexity' }];
      throw error;
    } finally {
      // They hold the document.
      this.#quick.errors = null;
      if (this.#listing !== null) this.#listing.errors = null;
    }
  }
}

function violations(errors: readonly ErrorObject[], most: number): SchemaViolation[] {
  const found = new Map<string, SchemaViolation>();
  for (const { instancePath, keyword, params } of errors) {
    if (found.size === most) break;
    const named = params as Record<string, unknown>;
    const name =
      named['missingProperty'] ??
      named['additionalProperty'] ??
      named['unevaluatedProperty'] ??
      named['propertyName'];
    const member = typeof name === 'string' ? `/${name.replaceAll('~', '~0').replaceAll('/', '~1')}` : '';
    const whole = `${instancePath}${member}`;
    const pointer = whole.length > POINTER_LENGTH ? `${whole.slice(0, POINTER_LENGTH)}…` : whole;
    found.set(`${keyword} ${pointer}`, { pointer, rule: keyword });
  }
  return [...found.values()];
}

/** The schema with a step wherever a reference can lead. */
function counted(schema: object): object {
  const copy = structuredClone(schema) as Record<string, unknown>;
  const targets = new Set<unknown>([copy]);
  for (const part of partsOf(copy)) {
    if (part['$async'] === true) throw new SchemaError('$async has no meaning here');
    if (['$id', '$anchor', '$dynamicAnchor'].some((name) => typeof part[name] === 'string'))
      targets.add(part);
    const ref = part['$ref'];
    if (typeof ref === 'string' && ref.startsWith('#/')) targets.add(valueAt(copy, ref.slice(1)));
  }
  for (const target of targets)
    if (typeof target === 'object' && target !== null && !Array.isArray(target))
      (target as Record<string, unknown>)['x-weir-step'] = true;
  return copy;
}

function* partsOf(value: unknown): Generator<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null) return;
  if (!Array.isArray(value)) yield value as Record<string, unknown>;
  for (const [name, part] of Object.entries(value)) if (!DATA.has(name)) yield* partsOf(part);
}

/** What a JSON pointer (RFC 6901), as in the fragment of a URI, leads to; undefined where there is nothing. */
export function valueAt(document: unknown, pointer: string): unknown {
  let value = document;
  for (const part of pointer.split('/').slice(1)) {
    const name = decodePart(part);
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) return undefined;
    value = (value as Record<string, unknown>)[name];
  }
  return value;
}

function decodePart(part: string): string {
  let text = part;
  try {
    text = decodeURIComponent(part);
  } catch {
    // It is no escape then.
  }
  return text.replaceAll('~1', '/').replaceAll('~0', '~');
}

function guard<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (error instanceof SchemaError) throw error;
    if (error instanceof RangeError) throw new SchemaError('its references lead through too many schemas');
    if (error instanceof PatternError) throw new SchemaError(`a pattern cannot be used: ${error.message}`);
    throw new SchemaError((error as Error).message.replace(/^strict mode: /, '').replaceAll('weir:#', '#'));
  }
}

function faultOf(errors: readonly ErrorObject[]): SchemaError {
  const deepest = [...errors].sort((a, b) => b.instancePath.length - a.instancePath.length)[0];
  const { instancePath = '', keyword = '', params = {} } = deepest ?? {};
  const wanted = Object.values(params as Record<string, unknown>)[0];
  const told =
    ['string', 'number'].includes(typeof wanted) || Array.isArray(wanted) ? `: ${String(wanted)}` : '';
  return new SchemaError(`is no JSON Schema there (${keyword}${told})`, instancePath);
}
