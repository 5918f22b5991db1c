import type * as z from 'zod';
import { formatDuration, formatSize, scalarNames } from './scalar.ts';
import { defOf, unwrap } from './walk.ts';

/** One field of a kind, for the reference. */
export interface FieldRow {
  /** `spec.rules[].name` */
  readonly path: string;
  readonly type: string;
  /** Empty where there is none. */
  readonly default: string;
  readonly required: boolean;
  readonly description: string;
  /** Known, and refused by this version. */
  readonly unsupported: boolean;
}

/** The fields of a mapping and of all that is in it, in the order of the schema. */
export function describeFields(schema: z.ZodType, prefix = ''): FieldRow[] {
  const rows: FieldRow[] = [];
  const { shape } = defOf(unwrap(schema));
  for (const [name, field] of Object.entries(shape ?? {})) {
    const path = prefix === '' ? name : `${prefix}.${name}`;
    const meta = layers(field).map((layer) => layer.meta() ?? {});
    const unsupported = meta.some((entry) => entry['x-weir-unsupported'] === true);
    const fallback = defaultOf(field);
    rows.push({
      path,
      type: unsupported ? '' : typeOf(field),
      default: fallback ?? '',
      required: !unsupported && fallback === null && !isOptional(field),
      description: (meta.find((entry) => entry.description !== undefined)?.description ?? '') as string,
      unsupported,
    });
    if (unsupported) continue;
    const inner = unwrap(field);
    const { element } = defOf(inner);
    if (scalarNames.has(inner)) continue;
    if (element !== undefined) rows.push(...describeFields(element, `${path}[]`));
    else rows.push(...describeFields(inner, path));
  }
  return rows;
}

/** The schema with all that it wraps, from outside in. */
function layers(schema: z.ZodType): z.ZodType[] {
  const all = [schema];
  for (;;) {
    const { innerType, in: input } = defOf(all.at(-1)!);
    const inner = innerType ?? input;
    if (inner === undefined) return all;
    all.push(inner);
  }
}

function isOptional(schema: z.ZodType): boolean {
  return layers(schema).some((layer) => ['optional', 'prefault', 'nullable'].includes(defOf(layer).type));
}

/** The default as it would be written; null where there is none. */
function defaultOf(schema: z.ZodType): string | null {
  const layer = layers(schema).find((candidate) => defOf(candidate).type === 'default');
  if (layer === undefined) return null;
  const value = (layer.def as unknown as { defaultValue: unknown }).defaultValue;
  const name = scalarNames.get(unwrap(schema))?.name;
  if (typeof value === 'number' && name === 'duration') return formatDuration(value);
  if (typeof value === 'number' && name === 'size') return formatSize(value);
  if (typeof value !== 'object' || value === null) return String(value === '' ? '""' : value);
  if (Object.keys(value).length > 0) return '';
  return Array.isArray(value) ? '[]' : '{}';
}

function typeOf(schema: z.ZodType): string {
  const supported = layers(schema)
    .map((layer) => layer.meta()?.['x-weir-supported'])
    .find((value) => Array.isArray(value));
  if (supported !== undefined) return (supported as string[]).join(' \\| ');
  const inner = unwrap(schema);
  const scalar = scalarNames.get(inner);
  if (scalar !== undefined) return scalar.name;
  const def = defOf(inner);
  switch (def.type) {
    case 'object':
      return 'mapping';
    case 'record':
      return 'mapping of strings';
    case 'array':
      return `list of ${plural(typeOf(def.element!))}`;
    case 'enum':
      return Object.values(def.entries ?? {}).join(' \\| ');
    case 'literal':
      return (def.values ?? []).map(String).join(' \\| ');
    case 'union':
      return (def.options ?? []).map(typeOf).join(' or ');
    case 'unknown':
      return 'anything';
    default:
      return def.type;
  }
}

function plural(type: string): string {
  return /^[a-z ]+$/.test(type) ? `${type}s` : type;
}
