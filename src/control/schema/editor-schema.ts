import { combinedSchema } from './json-schema.ts';

type Json = Record<string, unknown>;

/**
 * The schema of whole files for editors, in which the configuration of each filter is that of the filter
 * which `use` names. Draft 7, as {@link combinedSchema} is.
 *
 * @param schemas of configurations, JSON Schema 2020-12, by what `use` says
 */
export function editorSchema(schemas: ReadonlyMap<string, readonly object[]>): Json {
  const schema = combinedSchema();
  const definitions = schema['definitions'] as Json;
  const item = at(definitions, ['FilterChain', 'properties', 'spec', 'properties', 'filters', 'items']);
  const branches: Json[] = [];
  for (const [use, forms] of [...schemas].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const names = forms.map((form, i) => {
      const name = `filter:${use.replace('/', ':')}${i === 0 ? '' : `:${i}`}`;
      definitions[name] = moved(form, `#/definitions/${name}`);
      return { $ref: `#/definitions/${name}` };
    });
    branches.push({
      if: { required: ['use'], properties: { use: { const: use } } },
      then: { properties: { config: names.length === 1 ? names[0] : { anyOf: names } } },
    });
  }
  item['allOf'] = branches;
  const use = at(item, ['properties', 'use']);
  use['examples'] = branches.map((branch) => at(branch, ['if', 'properties', 'use'])['const']);
  return schema;
}

function at(value: Json, path: readonly string[]): Json {
  return path.reduce((part, name) => part[name] as Json, value);
}

/** A schema as a part of another: its references lead to where it lies now, and what draft 7 calls otherwise is renamed. */
function moved(value: unknown, to: string): unknown {
  if (Array.isArray(value)) return value.map((item) => moved(item, to));
  if (typeof value !== 'object' || value === null) return value;
  const result: Json = {};
  for (const [name, part] of Object.entries(value)) {
    if (name === '$schema') continue;
    if (name === '$ref' && typeof part === 'string') result[name] = part.replace(/^#/, to);
    else if (name === 'dependentRequired') result['dependencies'] = part;
    else result[name] = moved(part, to);
  }
  return result;
}
