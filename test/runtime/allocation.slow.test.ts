import { expect, test } from 'vitest';
import { benchAlloc } from '../../bench/alloc/alloc.ts';

test('a proxied request allocates no more than its ceiling', async () => {
  const results = await benchAlloc({ node: process.execPath, profile: false, which: [] });
  expect(results.map(({ name, bytes, ceiling }) => ({ name, bytes, fits: bytes <= ceiling }))).toEqual(
    results.map(({ name, bytes }) => ({ name, bytes, fits: true })),
  );
});
