import { expect, test } from 'vitest';
import { startBuiltIn } from '../support/filter.ts';
import { BareStream } from '../support/bare-stream.ts';
import { memoryTests } from './memory-cases.ts';

// The slow tests have a million.
memoryTests(6_000);

test('a head larger than the SDK’s own memory is given back', async () => {
  const plugin = await startBuiltIn('headers', { request: { rename: { a: 'b' } } });
  const stream = new BareStream();
  const many = Array.from({ length: 60 }, (_, i) => [`x-${i}`, 'v'.repeat(1000)] as const);
  let size = 0;
  for (let i = 0; i < 2000; i++) {
    const head = stream.request([['a', 'b'], ...many]);
    const context = plugin.createContext(stream)!;
    context.onRequestHeaders(head.count, true);
    context.finish();
    if (i === 10) size = plugin.heapBytes;
  }
  expect(plugin.heapBytes).toBe(size);
});
