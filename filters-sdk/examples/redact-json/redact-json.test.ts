import { expect, test } from 'vitest';
import { everySplit, openFilter } from '@weir/filters-sdk/testing';

const filter = await openFilter(`${import.meta.dirname}/index.ts`, {
  config: { members: ['password', 'ssn'] },
});
const json = { 'content-type': 'application/json', etag: '"1"' };

test.each([
  ['{"user":"ann","password":"secret"}', '{"user":"ann","password":"***"}'],
  ['[{"ssn" : 123 , "a":[1]},{"ssn":{"x":["}"]}}]', '[{"ssn" : "***", "a":[1]},{"ssn":"***"}]'],
  ['{"a":"password","b":"say \\"password\\": 1"}', '{"a":"password","b":"say \\"password\\": 1"}'],
  ['{"password":"a\\"b","c":null}', '{"password":"***","c":null}'],
  ['{"password":tru', '{"password":"***"'],
])('%s', async (body, expected) => {
  for (const parts of everySplit(body)) {
    const { answer } = await filter.exchange({ response: { headers: json, body: parts } });
    expect(answer.body).toBe(expected);
  }
});

test('asks for an answer that is not compressed, and refuses one that is', async () => {
  const exchange = await filter.exchange({
    request: { headers: { 'accept-encoding': 'gzip' } },
    response: { headers: { ...json, 'content-encoding': 'gzip' }, body: 'x' },
  });
  expect(exchange.upstream?.headers).not.toHaveProperty('accept-encoding');
  expect(exchange.answer).toMatchObject({ status: 502, details: 'encoded_answer' });
});

test('does not hold what is no JSON, nor let through what is too large to look into', async () => {
  const text = await filter.exchange({
    response: { headers: { 'content-type': 'text/plain' }, body: ['a', 'b'] },
  });
  expect(text.pauses).toEqual([]);
  expect(text.answer.body).toBe('ab');
  const small = await openFilter(`${import.meta.dirname}/index.ts`, { config: {}, bodyBufferBytes: 10 });
  const large = await small.exchange({ response: { headers: json, body: ['"12345', '67890', '"'] } });
  expect(large.answer.status).toBe(500);
});
