import { SchemaError, SchemaResource } from '../runtime/json-schema.ts';
import type { Config, UsableObject } from './config.ts';
import { resolveBeside } from './files.ts';
import type { CompiledApi } from './openapi/compile.ts';
import { partsOfPointer } from './openapi/node.ts';
import type { FilterConfig } from './schema/filter-chain.ts';
import { valueAt } from './validate.ts';

/** The filter whose configuration holds schemas of bodies. */
const VALIDATE = 'validate';
const FIELDS = ['schema', 'responseSchema'];

/** The OpenAPI document that a filter names; null: it names none. */
export function apiOf({ use, config }: FilterConfig): { file: string; basePath?: string } | null {
  const file = use === VALIDATE ? valueAt(config, ['openapi', 'file']) : undefined;
  if (typeof file !== 'string') return null;
  const basePath = valueAt(config, ['openapi', 'basePath']);
  return { file, ...(typeof basePath === 'string' ? { basePath } : {}) };
}

/**
 * The configuration of a filter that names an OpenAPI document, with what was made of that in its place.
 *
 * @returns null: it names none, or one that cannot be used, which has been reported
 */
export function withApi(
  chain: UsableObject<'FilterChain'>,
  index: number,
  apis: ReadonlyMap<string, CompiledApi>,
): unknown {
  const filter = chain.value.spec.filters[index]!;
  const named = apiOf(filter);
  const api = named === null ? undefined : apis.get(resolveBeside(chain.document.file, named.file));
  if (named === null || api === undefined) return null;
  const base = named.basePath ?? api.basePath ?? '';
  const { schemas } = api;
  const depth = base.split('/').length - 1;
  const operations = api.operations.map(({ parameters, ...operation }) => ({
    ...operation,
    path: base + operation.path,
    parameters: parameters.map((spec) =>
      spec.part === undefined ? spec : { ...spec, part: spec.part + depth },
    ),
  }));
  return { ...(filter.config as object), openapi: { schemas, operations } };
}

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
        [...path, ...partsOfPointer(fault.pointer).slice(1)],
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
