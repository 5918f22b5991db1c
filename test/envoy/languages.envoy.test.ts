// The same modules and the same requests in weir and in Envoy: the same answers, the same upstream, the same logs.
import { beforeAll, describe, expect, test } from 'vitest';
import { LANGUAGES, pluginFile } from '../languages/build.ts';
import { CASES, CONFIGURATIONS, VM_CONFIGURATION } from '../languages/cases.ts';
import { inRoles } from '../languages/subject.ts';
import { Both } from './both.ts';
import { ALLOWED } from './differences.ts';

const used = new Set<string>();

describe.each(LANGUAGES)('a plugin in %s', (language) => {
  let both: Both;
  beforeAll(async () => {
    const places = inRoles(pluginFile(language), CONFIGURATIONS);
    both = await Both.start({ places, vmConfiguration: VM_CONFIGURATION });
  }, 120_000);

  test.each(CASES.map((one) => [one.name, one] as const))('%s', async (_, one) => {
    one.expect(await both.compare(one), language);
    for (const id of both.used) used.add(id);
  });
});

test('every difference that is listed as meant was seen', () => {
  const ids = ALLOWED.map(({ id }) => id).filter((id) => id !== 'log-unreached');
  expect([...used].sort()).toEqual(ids.sort());
});
