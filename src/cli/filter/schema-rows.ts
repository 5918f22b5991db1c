/** A field of a JSON Schema as a line of a table. */
export interface SchemaRow {
  /** `limit.requests`; `[]` stands for each item of a list, `<name>` for any name. */
  readonly path: string;
  readonly type: string;
  /** `required`, `default: 5`, or empty. */
  readonly presence: string;
  readonly description: string;
}

interface Schema {
  readonly $ref?: string;
  readonly type?: string | readonly string[];
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: Schema | boolean;
  readonly items?: Schema;
  readonly anyOf?: readonly Schema[];
  readonly oneOf?: readonly Schema[];
  readonly minimum?: number;
  readonly maximum?: number;
  readonly default?: unknown;
  readonly description?: string;
  readonly $defs?: Readonly<Record<string, Schema>>;
}

/** A schema may refer to itself. */
const MAX_DEPTH = 6;
const MAX_ROWS = 200;

/** The fields of a configuration in the order of its schema, outer ones before those in them. */
export function schemaRows(root: unknown): SchemaRow[] {
  const rows: SchemaRow[] = [];
  if (isObject(root)) fields(root, root, '', 0, rows);
  return rows;
}

function fields(root: Schema, schema: Schema, prefix: string, depth: number, rows: SchemaRow[]): void {
  if (depth > MAX_DEPTH) return;
  const required = Array.isArray(schema.required) ? schema.required : [];
  for (const [name, child] of Object.entries(schema.properties ?? {})) {
    field(root, child, prefix === '' ? name : `${prefix}.${name}`, required.includes(name), depth, rows);
  }
  const { additionalProperties: rest } = schema;
  if (isObject(rest) && Object.keys(rest).length > 0)
    field(root, rest, prefix === '' ? '<name>' : `${prefix}.<name>`, false, depth, rows);
}

function field(
  root: Schema,
  given: Schema,
  path: string,
  isRequired: boolean,
  depth: number,
  rows: SchemaRow[],
): void {
  if (rows.length >= MAX_ROWS || !isObject(given)) return;
  const schema = resolve(root, given);
  const presence =
    given.default !== undefined || schema.default !== undefined
      ? `default: ${JSON.stringify(given.default ?? schema.default)}`
      : isRequired
        ? 'required'
        : '';
  rows.push({
    path,
    type: typeOf(root, schema),
    presence,
    description: (given.description ?? schema.description ?? '').replace(/\s+/g, ' '),
  });
  fields(root, schema, path, depth + 1, rows);
  if (isObject(schema.items)) {
    const items = resolve(root, schema.items);
    if (isObject(items)) fields(root, items, `${path}[]`, depth + 1, rows);
  }
}

function resolve(root: Schema, schema: Schema): Schema {
  const name = /^#\/\$defs\/([^/]+)$/.exec(schema.$ref ?? '')?.[1];
  return (name === undefined ? undefined : root.$defs?.[name]) ?? schema;
}

function typeOf(root: Schema, schema: Schema): string {
  if (Array.isArray(schema.enum)) return schema.enum.map((value) => JSON.stringify(value)).join(' | ');
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (schema.properties !== undefined) return 'object';
  const choices = schema.anyOf ?? schema.oneOf;
  if (Array.isArray(choices))
    return [...new Set(choices.filter(isObject).map((each) => typeOf(root, resolve(root, each))))].join(
      ' | ',
    );
  const type =
    typeof schema.type === 'string'
      ? schema.type
      : Array.isArray(schema.type)
        ? schema.type.join(' | ')
        : 'any';
  if (type === 'array' && isObject(schema.items))
    return `list of ${typeOf(root, resolve(root, schema.items))}`;
  const [minimum, maximum] = [boundOf(schema.minimum), boundOf(schema.maximum)];
  return minimum === '' && maximum === '' ? type : `${type} ${minimum}…${maximum}`;
}

/** Bounds of the numbers themselves are none of the field. */
function boundOf(bound: unknown): string {
  return typeof bound === 'number' && Math.abs(bound) <= Number.MAX_SAFE_INTEGER ? String(bound) : '';
}

function isObject(value: unknown): value is Schema {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
