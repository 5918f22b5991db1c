import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { fileOf, load, POLICIES, runTests } from './library.ts';

const text = (policy: string, name: string): string => readFileSync(fileOf(policy, name), 'utf8');

describe.each(POLICIES)('the policy %s', (policy) => {
  test('has no fault, and does what its tests say, which leave nothing out', async () => {
    const loaded = await load(policy, {
      'policy.yaml': text(policy, 'policy.yaml'),
      'tests.yaml': text(policy, 'tests.yaml'),
    });
    expect(loaded.diagnostics).toEqual([]);
    const run = await runTests(loaded);
    expect(run?.results.filter(({ misses }) => misses.length > 0)).toEqual([]);
    expect(run?.results.length).toBeGreaterThan(4);
    expect(run?.gaps).toEqual([]);
  });

  test('says what it is and what to change, and stands in the list', () => {
    expect(text(policy, 'README.md')).toMatch(new RegExp(`^# ${policy}\n\n[\\s\\S]*\n\nChange: `));
    expect(text('.', 'README.md')).toContain(`[${policy}](${policy})`);
  });
});
