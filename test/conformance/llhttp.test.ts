import { describe, expect, test } from 'vitest';
import { MessageKind } from '../../src/runtime/http/headers.ts';
import { MethodId } from '../../src/runtime/http/parse.ts';
import { ANSWER_VECTORS } from './llhttp-answers.ts';
import { type Vector, judge } from './llhttp-judge.ts';
import { REQUEST_VECTORS } from './llhttp-requests.ts';

/** Published with "skip the body", which is what an answer to HEAD asks of its reader. */
const ANSWERS_TO_HEAD = ['content-length: Content-Length reset when no body is received'];

describe.each([
  ['request', MessageKind.Request, REQUEST_VECTORS],
  ['answer', MessageKind.Response, ANSWER_VECTORS],
] as const)('llhttp, %s vectors', (_name, kind, vectors) => {
  const rows = vectors.map(([name, llhttp, weir, bytes]) => [name, llhttp, weir, bytes] as const);
  test.each(rows)('%s: llhttp %s, weir %s', (name, _llhttp, weir, bytes) => {
    const method =
      kind === MessageKind.Response && ANSWERS_TO_HEAD.includes(name) ? MethodId.Head : MethodId.Get;
    expect(judge(kind, bytes, method)).toBe(weir);
  });

  test('weir differs from llhttp only where the table says why', () => {
    const agrees = ([, llhttp, weir]: Vector): boolean => (llhttp === 'accept') === (weir === 'accept');
    for (const vector of vectors) expect(vector[4] === undefined, vector[0]).toBe(agrees(vector));
  });

  test('the names tell the vectors apart', () => {
    expect(new Set(vectors.map(([name]) => name)).size).toBe(vectors.length);
  });
});
