import { SchemaError, SchemaResource } from '../runtime/json-schema.ts';
import type { Config, UsableObject } from './config.ts';
import type { Path } from './document.ts';
import { valueAt } from './validate.ts';

/** The filter whose configuration holds schemas of bodies. */
const VALIDATE = 'validate';
const FIELDS = ['schema', 'responseSchema'];

/** Reports schemas of a filter `validate` that cannot be used. */
export function checkSchemas(config: Config, chain: UsableObject<'FilterChain'>, index: number): void {
  const filter = chain.value.spec.filters[index]!;
  if (filter.use !== VALIDATE) return;
  const rules = valueAt(filter.config, ['rules']);
  if (!Array.isArray(rules)) return;
  for (const [i, rule] of (rules as unknown[]).entries()) {
    for (const field of FIELDS) {
      const schema = valueAt(rule, [field]);
      const fault = schema === undefined ? null : faultOf(schema);
      if (fault === null) continue;
      const path = ['spec', 'filters', index, 'config', 'rules', i, field];
      config.report(
        chain,
        'WEIR1213',
        [...path, ...partsOf(fault.pointer)],
        `filter "${filter.name}": ${fault.message}`,
      );
    }
  }
}

function faultOf(schema: unknown): SchemaError | null {
  try {
    new SchemaResource(schema).compile();
    return null;
  } catch (error) {
    if (error instanceof SchemaError) return error;
    throw error;
  }
}

function partsOf(pointer: string): Path {
  const names = pointer.split('/').slice(1);
  return names.map((name) => name.replaceAll('~1', '/').replaceAll('~0', '~'));
}
