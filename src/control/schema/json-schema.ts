import * as z from 'zod';
import { KINDS, type KindName } from './kind.ts';

/** JSON Schema of one kind, draft 7, which editors understand best. */
export function kindSchema(kind: KindName): Record<string, unknown> {
  const schema = z.toJSONSchema(KINDS[kind], {
    io: 'input',
    target: 'draft-7',
    unrepresentable: 'any',
    override: ({ jsonSchema }) => {
      const supported = jsonSchema['x-weir-supported'];
      if (Array.isArray(supported)) jsonSchema.enum = supported as string[];
      // An editor should mark the field where weir would refuse it.
      if (jsonSchema['x-weir-unsupported'] === true) jsonSchema.not = {};
      delete jsonSchema['x-weir-supported'];
      delete jsonSchema['x-weir-unsupported'];
    },
  });
  return { ...schema, title: kind };
}

/** One schema for files that hold objects of any kind: it takes the branch that `kind` names. */
export function combinedSchema(): Record<string, unknown> {
  const kinds = Object.keys(KINDS) as KindName[];
  const definitions = Object.fromEntries(
    kinds.map((kind) => {
      const { $schema, ...schema } = kindSchema(kind);
      void $schema;
      return [kind, schema];
    }),
  );
  return {
    $schema: 'http://json-schema.org/draft-07/schema#',
    title: 'Configuration of weir',
    type: 'object',
    required: ['apiVersion', 'kind', 'metadata'],
    properties: { kind: { enum: kinds } },
    allOf: kinds.map((kind) => ({
      if: { required: ['kind'], properties: { kind: { const: kind } } },
      then: { $ref: `#/definitions/${kind}` },
    })),
    definitions,
  };
}
