import { expect } from 'vitest';
import type { Filter, RequestSpec } from '@weir/filters-sdk/testing';
import { openBuiltIn, PATIENT } from '../../support/filter.ts';

export const BODY = { maxBytes: 100_000 };
export const JSON_BODY = { 'content-type': 'application/json' };
/** As much as there can be of everything. */
export const WIDE = {
  body: { maxBytes: 1_000_000 },
  limits: {
    depth: 100,
    cost: 1_000_000_000,
    aliases: 10_000,
    rootFields: 10_000,
    directives: 10_000,
    tokens: 10_000,
    batch: 100,
  },
  introspection: 'Allow',
  operations: ['query', 'mutation', 'subscription'],
};

export const open = (config: object = {}): Promise<Filter> =>
  openBuiltIn('graphql', { body: BODY, ...config }, { bodyWhileHeld: true, limits: PATIENT });

export const post = (body: unknown, more: RequestSpec = {}): RequestSpec => ({
  method: 'POST',
  path: '/graphql',
  headers: JSON_BODY,
  body: typeof body === 'string' ? body : JSON.stringify(body),
  ...more,
});

/** What became of a request: `passes`, or its status and the code of its error. */
export async function verdict(filter: Filter, request: RequestSpec): Promise<string> {
  const { answer, upstream } = await filter.exchange({ request });
  expect(upstream === null, answer.body).toBe(answer.status !== 200);
  if (answer.status === 200) return 'passes';
  const { errors } = answer.json() as { errors: { message: string; extensions: { code: string } }[] };
  expect(errors).toHaveLength(1);
  return `${answer.status} ${errors[0]!.extensions.code}`;
}

export const ask = (filter: Filter, query: string, variables?: object): Promise<string> =>
  verdict(filter, post({ query, ...(variables === undefined ? {} : { variables }) }));
