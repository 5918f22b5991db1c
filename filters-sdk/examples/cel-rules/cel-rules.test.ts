import { expect, test } from 'vitest';
import { openFilter } from '@weir/filters-sdk/testing';

const rules = [
  { name: 'no_writes', when: 'request.method != "GET" && request.path.startsWith("/fixed")', status: 405 },
  { name: 'no_robots', when: 'request.useragent.contains("robot")' },
];
const open = (config: object) => openFilter(`${import.meta.dirname}/index.ts`, { config });
const filter = await open({ rules });

test.each([
  ['POST', '/fixed/a', '', 405, 'no_writes'],
  ['GET', '/fixed/a', '', 200, 'via_upstream'],
  ['GET', '/', 'a robot', 403, 'no_robots'],
  ['GET', '/', 'a person', 200, 'via_upstream'],
])('%s %s by %s: %i', async (method, path, agent, status, details) => {
  const exchange = await filter.exchange({ request: { method, path, headers: { 'user-agent': agent } } });
  expect(exchange.answer).toMatchObject({ status, details });
});

test('a rule over what a request does not have does not hold', async () => {
  expect((await filter.exchange()).answer.status).toBe(200);
});

test('a rule may ask for what a request must have', async () => {
  const strict = await open({ rules: [{ name: 'no_tenant', when: '!("x-tenant" in request.headers)' }] });
  expect((await strict.exchange()).answer.status).toBe(403);
  expect((await strict.exchange({ request: { headers: { 'x-tenant': 'a' } } })).answer.status).toBe(200);
});

test('refuses an expression that is wrong, and says where', async () => {
  const wrong = open({ rules: [{ name: 'a', when: 'request.method ==' }] });
  await expect(wrong).rejects.toThrow(/rules\[0\]\.when: not a valid expression/);
});
