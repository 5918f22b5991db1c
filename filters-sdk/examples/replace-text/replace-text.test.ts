import { expect, test } from 'vitest';
import { everySplit, openFilter } from '@weir/filters-sdk/testing';

const config = { find: 'abab', replacement: '[x]' };
const filter = await openFilter(`${import.meta.dirname}/index.ts`, { config });
const text = { 'content-type': 'text/html', 'content-length': '0' };

test.each([
  ['abab', '[x]'],
  ['-ababab-', '-[x]ab-'],
  ['aababab', 'a[x]ab'],
  ['abaabab aba', 'aba[x] aba'],
  ['nothing', 'nothing'],
])('%s, however it is cut', async (body, expected) => {
  for (const parts of everySplit(body)) {
    const { answer } = await filter.exchange({
      response: { headers: { ...text, 'content-length': String(body.length) }, body: parts },
    });
    expect(answer.body).toBe(expected);
  }
});

test('does not wait for the end of the answer', async () => {
  const exchange = await filter.exchange({
    response: { headers: { 'content-type': 'text/html' }, body: ['one ab', 'ab two ', 'three'] },
  });
  expect(exchange.pauses).toEqual([]);
  expect(exchange.answer.chunks.map((chunk) => Buffer.from(chunk).toString())).toEqual([
    'one ',
    '[x] two ',
    'three',
  ]);
});

test('leaves other types alone, and refuses to look for nothing', async () => {
  const { answer } = await filter.exchange({
    response: { headers: { 'content-type': 'image/png' }, body: 'abab' },
  });
  expect(answer.body).toBe('abab');
  const nothing = openFilter(`${import.meta.dirname}/index.ts`, { config: { find: '' } });
  await expect(nothing).rejects.toThrow('find must not be empty');
});
