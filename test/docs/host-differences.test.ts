import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { ALLOWED } from '../envoy/differences.ts';
import { MEANT } from '../envoy/property-differences.ts';

// The comparison with Envoy lets these pass, so each needs its reason where users read it.
test('every difference from Envoy that the comparison allows is a line of the document', () => {
  const text = readFileSync('docs/host-differences.md', 'utf8');
  expect([...ALLOWED, ...MEANT].filter(({ id }) => !text.includes(`| <a id="${id}"></a>`))).toEqual([]);
});
