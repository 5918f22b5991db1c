import { expect } from 'vitest';
import type { Filter, FilterOptions, RequestSpec, ResponseSpec } from '@weir/filters-sdk/testing';
import { openBuiltIn, PATIENT } from '../../support/filter.ts';

export const JSON_BODY = { 'content-type': 'application/json' };

export const open = (config: object, options: FilterOptions = {}): Promise<Filter> =>
  openBuiltIn('validate', config, { bodyWhileHeld: true, limits: PATIENT, ...options });

/** `passes`, or the reason for the answer with what it lists: `validate_body /a type`. */
export async function verdict(filter: Filter, request: RequestSpec): Promise<string> {
  const { answer, upstream } = await filter.exchange({ request });
  expect(upstream === null, answer.details).toBe(answer.status !== 200);
  if (answer.status === 200) return 'passes';
  expect(answer.headers['content-type']).toBe('application/problem+json');
  if (request.method === 'HEAD') return answer.details;
  const problem = answer.json() as { status: number; errors?: { pointer: string; rule: string }[] };
  expect(problem.status).toBe(answer.status);
  const listed = (problem.errors ?? []).map(({ pointer, rule }) => `${pointer} ${rule}`).sort();
  return [answer.details, ...listed.map((line) => line.trim())].join(', ');
}

export const post = (body: unknown, more: RequestSpec = {}): RequestSpec => ({
  method: 'POST',
  path: '/orders',
  headers: JSON_BODY,
  body: typeof body === 'string' || body instanceof Uint8Array ? body : JSON.stringify(body),
  ...more,
});

export async function answerTo(filter: Filter, response: ResponseSpec, request: RequestSpec) {
  const exchange = await filter.exchange({ request, response });
  return {
    status: exchange.answer.status,
    body: exchange.answer.body,
    logs: exchange.logs,
    seen: exchange.upstream,
  };
}
