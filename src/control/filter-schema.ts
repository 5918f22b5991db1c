import { Ajv2020, type ErrorObject, type ValidateFunction } from 'ajv/dist/2020.js';
import { addKeywords, linearEngine } from './schema-keywords.ts';
import { formatPath, type Path } from './document.ts';
import { listNames, suggest } from './nearest.ts';
import { PHASES, type Phase } from './phase.ts';
import { formatDuration, formatSize } from './schema/scalar.ts';
import { secretNamesIn } from './secret-names.ts';
import { describe, plain, valueAt } from './validate.ts';

/** Something wrong in the configuration of a filter. */
export interface SchemaFault {
  /** Under `config`. */
  readonly path: Path;
  /** Whether the key is meant, not the value. */
  readonly key: boolean;
  readonly message: string;
  readonly hint?: string | undefined;
  /** File and line in the sources of the filter, where its schema tells them. */
  readonly origin?: string | undefined;
}

/**
 * The JSON Schema (draft 2020-12) that a filter carries for its configuration. Its keyword
 * `x-weir-phase` says which phase the filter belongs to, `x-weir-capabilities` what it needs, `x-weir-upstream`
 * that a text names an Upstream of the filter's callouts, `x-weir-time-zone` that it names a time zone, and `x-weir-body-member`
 * which member of the configuration, or of one of its rules, switches on that it reads bodies, which it then sees while it
 * holds the head.
 */
export class FilterSchema {
  readonly phase: Phase | null;
  /** As a Module's `capabilities`; undefined where the schema does not say. */
  readonly capabilities: readonly string[] | undefined;
  readonly #bodyMember: string | null;
  /** Milliseconds that one callback may take (`x-weir-cpu-per-call-ms`); counts for the filters that ship with weir alone. Null: as every module. */
  readonly cpuPerCallMs: number | null;
  /** Whether the configuration may hold secrets (`writeOnly` in the schema): then no value of it is shown. */
  readonly secret: boolean;
  /** Names of the fields that hold them. */
  readonly secretNames: readonly string[];
  /** Patterns that weir does not check, since they cannot be matched in linear time. */
  readonly skipped: readonly string[];
  /** As JSON. */
  readonly schema: object;
  readonly #validate: ValidateFunction;
  /** Names of Upstreams by their JSON pointers, as validating comes by them. */
  readonly #upstreams = new Map<string, string>();

  /** @throws Error where the schema itself is not valid */
  constructor(schema: object, engine?: ReturnType<typeof linearEngine>, skipped: readonly string[] = []) {
    const ajv = new Ajv2020({
      allErrors: true,
      verbose: true,
      strict: false,
      validateFormats: false,
      inlineRefs: false,
      ...(engine === undefined ? {} : { code: { regExp: engine } }),
    });
    addKeywords(ajv, (name, pointer) => this.#upstreams.set(pointer, name));
    this.#validate = ajv.compile(schema);
    this.skipped = skipped;
    this.schema = schema;
    this.secretNames = secretNamesIn(schema);
    this.secret = this.secretNames.length > 0;
    const keywords = schema as {
      'x-weir-phase'?: unknown;
      'x-weir-capabilities'?: unknown;
      'x-weir-body-member'?: unknown;
      'x-weir-cpu-per-call-ms'?: unknown;
    };
    const cpu = keywords['x-weir-cpu-per-call-ms'];
    this.cpuPerCallMs = typeof cpu === 'number' ? cpu : null;
    this.phase = PHASES.find((known) => known === keywords['x-weir-phase']) ?? null;
    const capabilities = keywords['x-weir-capabilities'];
    this.capabilities = Array.isArray(capabilities) ? capabilities.map(String) : undefined;
    const bodyMember = keywords['x-weir-body-member'];
    this.#bodyMember = typeof bodyMember === 'string' ? bodyMember : null;
  }

  /** Whether a filter with this configuration takes bodies; null: its exports alone say so. */
  takesBodies(config: unknown): boolean | null {
    const member = this.#bodyMember;
    if (member === null) return null;
    const has = (value: unknown): boolean => typeof value === 'object' && value !== null && member in value;
    const rules = typeof config === 'object' && config !== null ? Object.values(config).flat() : [];
    return has(config) || rules.some(has);
  }

  /**
   * One that came with a module. Its bounds have been checked.
   *
   * @throws Error where the schema is not valid
   */
  static untrusted(schema: object): FilterSchema {
    const skipped: string[] = [];
    const { $schema, ...rest } = schema as { $schema?: unknown };
    // The older dialects mean the same by what they share with this one.
    void $schema;
    return new FilterSchema(rest, linearEngine(skipped), skipped);
  }

  /** @param secret values are not told */
  check(config: unknown, secret = this.secret): SchemaFault[] {
    if (this.#validate(config)) return [];
    return relevant(this.#validate.errors ?? []).map((error) => explain(config, error, secret));
  }

  /** Where a configuration that fits names Upstreams. */
  upstreamsIn(config: unknown): { readonly path: Path; readonly name: string }[] {
    this.#upstreams.clear();
    this.#validate(config);
    return [...this.#upstreams].map(([pointer, name]) => ({ path: toPath(config, pointer), name }));
  }
}

// Errors that only say that one of several others has to be mended.
const SUMMARIES = new Set(['anyOf', 'oneOf', 'if', 'allOf', 'not', 'propertyNames']);

/** The errors that are about what the author meant. */
function relevant(errors: readonly ErrorObject[]): ErrorObject[] {
  const inBranch = (error: ErrorObject) => /\/(anyOf|oneOf)\/\d+/.test(error.schemaPath);
  // What is wrong with a name is said by the error about that name.
  const names = errors.filter(({ keyword }) => keyword === 'propertyNames');
  const saysWhy = (name: ErrorObject, error: ErrorObject) =>
    error !== name && error.instancePath === name.instancePath && error.data === name.params['propertyName'];
  const ofValues = errors
    .filter((error) => error.propertyName === undefined && !names.some((name) => saysWhy(name, error)))
    // That a condition is not met is said by what it asks for.
    .filter(({ keyword }) => keyword !== 'if')
    .map((error): ErrorObject => {
      if (!names.includes(error)) return error;
      const why = errors.find((other) => saysWhy(error, other))?.parentSchema as Described | undefined;
      return { ...error, parentSchema: { ...error.parentSchema, description: why?.description } };
    });
  const branches = ofValues.filter(inBranch);
  const result: ErrorObject[] = [];
  for (const error of ofValues.filter((candidate) => !inBranch(candidate))) {
    const alternatives = error.keyword === 'anyOf' || error.keyword === 'oneOf';
    result.push(...(alternatives ? meantBranch(error, branches) : [error]));
  }
  const seen = new Set<string>();
  return result.filter((error) => {
    const key = `${error.instancePath} ${error.message}${JSON.stringify(error.params)}`;
    return !seen.has(key) && seen.add(key);
  });
}

/**
 * Where all of several alternatives failed, each says what it wanted. The author meant the one
 * that got furthest into the value, or the only one whose type the value has; without such a one
 * the summary stays.
 */
function meantBranch(summary: ErrorObject, branches: readonly ErrorObject[]): ErrorObject[] {
  const inner = branches.filter((error) => error.instancePath.startsWith(summary.instancePath));
  const deep = inner.filter((error) => error.instancePath.length > summary.instancePath.length);
  const deepest = Math.max(...deep.map((error) => error.instancePath.length), 0);
  const furthest = deep.filter(
    (error) => error.instancePath.length === deepest && !SUMMARIES.has(error.keyword),
  );
  if (furthest.length > 0) return furthest;
  const byBranch = new Map<string, ErrorObject[]>();
  for (const error of inner) {
    const branch = error.schemaPath.replace(/^(.*\/(?:anyOf|oneOf)\/\d+).*$/, '$1');
    byBranch.set(branch, [...(byBranch.get(branch) ?? []), error]);
  }
  const ofType = [...byBranch.values()].filter((list) => list.every((error) => error.keyword !== 'type'));
  const telling =
    ofType.length === 1 && byBranch.size > 1
      ? ofType[0]!.filter((error) => !SUMMARIES.has(error.keyword))
      : [];
  return telling.length > 0 ? telling : [summary];
}

function explain(config: unknown, error: ErrorObject, secret: boolean): SchemaFault {
  const path = toPath(config, error.instancePath);
  const where = formatPath(['config', ...path]);
  const params = error.params as Record<string, unknown>;
  const got = secret ? '' : `, got ${describe(error.data)}`;
  const about = (error.parentSchema as Described | undefined)?.description;
  const origin = originOf(error);
  const fault = (message: string, hint?: string): SchemaFault => ({
    path,
    key: false,
    message: `${where} ${message}`,
    hint,
    origin,
  });
  const forbidden = (name: string): SchemaFault => {
    const message = `${where} must not have the field "${name}"`;
    return { path: [...path, name], key: true, message, hint: about, origin };
  };
  switch (error.keyword) {
    case 'additionalProperties':
    case 'unevaluatedProperties': {
      const name = String(params['additionalProperty'] ?? params['unevaluatedProperty']);
      const known = Object.keys(
        (error.parentSchema as { properties?: object } | undefined)?.properties ?? {},
      );
      const hint = suggest(name, known) ?? (known.length > 0 ? `known: ${listNames(known)}` : undefined);
      return { path: [...path, name], key: true, message: `${where} has no field "${name}"`, hint, origin };
    }
    case 'propertyNames':
      return forbidden(String(params['propertyName']));
    case 'not': {
      const name = forbiddenFields(error.schema).find((each) => valueAt(error.data, [each]) !== undefined);
      if (name !== undefined) return forbidden(name);
      return fault(`may not be ${secret ? 'this' : describe(error.data)}`, about);
    }
    case 'required':
      return fault(`needs the field "${String(params['missingProperty'])}"`);
    case 'dependentRequired': {
      const { property, missingProperty } = params as { property: string; missingProperty: string };
      return fault(`needs the field "${missingProperty}" beside "${property}"`);
    }
    case 'x-weir-time-zone':
      return fault(
        `must be a time zone of the IANA database such as Europe/Berlin${got}`,
        suggest(plain(error.data), Intl.supportedValuesOf('timeZone')),
      );
    case 'x-weir-duration':
      return fault(`must be ${spanOf(error, formatDuration)}${got}`);
    case 'x-weir-size':
      return fault(`must be ${spanOf(error, formatSize)}${got}`);
    case 'oneOf':
    case 'anyOf':
      return fault(alternativesOf(error) ?? `fits none of the forms that it may have${got}`, about);
    case 'enum': {
      const values = (params['allowedValues'] as unknown[]).map(String);
      return fault(`must be one of ${listNames(values, 12)}${got}`, suggest(plain(error.data), values));
    }
    case 'const':
      return fault(`must be ${describe(params['allowedValue'])}${got}`);
    case 'type': {
      const types = [params['type']].flat().map((type) => TYPE_NAMES[String(type)] ?? String(type));
      return fault(`must be ${types.join(' or ')}${rangeOf(error)}${got}`);
    }
    case 'minimum':
    case 'maximum':
    case 'exclusiveMinimum':
    case 'exclusiveMaximum': {
      const limit = `${String(params['comparison'])} ${String(params['limit'])}`;
      return fault(`must be${rangeOf(error) || ` ${limit}`}${got}`);
    }
    case 'minItems':
    case 'minLength':
      return fault(
        params['limit'] === 1
          ? 'must not be empty'
          : `must have at least ${String(params['limit'])} ${unitOf(error)}`,
      );
    case 'maxItems':
    case 'maxLength':
      return fault(`must have at most ${String(params['limit'])} ${unitOf(error)}`);
    case 'pattern': {
      const pattern = String(params['pattern']);
      return fault(
        about !== undefined || pattern.length > 60
          ? `has not the right form${got}`
          : `must match ${pattern}${got}`,
        about,
      );
    }
    default:
      return fault(error.message ?? 'is not allowed');
  }
}

interface Described {
  readonly description?: string;
}

/** Fields that a schema behind `not` must not find: `{required: [a]}`, or several of these in `anyOf`. */
function forbiddenFields(schema: unknown): string[] {
  const { required = [], anyOf = [] } = schema as { required?: string[]; anyOf?: unknown[] };
  return [...required, ...anyOf.flatMap(forbiddenFields)];
}

const TYPE_NAMES: Readonly<Record<string, string>> = {
  object: 'a mapping',
  array: 'a list',
  string: 'a string',
  integer: 'an integer',
  number: 'a number',
  boolean: 'true or false',
  null: 'nothing',
};

function unitOf(error: ErrorObject): string {
  return error.keyword.endsWith('Items') ? 'items' : 'characters';
}

/** `1s to 1h` */
function spanOf(error: ErrorObject, format: (amount: number) => string): string {
  const [least, most] = error.schema as [number, number];
  return `${format(least)} to ${format(most)}`;
}

/** Where in the sources of the filter the rule stands. */
function originOf(error: ErrorObject): string | undefined {
  const schema = error.parentSchema as Sourced | undefined;
  const missing = String((error.params as { missingProperty?: unknown }).missingProperty);
  const origin = schema?.properties?.[missing]?.['x-weir-source'] ?? schema?.['x-weir-source'];
  // It is printed, and a module may say anything.
  return typeof origin === 'string' && /^[\w@~./+ -]{1,200}:\d{1,7}$/.test(origin) ? origin : undefined;
}

interface Sourced {
  readonly 'x-weir-source'?: unknown;
  readonly properties?: Readonly<Record<string, Sourced>>;
}

/** Where the alternatives differ in the one field that they require: which fields these are. */
function alternativesOf(error: ErrorObject): string | null {
  const fields: string[] = [];
  for (const branch of error.schema as { required?: string[] }[]) {
    if (branch.required?.length !== 1) return null;
    fields.push(branch.required[0]!);
  }
  return `needs ${error.keyword === 'oneOf' ? 'exactly one' : 'one'} of the fields ${fields.join(', ')}`;
}

/** ` 1..5` where the schema says both ends. */
function rangeOf(error: ErrorObject): string {
  const { minimum, maximum } = (error.parentSchema ?? {}) as { minimum?: number; maximum?: number };
  return minimum !== undefined && maximum !== undefined ? ` ${minimum}..${maximum}` : '';
}

/** The parts of a JSON pointer; numbers where they index a list. */
function toPath(config: unknown, pointer: string): (string | number)[] {
  const path: (string | number)[] = [];
  for (const raw of pointer.split('/').slice(1)) {
    const part = raw.replaceAll('~1', '/').replaceAll('~0', '~');
    path.push(Array.isArray(valueAt(config, path)) ? Number(part) : part);
  }
  return path;
}
