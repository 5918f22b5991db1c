import { randomBytes } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { sessionOf, signToken } from '../../src/explain/token.ts';

const KEYS = new Map([1, 2].map((session) => [session, randomBytes(32)]));
const NOW = Date.UTC(2026, 10, 25);
const keyOf = (session: number): Buffer | undefined => KEYS.get(session);
const read = (token: string, now = NOW): number | null => sessionOf(token, keyOf, now);
const good = signToken(1, NOW + 1000, KEYS.get(1)!);

describe('a token', () => {
  test('names its session while it is good', () => {
    expect(read(good)).toBe(1);
    expect(read(good, NOW + 1000)).toBe(1);
    expect(read(good, NOW + 1001)).toBeNull();
  });

  test('is nothing with another session, another end, another signature, or without its key', () => {
    const [session, until, signature] = good.split('.') as [string, string, string];
    expect(read(`2.${until}.${signature}`)).toBeNull();
    expect(read(`${session}.${Number(until) + 1}.${signature}`)).toBeNull();
    expect(read(`${session}.${until}.${signature.slice(0, -1)}`)).toBeNull();
    expect(read(`${session}.${until}.${'A'.repeat(43)}`)).toBeNull();
    expect(read(signToken(1, NOW + 1000, KEYS.get(2)!))).toBeNull();
    expect(read(signToken(3, NOW + 1000, KEYS.get(1)!))).toBeNull();
  });

  test.each(['', '.', '1..', `01.${good.slice(2)}`, ` ${good}`, `${good} `, `${good}.`, good.toUpperCase()])(
    'of another shape is nothing: %j',
    (text) => expect(read(text)).toBeNull(),
  );
});
