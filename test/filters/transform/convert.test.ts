import { expect, test } from 'vitest';
import fc from 'fast-check';
import { JSON_TYPE, ofAnswers, ofRequests, sent, answered } from './open.ts';

const FORM_TYPE = { 'content-type': 'application/x-www-form-urlencoded' };

test.each([
  ['a=1&b=x+y%20z', { a: '1', b: 'x y z' }],
  ['a=1&b=2&a=3&a=', { a: ['1', '3', ''], b: '2' }],
  ['a&=x&&c%3D=%26', { a: '', '': 'x', 'c=': '&' }],
  ['a=%F0%9F%98%80%22%5C%0A', { a: '😀"\\\n' }],
  ['a=100%&b=%zz', { a: '100%', b: '%zz' }],
  ['a[]=1&__proto__=2', JSON.parse('{"a[]":"1","__proto__":"2"}') as object],
])('the form %s becomes JSON', async (form, expected) => {
  const filter = await ofRequests({ convert: 'FormToJson' });
  const { upstream } = await sent(filter, [form.slice(0, 3), form.slice(3)], FORM_TYPE);
  expect(upstream!.headers['content-type']).toBe('application/json');
  expect(JSON.parse(upstream!.body)).toEqual(expected);
});

test('a form reads as URLSearchParams reads it, whatever it is', async () => {
  const filter = await ofRequests({ convert: 'FormToJson' });
  const pairs = fc.array(fc.tuple(fc.constantFrom('a', 'b&', 'é'), fc.string({ unit: 'grapheme' })), {
    minLength: 1,
    maxLength: 9,
  });
  await fc.assert(
    fc.asyncProperty(pairs, async (list) => {
      const form = new URLSearchParams(list);
      const { upstream } = await sent(filter, form.toString(), FORM_TYPE);
      for (const [name, value] of Object.entries(JSON.parse(upstream!.body) as object)) {
        expect([value].flat()).toEqual(form.getAll(name));
      }
      expect(Object.keys(JSON.parse(upstream!.body) as object).sort()).toEqual(
        [...new Set(form.keys())].sort(),
      );
    }),
    { numRuns: 100 },
  );
});

test.each([
  ['not UTF-8', 'a=%ff'],
  ['of too many fields', 'a&'.repeat(1001)],
])('a form is refused that is %s', async (_what, form) => {
  const { answer, upstream } = await sent(await ofRequests({ convert: 'FormToJson' }), form, FORM_TYPE);
  expect([answer.status, answer.details, upstream]).toEqual([400, 'transform_invalid', null]);
});

test('other types are not converted', async () => {
  const { upstream } = await sent(await ofRequests({ convert: 'FormToJson' }), 'a=1', JSON_TYPE);
  expect([upstream!.body, upstream!.headers['content-type']]).toEqual(['a=1', 'application/json']);
});

test('what was a form can be edited as JSON', async () => {
  const filter = await ofRequests({
    convert: 'FormToJson',
    patch: [{ op: 'move', from: '/user', path: '/name' }],
    merge: { source: 'form' },
    redact: [{ at: ['/password'], drop: true }],
  });
  const { upstream } = await sent(filter, 'user=ann&password=x', FORM_TYPE);
  expect(upstream!.body).toBe('{"name":"ann","source":"form"}');
});

test.each([
  ['{"a":"x y&=é","n":1e3,"t":true,"z":null,"e":""}', 'a=x%20y%26%3D%C3%A9&n=1e3&t=true&z=&e='],
  ['{"a":["1",2],"b":[],"c":"\\u00e9"}', 'a=1&a=2&c=%C3%A9'],
  ['{}', ''],
])('the JSON %s becomes a form', async (text, expected) => {
  const { upstream } = await sent(await ofRequests({ convert: 'JsonToForm' }), text);
  expect(upstream!.headers['content-type']).toBe('application/x-www-form-urlencoded');
  expect(upstream!.body).toBe(expected);
});

test.each(['[1]', '{"a":{}}', '{"a":[[1]]}', '1', '{"a"'])('%s does not fit into a form', async (text) => {
  const { answer } = await sent(await ofRequests({ convert: 'JsonToForm' }), text);
  expect([answer.status, answer.details]).toEqual([400, 'transform_invalid']);
});

test('answers are converted too', async () => {
  const { answer } = await answered(await ofAnswers({ convert: 'FormToJson' }), 'access_token=x', FORM_TYPE);
  expect([answer.body, answer.headers['content-type']]).toEqual(['{"access_token":"x"}', 'application/json']);
});
