import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { DEFAULT_LISTENER_LIMITS } from '../../src/runtime/snapshot.ts';
import * as limits from '../../src/runtime/wasm/limits.ts';

const page = readFileSync(fileURLToPath(new URL('../../docs/security.md', import.meta.url)), 'utf8');

/** `| \`NAME\` | 16 KiB | …` as NAME → 16384. */
const documented = new Map(
  [...page.matchAll(/^\| `(\w+)` \| ([\d ]+?)(?: (KiB|MiB|ms|s))? \|/gm)].map(([, name, digits, unit]) => [
    name!,
    Number(digits!.replaceAll(' ', '')) * { KiB: 1024, MiB: 1024 * 1024, ms: 1, s: 1000, '': 1 }[unit ?? '']!,
  ]),
);

describe('docs/security.md names every limit with its default', () => {
  // Units, and what the WebAssembly format fixes.
  const { KiB: _KiB, MiB: _MiB, PAGE_BYTES: _page, ...guest } = limits;

  test.each(Object.entries(guest))('of a guest: %s', (name, value) => {
    expect(documented.get(name)).toBe(value);
  });

  const listener = Object.entries(DEFAULT_LISTENER_LIMITS).filter(
    ([name, value]) => typeof value === 'number' && name !== 'trustedHops',
  );
  test.each(listener)('of a listener: %s', (name, value) => {
    expect(documented.get(name)).toBe(value);
  });
});
