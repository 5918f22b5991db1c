import { expect, test } from 'vitest';
import { openFilter, type CallScript } from '@weir/filters-sdk/testing';

const open = (upstreams: Record<string, CallScript>) =>
  openFilter(`${import.meta.dirname}/index.ts`, { config: { users: 'users', plans: 'plans' }, upstreams });
const profile: CallScript = (call) => ({ headers: { 'x-name': `name of ${call.path}` } });
const ann = { request: { headers: { 'x-user': 'ann', 'x-plan': 'root' } } };

test('asks both at the same time, and tells the upstream what they said', async () => {
  const filter = await open({ users: profile, plans: () => ({ headers: { 'x-plan': 'paid' } }) });
  const exchange = await filter.exchange(ann);
  expect(exchange.upstream?.headers).toMatchObject({ 'x-user-name': 'name of /ann', 'x-plan': 'paid' });
  expect(exchange.calls.map(({ upstream }) => upstream)).toEqual(['users', 'plans']);
  expect(exchange.pauses).toHaveLength(1);
});

test('a user cannot choose another path of the services', async () => {
  const filter = await open({ users: profile, plans: () => ({}) });
  const { calls } = await filter.exchange({ request: { headers: { 'x-user': '../é?a=b' } } });
  expect(calls.map(({ path }) => path)).toEqual(['/..%2F%C3%A9%3Fa%3Db', '/..%2F%C3%A9%3Fa%3Db']);
});

test('asks the second one again, and goes on without it', async () => {
  const again = await open({ users: profile, plans: [{ status: 500 }, { headers: { 'x-plan': 'paid' } }] });
  expect((await again.exchange(ann)).upstream?.headers['x-plan']).toBe('paid');
  const gone = await open({ users: profile, plans: () => ({ fail: 'unavailable' }) });
  expect((await gone.exchange(ann)).upstream?.headers['x-plan']).toBe('free');
});

test('does not go on without the first one, and asks for nobody who is not named', async () => {
  const filter = await open({ users: () => ({ status: 404 }), plans: () => ({}) });
  expect((await filter.exchange(ann)).answer.status).toBe(502);
  const nobody = await filter.exchange({ request: { headers: { 'x-plan': 'root' } } });
  expect(nobody.calls).toEqual([]);
  expect(nobody.upstream?.headers).not.toHaveProperty('x-plan');
});
