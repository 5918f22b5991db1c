import { Ajv2020, type ErrorObject, type ValidateFunction } from 'ajv/dist/2020.js';
import type { Path } from './document.ts';
import { listNames, suggest } from './nearest.ts';
import { describe, plain, valueAt } from './validate.ts';

/** Something wrong in the configuration of a filter. */
export interface SchemaFault {
  /** Under `config`. */
  readonly path: Path;
  /** Whether the key is meant, not the value. */
  readonly key: boolean;
  readonly message: string;
  readonly hint?: string | undefined;
}

/** The phases of a request, in their order (merge rule 5). */
export const PHASES = ['edge', 'authn', 'authz', 'limit', 'transform', 'route', 'upstream', 'log'] as const;
export type Phase = (typeof PHASES)[number];

/**
 * The JSON Schema (draft 2020-12) that a filter carries for its configuration. Its keyword
 * `x-weir-phase` says which phase the filter belongs to.
 */
export class FilterSchema {
  readonly phase: Phase | null;
  readonly #validate: ValidateFunction;

  /** @throws Error where the schema itself is not valid */
  constructor(schema: object) {
    const ajv = new Ajv2020({ allErrors: true, verbose: true, strict: false, validateFormats: false });
    this.#validate = ajv.compile(schema);
    const phase = (schema as { 'x-weir-phase'?: unknown })['x-weir-phase'];
    this.phase = PHASES.find((known) => known === phase) ?? null;
  }

  check(config: unknown): SchemaFault[] {
    if (this.#validate(config)) return [];
    return relevant(this.#validate.errors ?? []).map((error) => explain(config, error));
  }
}

// Errors that only say that one of several others has to be mended.
const SUMMARIES = new Set(['anyOf', 'oneOf', 'if', 'allOf', 'not']);

/**
 * Where branches of anyOf or oneOf failed, each reports what it wanted. Only the errors that reach
 * deepest are about what the author meant; the summary stays where no branch got further.
 */
function relevant(errors: readonly ErrorObject[]): ErrorObject[] {
  const branches = errors.filter((error) => /\/(anyOf|oneOf)\/\d+/.test(error.schemaPath));
  const plain = errors.filter((error) => !branches.includes(error));
  const result: ErrorObject[] = [];
  for (const error of plain) {
    if (!SUMMARIES.has(error.keyword)) result.push(error);
    else {
      const inner = branches.filter((branch) => branch.instancePath.startsWith(error.instancePath));
      const deepest = Math.max(...inner.map((branch) => branch.instancePath.length), 0);
      const deep = inner.filter(
        (branch) => branch.instancePath.length === deepest && deepest > error.instancePath.length,
      );
      const telling = deep.filter((branch) => !SUMMARIES.has(branch.keyword));
      result.push(...(telling.length > 0 ? telling : [error]));
    }
  }
  const seen = new Set<string>();
  return result.filter((error) => {
    const key = `${error.instancePath} ${error.message}${JSON.stringify(error.params)}`;
    return !seen.has(key) && seen.add(key);
  });
}

function explain(config: unknown, error: ErrorObject): SchemaFault {
  const path = toPath(config, error.instancePath);
  const where = ['config', ...path].join('.');
  const params = error.params as Record<string, unknown>;
  const got = `, got ${describe(error.data)}`;
  switch (error.keyword) {
    case 'additionalProperties':
    case 'unevaluatedProperties': {
      const name = String(params['additionalProperty'] ?? params['unevaluatedProperty']);
      const known = Object.keys(
        (error.parentSchema as { properties?: object } | undefined)?.properties ?? {},
      );
      const hint = suggest(name, known) ?? (known.length > 0 ? `known: ${listNames(known)}` : undefined);
      return { path: [...path, name], key: true, message: `${where} has no field "${name}"`, hint };
    }
    case 'required':
      return { path, key: false, message: `${where} needs the field "${String(params['missingProperty'])}"` };
    case 'enum': {
      const values = (params['allowedValues'] as unknown[]).map(String);
      return {
        path,
        key: false,
        message: `${where} must be one of ${listNames(values, 12)}${got}`,
        hint: suggest(plain(error.data), values),
      };
    }
    case 'const':
      return { path, key: false, message: `${where} must be ${describe(params['allowedValue'])}${got}` };
    case 'type': {
      const types = [params['type']].flat().map(String).join(' or ');
      return { path, key: false, message: `${where} must be ${article(types)}${rangeOf(error)}${got}` };
    }
    case 'minimum':
    case 'maximum':
    case 'exclusiveMinimum':
    case 'exclusiveMaximum': {
      const range = rangeOf(error);
      const wanted =
        range === '' ? `${String(params['comparison'])} ${String(params['limit'])}` : `in the range${range}`;
      return { path, key: false, message: `${where} must be ${wanted}${got}` };
    }
    case 'pattern': {
      const text = (error.parentSchema as { description?: string } | undefined)?.description;
      return {
        path,
        key: false,
        message: `${where} must match ${String(params['pattern'])}${got}`,
        hint: text,
      };
    }
    default:
      return { path, key: false, message: `${where} ${error.message ?? 'is not allowed'}` };
  }
}

/** ` 1..5` where the schema says both ends. */
function rangeOf(error: ErrorObject): string {
  const { minimum, maximum } = (error.parentSchema ?? {}) as { minimum?: number; maximum?: number };
  return minimum !== undefined && maximum !== undefined ? ` ${minimum}..${maximum}` : '';
}

function article(type: string): string {
  return /^[aeiou]/.test(type) ? `an ${type}` : `a ${type}`;
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
