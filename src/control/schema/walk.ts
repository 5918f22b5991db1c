import type * as z from 'zod';
import { scalarNames } from './scalar.ts';

type Def = {
  readonly type: string;
  readonly innerType?: z.ZodType;
  readonly in?: z.ZodType;
  readonly element?: z.ZodType;
  readonly valueType?: z.ZodType;
  readonly shape?: Readonly<Record<string, z.ZodType>>;
  readonly options?: readonly z.ZodType[];
  readonly values?: readonly unknown[];
  readonly entries?: Readonly<Record<string, string>>;
};

/** The definition of a schema, in the few fields that are read here. */
export function defOf(schema: z.ZodType): Def {
  return schema.def as unknown as Def;
}

/** The schema below optional, default and transform; the outermost one that has a scalar name. */
export function unwrap(schema: z.ZodType): z.ZodType {
  let current = schema;
  for (;;) {
    if (scalarNames.has(current)) return current;
    const def = defOf(current);
    const inner = def.innerType ?? def.in;
    if (inner === undefined) return current;
    current = inner;
  }
}

/** The schema of the value at a path, or null where the schema has no such place. */
export function schemaAt(schema: z.ZodType, path: readonly (string | number)[]): z.ZodType | null {
  let current: z.ZodType | undefined = unwrap(schema);
  for (const part of path) {
    if (current === undefined) return null;
    const def: Def = defOf(unwrap(current));
    if (def.shape !== undefined) current = Object.hasOwn(def.shape, part) ? def.shape[part] : undefined;
    else current = def.element ?? def.valueType;
  }
  return current ?? null;
}

/** Whether the schema, or what it is optional or refined of, says that its value is a credential (`writeOnly`). */
export function isCredential(schema: z.ZodType | null): boolean {
  for (let layer = schema ?? undefined; layer !== undefined;) {
    if (layer.meta()?.['writeOnly'] === true) return true;
    const def: Def = defOf(layer);
    layer = def.innerType ?? def.in;
  }
  return false;
}

/** The names of the fields of a mapping; empty for anything else. */
export function fieldsOf(schema: z.ZodType | null): string[] {
  if (schema === null) return [];
  return Object.keys(defOf(unwrap(schema)).shape ?? {});
}

/** What a value must be, with its article: `a duration such as 250ms`, `a list`. */
export function typeName(schema: z.ZodType | null): string {
  if (schema === null) return 'something else';
  const inner = unwrap(schema);
  const scalar = scalarNames.get(inner);
  if (scalar !== undefined && scalar.name !== 'string') {
    const article = /^[aeiou]/.test(scalar.name) ? 'an' : 'a';
    const example = scalar.name.startsWith('integer') ? '' : ` such as ${scalar.example}`;
    return `${article} ${scalar.name}${example}`;
  }
  const def = defOf(inner);
  switch (def.type) {
    case 'object':
    case 'record':
      return 'a mapping';
    case 'array':
      return 'a list';
    case 'boolean':
      return 'true or false';
    case 'number':
      return 'a number';
    case 'union':
      return (def.options ?? []).map(typeName).join(' or ');
    case 'enum':
      return `one of ${Object.values(def.entries ?? {}).join(', ')}`;
    case 'literal':
      return `one of ${(def.values ?? []).map(String).join(', ')}`;
    default:
      return 'a string';
  }
}
