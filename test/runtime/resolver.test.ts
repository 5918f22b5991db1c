import { describe, expect, test } from 'vitest';
import { SystemResolver } from '../../src/runtime/resolver.ts';

describe('SystemResolver', () => {
  test('localhost is looked up in the system, without a time to live', async () => {
    const { addresses, ttlMs } = await new SystemResolver().resolve('localhost');
    expect(addresses).toContain('127.0.0.1');
    expect(ttlMs).toBe(Infinity);
  });

  test('a name that cannot exist is an error', async () => {
    await expect(new SystemResolver().resolve('no-such-host')).rejects.toThrow('no-such-host');
  });
});
