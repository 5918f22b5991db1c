import { everySplit, type Exchange, type Filter, type FilterOptions } from '@weir/filters-sdk/testing';
import { openBuiltIn } from '../../support/filter.ts';

type Body = string | readonly (string | Uint8Array)[];

export const open = (config: object, options: FilterOptions = {}): Promise<Filter> =>
  openBuiltIn('transform', config, options);

export const ofAnswers = (body: object, when: object = {}, options: FilterOptions = {}): Promise<Filter> =>
  open({ response: [{ when, body }] }, options);

export const ofRequests = (body: object, when: object = {}, options: FilterOptions = {}): Promise<Filter> =>
  open({ request: [{ when, body }] }, options);

export const JSON_TYPE = { 'content-type': 'application/json' };

export const answered = (
  filter: Filter,
  body: Body,
  headers: Record<string, string> = JSON_TYPE,
): Promise<Exchange> => filter.exchange({ response: { headers, body } });

export const sent = (
  filter: Filter,
  body: Body,
  headers: Record<string, string> = JSON_TYPE,
): Promise<Exchange> => filter.exchange({ request: { method: 'POST', headers, body } });

/** What clients get of an answer, the same however it is cut; a cut stream is `reset`. */
export async function seen(filter: Filter, body: string, headers = JSON_TYPE): Promise<string | number> {
  const results = new Set<string | number>();
  for (const parts of everySplit(body)) {
    const { answer } = await answered(filter, parts, headers);
    results.add(answer.status === 200 ? answer.body : answer.status);
  }
  if (results.size !== 1) throw new Error(`it depends on the pieces: ${JSON.stringify([...results])}`);
  return [...results][0]!;
}

/** A body in pieces of these sizes, over and over. */
export function cut(text: string | Buffer, sizes: readonly number[]): Uint8Array[] {
  const bytes = typeof text === 'string' ? Buffer.from(text) : text;
  const parts: Uint8Array[] = [];
  for (let at = 0, i = 0; at < bytes.length; i++) {
    const size = sizes[i % sizes.length]!;
    parts.push(bytes.subarray(at, at + size));
    at += size;
  }
  return parts;
}
