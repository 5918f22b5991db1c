import { expect, test } from 'vitest';
import fc from 'fast-check';
import mergePatch from 'json-merge-patch';
import { JSON_TYPE, ofAnswers, ofRequests, sent, answered } from './open.ts';

const merged = async (document: string, merge: unknown): Promise<string> => {
  const { upstream, answer } = await sent(await ofRequests({ merge }), document);
  return upstream === null ? `${answer.status} ${answer.details}` : upstream.body;
};

test.each<[string, unknown, unknown]>([
  ['{"a":"b"}', { a: 'c' }, { a: 'c' }],
  ['{"a":"b"}', { b: 'c' }, { a: 'b', b: 'c' }],
  ['{"a":"b"}', { a: null }, {}],
  ['{"a":"b","b":"c"}', { a: null }, { b: 'c' }],
  ['{"a":["b"]}', { a: 'c' }, { a: 'c' }],
  ['{"a":"c"}', { a: ['b'] }, { a: ['b'] }],
  ['{"a":{"b":"c"}}', { a: { b: 'd', c: null } }, { a: { b: 'd' } }],
  ['{"a":[{"b":"c"}]}', { a: [1] }, { a: [1] }],
  ['["a","b"]', ['c', 'd'], ['c', 'd']],
  ['{"a":"b"}', ['c'], ['c']],
  ['{"a":"foo"}', null, null],
  ['{"a":"foo"}', 'bar', 'bar'],
  ['{"e":null}', { a: 1 }, { e: null, a: 1 }],
  ['[1,2]', { a: 'b', c: null }, { a: 'b' }],
  ['{}', { a: { bb: { ccc: null } } }, { a: { bb: {} } }],
])('RFC 7396, appendix A: %s with %j', async (document, patch, expected) => {
  expect(JSON.parse(await merged(document, patch))).toEqual(expected);
});

test('what a merge does not name stays byte for byte', async () => {
  const text = '{ "n" : 1.10e400,\n  "a": {"x" : 1, "y":[ ] },\n  "x":1, "x":2\n}\n';
  expect(await merged(text, { a: { x: null, z: { q: 1 } } })).toBe(
    '{ "n" : 1.10e400,\n  "a": { "y":[ ],"z":{"q":1} },\n  "x":1, "x":2\n}\n',
  );
});

test('a member that is there twice is not merged with', async () => {
  expect(await merged('{"a":1,"a":2}', { a: null })).toBe('400 transform_invalid');
});

test('values of the answer can be told by variables', async () => {
  const filter = await ofAnswers({
    merge: { meta: { status: '${response.code}', path: '${request.path}' } },
  });
  const { answer } = await answered(filter, '{"a":1}', { ...JSON_TYPE, etag: '"1"', 'content-digest': 'x' });
  expect(answer.body).toBe('{"a":1,"meta":{"status":"200","path":"/"}}');
  expect(answer.headers).toMatchObject({ 'content-length': String(answer.body.length) });
  expect(answer.headers).not.toHaveProperty('etag');
  expect(answer.headers).not.toHaveProperty('content-digest');
});

test('comes to the same as that of another library, for any two documents', async () => {
  const key = fc.constantFrom('a', 'b', 'c"', 'é', '');
  const { tree } = fc.letrec((tie) => ({
    tree: fc.oneof(
      { depthSize: 'medium' },
      fc.constantFrom<unknown>(null, false, 0, -1.5, '', '$'),
      fc.array(tie('tree'), { maxLength: 2 }),
      fc.dictionary(key, tie('tree'), { maxKeys: 4 }),
    ),
  }));
  await fc.assert(
    fc.asyncProperty(tree, tree, async (document, patch) => {
      const text = await merged(JSON.stringify(document, null, 1), patch);
      const expected: unknown = mergePatch.apply(structuredClone(document), structuredClone(patch));
      expect(JSON.parse(text)).toEqual(expected);
    }),
    { numRuns: 300 },
  );
}, 60_000);
