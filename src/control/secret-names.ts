import { EVERYTHING } from '../runtime/wasm/tap/configuration.ts';

/** Whose members are schemas by the names of fields. */
const BY_NAME = ['properties', 'patternProperties', '$defs', 'definitions', 'dependentSchemas'];
/** Schemas of parts that have no names of their own: what is secret there is secret by the name above. */
const PARTS = [
  'items',
  'prefixItems',
  'contains',
  'additionalProperties',
  'unevaluatedProperties',
  'patternProperties',
  'allOf',
  'anyOf',
  'oneOf',
  'if',
  'then',
  'else',
];

type Schema = Readonly<Record<string, unknown>>;

/**
 * Names of the fields whose values a JSON Schema marks as secret (`writeOnly`), be it in the field itself, in what it
 * refers to, or in its elements. `EVERYTHING` where the configuration as a whole is.
 */
export function secretNamesIn(root: object): string[] {
  const names = new Set<string>();
  if (isSecret(root, root, new Set())) names.add(EVERYTHING);
  collect(root, root, names);
  return [...names].sort();
}

function collect(value: unknown, root: object, names: Set<string>): void {
  if (typeof value !== 'object' || value === null) return;
  for (const [key, part] of Object.entries(value)) {
    if (key === 'properties' && typeof part === 'object' && part !== null)
      for (const [name, field] of Object.entries(part)) if (isSecret(field, root, new Set())) names.add(name);
    collect(part, root, names);
  }
}

/** @param seen schemas that were looked at: one may refer to itself */
function isSecret(value: unknown, root: object, seen: Set<object>): boolean {
  if (typeof value !== 'object' || value === null || seen.has(value)) return false;
  seen.add(value);
  const schema = value as Schema;
  if (schema['writeOnly'] === true) return true;
  const { $ref } = schema;
  if (typeof $ref === 'string' && isSecret(resolve($ref, root), root, seen)) return true;
  return PARTS.some((key) => partsOf(key, schema[key]).some((part) => isSecret(part, root, seen)));
}

function partsOf(key: string, part: unknown): unknown[] {
  if (Array.isArray(part)) return part;
  if (typeof part !== 'object' || part === null) return [];
  return BY_NAME.includes(key) ? Object.values(part) : [part];
}

/** Within the schema: those of filters stand alone. */
function resolve($ref: string, root: object): unknown {
  if (!$ref.startsWith('#')) return undefined;
  let found: unknown = root;
  for (const part of $ref.slice(1).split('/').slice(1)) {
    if (typeof found !== 'object' || found === null) return undefined;
    found = (found as Schema)[decodeURIComponent(part).replaceAll('~1', '/').replaceAll('~0', '~')];
  }
  return found;
}
