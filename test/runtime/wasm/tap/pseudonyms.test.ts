import { describe, expect, test } from 'vitest';
import { redactConfiguration } from '../../../../src/runtime/wasm/tap/configuration.ts';
import { Pseudonyms, sha256Hex } from '../../../../src/runtime/wasm/tap/pseudonyms.ts';

const KEY = Buffer.alloc(32, 7);
const make = (): Pseudonyms => new Pseudonyms(KEY);

describe('a pseudonym', () => {
  test('has the length and the kinds of characters of its secret, and is the same each time and in each worker', () => {
    const secret = 'sk_live-4eC39HqLyjWDarjtT1zdp7dc';
    const pseudonym = make().of(secret);
    expect(pseudonym).not.toBe(secret);
    expect(pseudonym.replace(/[a-z]/g, 'a').replace(/[A-Z]/g, 'A').replace(/\d/g, '0')).toBe(
      secret.replace(/[a-z]/g, 'a').replace(/[A-Z]/g, 'A').replace(/\d/g, '0'),
    );
    expect(make().of(secret)).toBe(pseudonym);
    expect(new Pseudonyms(Buffer.alloc(32, 8)).of(secret)).not.toBe(pseudonym);
  });

  test('of a digest is a digest', () => {
    expect(make().of(sha256Hex('a'))).toMatch(/^[0-9a-f]{64}$/);
  });

  test('takes the place of the secret, and of its parts, in whatever a filter makes of it', () => {
    const pseudonyms = make();
    const field = pseudonyms.ofField('authorization', 'Bearer abcdefgh.12345678.zyxwvuts');
    const [scheme, token] = field.split(' ');
    expect(scheme).toBe('Bearer');
    expect(pseudonyms.in('{"token":"abcdefgh.12345678.zyxwvuts"}')).toBe(`{"token":"${token!}"}`);
    expect(pseudonyms.in('first 12345678 of')).toBe(`first ${token!.split('.')[1]!} of`);
    expect(pseudonyms.in('preabcdefgh.12345678.zyxwvutspost')).toBe(`pre${token!}post`);
    expect(pseudonyms.in('nothing of it')).toBe('nothing of it');
  });

  test('of Basic credentials decodes to pseudonyms of user and password', () => {
    const pseudonyms = make();
    const basic = Buffer.from('ann-the-admin:correct horse').toString('base64');
    const field = pseudonyms.ofField('authorization', `Basic ${basic}`);
    const decoded = Buffer.from(field.slice(6), 'base64').toString();
    expect(decoded).toBe(`${pseudonyms.of('ann-the-admin')}:${pseudonyms.of('correct horse')}`);
    expect(decoded).not.toContain('horse');
    expect(field).toHaveLength(basic.length + 6);
  });

  test('leaves the names of cookies, and what is said about them', () => {
    const pseudonyms = make();
    const session = pseudonyms.of('s3ss1on-value');
    const theme = pseudonyms.of('dark');
    expect(pseudonyms.ofField('cookie', 'sid=s3ss1on-value; theme=dark')).toBe(
      `sid=${session}; theme=${theme}`,
    );
    expect(pseudonyms.ofField('set-cookie', 'sid=s3ss1on-value; Path=/; HttpOnly')).toBe(
      `sid=${session}; Path=/; HttpOnly`,
    );
  });
});

test('a configuration keeps its form, and loses what stands below names of secrets', () => {
  const pseudonyms = make();
  const text = JSON.stringify({
    from: 'header',
    keys: [{ name: 'ann', key: 'demo-key' }],
    limit: 3,
    apiKey: 'abc',
  });
  const redacted = JSON.parse(redactConfiguration(text, pseudonyms)) as Record<string, unknown>;
  expect(redacted).toEqual({
    from: 'header',
    keys: [{ name: pseudonyms.of('ann'), key: pseudonyms.of('demo-key') }],
    limit: 3,
    apiKey: pseudonyms.of('abc'),
  });
  expect(redactConfiguration('user:password', pseudonyms)).not.toContain('password');
});
