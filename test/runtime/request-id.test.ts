import { expect, test } from 'vitest';
import { REQUEST_ID_LENGTH, writeRequestId } from '../../src/runtime/request-id.ts';

test('writes a version 4 UUID (RFC 9562, section 5.4) where it was told to, and no id twice', () => {
  const seen = new Set<string>();
  for (let i = 0; i < 2000; i++) {
    const out = Buffer.alloc(REQUEST_ID_LENGTH + 4, '.');
    expect(writeRequestId(out, 2)).toBe(2 + REQUEST_ID_LENGTH);
    const text = out.toString('latin1');
    expect(text).toMatch(/^\.\.[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}\.\.$/);
    seen.add(text);
  }
  expect(seen.size).toBe(2000);
});
