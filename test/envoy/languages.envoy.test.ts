// The same modules and the same requests in weir and in Envoy: the same answers, the same upstream, the same logs.
import { beforeAll, describe, expect, test } from 'vitest';
import { LANGUAGES, pluginFile } from '../languages/build.ts';
import { casesOf, configurationsOf, VM_CONFIGURATION, WITH_TCP } from '../languages/cases.ts';
import { inRoles } from '../languages/subject.ts';
import { startParrot, talk } from '../languages/tcp.ts';
import { Both } from './both.ts';
import { EnvoySubject } from './envoy.ts';
import { ALLOWED } from './differences.ts';

const used = new Set<string>();

describe.each(LANGUAGES)('a plugin in %s', (language) => {
  let both: Both;
  beforeAll(async () => {
    const places = inRoles(pluginFile(language), configurationsOf(language));
    const tcpPort = await startParrot();
    both = await Both.start({ places, vmConfiguration: VM_CONFIGURATION, tcpPort });
  }, 120_000);

  test.each(casesOf(language))('%s', async (_, one) => {
    one.expect(await both.compare(one), language);
    for (const id of both.used) used.add(id);
  });

  test.runIf(WITH_TCP.includes(language)).each(['end', 'deny'] as const)(
    'a TCP connection that %ss',
    async (last) => {
      const weir = await talk(both.weir, ['one', 'two'], last);
      expect(weir).toEqual(await talk(both.envoy, ['one', 'two'], last));
      expect(weir.heard).toEqual([`<${language}:one>!`, `<${language}:two>!`]);
    },
  );
});

test.each(LANGUAGES)(
  'Envoy does not start with a plugin in %s that refuses its configuration',
  async (language) => {
    const start = EnvoySubject.start({ places: inRoles(pluginFile(language), ['refuse']) });
    await expect(start).rejects.toThrow(/refused as asked/);
  },
);

test('every difference that is listed as meant was seen', () => {
  const ids = ALLOWED.map(({ id }) => id).filter((id) => id !== 'log-unreached');
  expect([...used].sort()).toEqual(ids.sort());
});
