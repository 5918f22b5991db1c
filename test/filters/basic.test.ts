import { createHash, scryptSync } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import type { Filter } from '../../filters-sdk/testing/testing.d.ts';
import { linesOf, openBuiltIn, refusalOf } from '../support/filter.ts';

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');
const basic = (text: string): [string, string] => [
  'authorization',
  `Basic ${Buffer.from(text).toString('base64')}`,
];

const USERS = [
  { username: 'mira', name: 'acme', sha256: sha256('first'), plan: 'gold' },
  { username: 'mira', name: 'acme', sha256: sha256('second:with colon') },
  { username: 'ünal', password: 'gehéim' },
  { username: 'old', password: 'old', notAfter: '2020-01-01T00:00:00Z' },
];

const start = (config: object = {}): Promise<Filter> => openBuiltIn('basic', { users: USERS, ...config });

async function verdict(filter: Filter, ...headers: [string, string][]): Promise<string> {
  const exchange = await filter.exchange({ request: { headers } });
  const { answer, upstream } = exchange;
  return upstream === null
    ? `${answer.status} ${answer.details}`
    : String(exchange.property('consumer.name'));
}

describe('basic, by digests', () => {
  test.each([
    ['mira:first', 'acme'],
    ['mira:second:with colon', 'acme'],
    ['ünal:gehéim', 'ünal'],
    ['mira:First', '401 basic_invalid'],
    ['Mira:first', '401 basic_invalid'],
    ['mira:', '401 basic_invalid'],
    [':first', '401 basic_invalid'],
    ['mira', '401 basic_invalid'],
    ['', '401 basic_invalid'],
    ['mira:first\n', '401 basic_invalid'],
    ['mira:first\0', '401 basic_invalid'],
    ['mira\0:first', '401 basic_invalid'],
    ['mira::first', '401 basic_invalid'],
    // A composed letter is not the same name as a decomposed one.
    ['u\u0308nal:gehéim', '401 basic_invalid'],
    ['nobody:first', '401 basic_invalid'],
    [`mira:${sha256('first')}`, '401 basic_invalid'],
    ['old:old', '401 basic_expired'],
    ['old:new', '401 basic_invalid'],
  ])('%j: %s, the second time as well', async (text, expected) => {
    const filter = await start();
    expect(await verdict(filter, basic(text))).toBe(expected);
    expect(await verdict(filter, basic(text))).toBe(expected);
  });

  test.each([
    ['none', [], '401 basic_missing'],
    ['another scheme', [['authorization', 'Bearer abc']], '401 basic_missing'],
    ['another scheme beside', [['authorization', 'Bearer abc'], basic('mira:first')], 'acme'],
    ['two', [basic('mira:first'), basic('mira:first')], '401 basic_invalid'],
    ['a good and a bad one', [basic('mira:first'), basic('mira:bad')], '401 basic_invalid'],
    ['no base64', [['authorization', 'Basic mira:first']], '401 basic_invalid'],
    ['the scheme alone', [['authorization', 'Basic']], '401 basic_invalid'],
    [
      'a tab behind the scheme, and a good one',
      [['authorization', 'Basic\tbWlyYTp4'], basic('mira:first')],
      '401 basic_invalid',
    ],
    [
      'the scheme in another case',
      [['Authorization', basic('mira:first')[1].replace('Basic', 'bASIC')]],
      'acme',
    ],
    [
      'a scheme that begins alike',
      [['authorization', basic('mira:first')[1].replace('Basic', 'Basicx')]],
      '401 basic_missing',
    ],
  ] as [string, [string, string][], string][])('%s: %s', async (_, headers, expected) => {
    expect(await verdict(await start(), ...headers)).toBe(expected);
  });

  test('tells who it is, strips the credential, and takes out what came under that name', async () => {
    const filter = await start({ consumerHeader: 'x-consumer', realm: 'shop' });
    const headers: [string, string][] = [basic('mira:first'), ['X_Consumer', 'root'], ['x-consumer', 'root']];
    const exchange = await filter.exchange({ request: { headers } });
    expect(linesOf(exchange.upstream!)).toEqual(['x-consumer: acme']);
    expect(exchange.property('consumer.plan')).toBe('gold');
    const { answer } = await filter.exchange();
    expect(answer.headers['www-authenticate']).toBe('Basic realm="shop", charset="UTF-8"');
    expect(answer.headers['content-type']).toBe('application/problem+json');
  });

  test('leaves the credential where it is told to', async () => {
    const filter = await start({ stripCredential: false });
    const { upstream } = await filter.exchange({ request: { headers: [basic('mira:first')] } });
    expect(upstream!.headers['authorization']).toBe(basic('mira:first')[1]);
  });

  test.each([
    [{ users: undefined }, '"users" is required'],
    [{ users: [{ username: 'a:b', password: 'c' }] }, 'a user name is not empty and has no colon'],
    [{ users: [{ username: 'a' }] }, 'expected one of "hash", "sha256" and "password"'],
    [{ users: [{ username: 'a', password: 'b', sha256: sha256('b') }] }, 'expected one of'],
    [{ users: [{ username: 'a', sha256: 'ab' }] }, 'must have 64 hexadecimal digits'],
    [{ users: [{ username: 'a', hash: '$2y$10$abc' }] }, 'expected scrypt$N$r$p$salt$key'],
    [{ consumerLabel: {} }, 'consumerLabel: unknown field'],
  ])('refuses %j', async (config, message) => {
    expect((await refusalOf('basic', { users: USERS, ...config })).join('\n')).toContain(message);
  });
});

describe('basic, by hashes', () => {
  /** Less work than `weir hash-password` asks for, so that the tests are quick. */
  const hash = (password: string): string =>
    `scrypt$8192$8$1$${Buffer.from('saltsalt').toString('base64')}$${scryptSync(password, 'saltsalt', 32, { N: 8192 }).toString('base64')}`;
  const open = () =>
    openBuiltIn('basic', {
      users: [
        { username: 'mira', hash: hash('first') },
        { username: 'mira', hash: hash('second') },
        { username: 'build', sha256: sha256('random') },
      ],
    });

  test('admits either password of a user, and remembers what was right alone', async () => {
    const filter = await open();
    for (const password of ['first', 'second', 'second'])
      expect(await verdict(filter, basic(`mira:${password}`))).toBe('mira');
    expect(await verdict(filter, basic('build:random'))).toBe('build');
    for (const wrong of ['mira:third', 'mira:third', 'nobody:first', 'build:first'])
      expect(await verdict(filter, basic(wrong))).toBe('401 basic_invalid');
  }, 60_000);

  test('a name that is not known costs a hash, as a wrong password does, and a right one is remembered', async () => {
    const filter = await open();
    const cost = async (text: string): Promise<number> => {
      const before = process.cpuUsage();
      await verdict(filter, basic(text));
      const { user, system } = process.cpuUsage(before);
      return user + system;
    };
    await cost('mira:first');
    const known = await cost('mira:first');
    // A hash against a digest.
    expect(await cost('nobody:first')).toBeGreaterThan(5 * known);
    expect(await cost('build:wrong')).toBeGreaterThan(5 * known);
  }, 60_000);
});
