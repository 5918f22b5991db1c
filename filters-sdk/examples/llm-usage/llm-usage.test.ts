import { expect, test } from 'vitest';
import { everySplit, openFilter } from '@weir/filters-sdk/testing';

const events = [
  'data: {"choices":[{"delta":{"content":"Hi"}}]}\n\n',
  'data: {"choices":[],"usage":{"prompt_tokens":10,"completion_tokens":5,"total_tokens": 15}}\n\n',
  'data: [DONE]\n\n',
].join('');

test('adds up what answers say they used, streamed or not, however they are cut', async () => {
  const filter = await openFilter(`${import.meta.dirname}/index.ts`);
  let expected = 0;
  const all = [
    ...everySplit(events).map((body) => ({ type: 'text/event-stream; charset=utf-8', body })),
    { type: 'application/json', body: '{"usage":{"total_tokens":7}}' },
  ];
  for (const { type, body } of all) {
    const exchange = await filter.exchange({
      request: { headers: { 'x-consumer': 'ann' } },
      response: { headers: { 'content-type': type }, body },
    });
    const tokens = type === 'application/json' ? 7 : 15;
    expected += tokens;
    expect(exchange.pauses).toEqual([]);
    // A filter may log 100 lines a second.
    await filter.clock.advance(10);
    expect(exchange.logs.map(({ message }) => message)).toEqual([`tokens ${tokens} ann`]);
  }
  expect(filter.metric('llm_tokens_total')).toBe(expected);
});

test('counts answers that say nothing, and passes over what comes from no model', async () => {
  const filter = await openFilter(`${import.meta.dirname}/index.ts`);
  await filter.exchange({ response: { headers: { 'content-type': 'application/json' }, body: '{}' } });
  await filter.exchange({
    response: { headers: { 'content-type': 'text/html' }, body: '"total_tokens":1 ' },
  });
  expect(filter.metric('llm_tokens_total')).toBe(0);
  expect(filter.metric('llm_answers_without_usage_total')).toBe(1);
});
