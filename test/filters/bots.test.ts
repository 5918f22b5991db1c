import { expect, test } from 'vitest';
import type { Exchange } from '@weir/filters-sdk/testing';
import { openBuiltIn, refusalOf } from '../support/filter.ts';

interface Asked {
  readonly agents?: readonly string[];
  readonly path?: string;
  readonly method?: string;
  readonly from?: string;
}

async function ask(
  config: object,
  { agents = [], path = '/', method = 'GET', from }: Asked,
): Promise<Exchange> {
  const filter = await openBuiltIn('bots', config);
  const exchange = await filter.exchange({
    ...(from === undefined ? {} : { properties: { 'source.address': from } }),
    request: { method, path, headers: agents.map((agent) => ['user-agent', agent] as [string, string]) },
  });
  await filter.close();
  return exchange;
}

async function verdict(config: object, asked: Asked): Promise<string> {
  const { answer, upstream } = await ask(config, asked);
  return upstream === null ? answer.details : 'served';
}

test.each<[pattern: string, agent: string, expected: string]>([
  ['gptbot', 'Mozilla/5.0 (compatible; GPTBot/1.2)', 'bots_denied'],
  ['GPTBot', 'gptbot', 'bots_denied'],
  ['gptbot', 'Mozilla/5.0 (compatible; GPT Bot)', 'served'],
  ['curl/*', 'curl/8.5.0', 'bots_denied'],
  ['curl/*', 'libcurl/8.5.0', 'served'],
  ['*bot', 'somebot', 'bots_denied'],
  ['*bot', 'somebot/2', 'served'],
  ['a*b*c', 'a-b-b-c', 'bots_denied'],
  ['a*b*c', 'a-c-b', 'served'],
  ['aba*ba', 'aba', 'served'],
  ['a*ab', 'ab', 'served'],
  ['a*ab', 'aab', 'bots_denied'],
  ['*', 'x', 'bots_denied'],
])('deny %s: %s is %s', async (pattern, agent, expected) => {
  expect(await verdict({ deny: [pattern] }, { agents: [agent] })).toBe(expected);
});

test('what is allowed is served although it is denied', async () => {
  const config = { deny: ['bot'], allow: ['goodbot/*'] };
  expect(await verdict(config, { agents: ['goodbot/1'] })).toBe('served');
  expect(await verdict(config, { agents: ['badbot/1'] })).toBe('bots_denied');
  expect(await verdict(config, { agents: ['goodbot/1', 'x'] })).toBe('bots_denied');
  expect(await verdict(config, { agents: ['x', 'badbot'] })).toBe('bots_denied');
});

test('a request without a User-Agent, or with an empty one', async () => {
  for (const agents of [[], ['']]) {
    expect(await verdict({ missingUserAgent: 'Deny' }, { agents })).toBe('bots_no_user_agent');
    expect(await verdict({ deny: ['*'] }, { agents })).toBe('served');
  }
});

test('a crawler is known by where it comes from', async () => {
  const verified = [
    { userAgents: ['googlebot'], addresses: ['66.249.64.0/19', '2001:4860::/32'] },
    { userAgents: ['otherbot'], addresses: ['192.0.2.1'] },
  ];
  const config = { verified, deny: ['bot'] };
  const google = ['Mozilla/5.0 (compatible; Googlebot/2.1)'];
  expect(await verdict(config, { agents: google, from: '66.249.66.1:5000' })).toBe('served');
  expect(await verdict(config, { agents: google, from: '[2001:4860::1]:5000' })).toBe('served');
  expect(await verdict(config, { agents: google, from: '66.249.96.1:5000' })).toBe('bots_impostor');
  expect(await verdict(config, { agents: ['otherbot'], from: '66.249.66.1:5000' })).toBe('bots_impostor');
  expect(await verdict(config, { agents: ['otherbot'], from: '192.0.2.1:5000' })).toBe('served');
  expect(await verdict(config, { agents: ['browser'], from: '198.51.100.1:5000' })).toBe('served');
  // It comes from the right place and says two things.
  expect(await verdict(config, { agents: [...google, 'evilbot'], from: '66.249.66.1:5000' })).toBe(
    'bots_denied',
  );
});

test('honeypots refuse whoever asks, with what is below them', async () => {
  const config = { honeypots: ['/trap', '/t/'], allow: ['*'] };
  for (const path of ['/trap', '/trap?a=b', '/trap/x', '/t/x'])
    expect(await verdict(config, { path, agents: ['x'] }), path).toBe('bots_honeypot');
  for (const path of ['/', '/traps', '/t', '/a?b=/trap'])
    expect(await verdict(config, { path, agents: ['x'] }), path).toBe('served');
});

test('robots.txt is answered to everybody, and to those who only read', async () => {
  const config = { robots: 'User-agent: *\nDisallow: /a\n', deny: ['*'], missingUserAgent: 'Deny' };
  const { answer } = await ask(config, { path: '/robots.txt?x', agents: ['gptbot'] });
  expect([answer.status, answer.headers['content-type'], answer.body]).toEqual([
    200,
    'text/plain; charset=utf-8',
    'User-agent: *\nDisallow: /a\n',
  ]);
  expect(await verdict(config, { path: '/robots.txt', method: 'POST', agents: ['x'] })).toBe('bots_denied');
  expect(await verdict({}, { path: '/robots.txt', agents: ['x'] })).toBe('served');
});

test.each<[string, object, string]>([
  [
    'a range that is none',
    { verified: [{ userAgents: ['a'], addresses: ['192.0.2.1/24'] }] },
    'expected a range',
  ],
  ['a crawler without addresses', { verified: [{ userAgents: ['a'] }] }, '"addresses" is required'],
  ['an empty pattern', { deny: [''] }, 'expected a text'],
  ['a honeypot that is no path', { honeypots: ['trap'] }, 'expected a path'],
])('refuses %s, and says so', async (_what, config, said) => {
  expect((await refusalOf('bots', config)).join('\n')).toContain(said);
});
