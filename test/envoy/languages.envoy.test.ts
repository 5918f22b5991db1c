// The same modules and the same requests in weir and in Envoy: the same answers, the same upstream, the same logs.
import { beforeAll, describe, expect, test } from 'vitest';
import { LANGUAGES, pluginFile } from '../languages/build.ts';
import { casesOf, configurationsOf, VM_CONFIGURATION } from '../languages/cases.ts';
import { inRoles, type Subject } from '../languages/subject.ts';
import { startParrot, talk, talkOnce, type Conversation } from '../languages/tcp.ts';
import { exchange, getRequest } from '../support/raw-client.ts';
import { Both } from './both.ts';
import { EnvoySubject } from './envoy.ts';
import { ALLOWED, type Allowed } from './differences.ts';

const used = new Set<Allowed>();

describe.each(LANGUAGES)('a plugin in %s', (language) => {
  let both: Both;
  beforeAll(async () => {
    const places = inRoles(pluginFile(language), configurationsOf(language));
    const tcpPort = await startParrot();
    both = await Both.start({ places, vmConfiguration: VM_CONFIGURATION, tcpPort });
  }, 120_000);

  test.each(casesOf(language))('%s', async (_, one) => {
    one.expect(await both.compare(one), language);
    for (const one of both.used) used.add(one);
  });

  test.each(['end', 'deny'] as const)('a TCP connection that %ss', async (last) => {
    const weir = await talk(both.weir, ['one', 'two'], last);
    expect(weir).toEqual(await talk(both.envoy, ['one', 'two'], last));
    expect(weir.heard).toEqual([`<${language}:one>!`, `<${language}:two>!`]);
  });

  test.runIf(language === 'as-weir')('a TCP connection that is held until the filter has asked', async () => {
    const ask = (subject: Subject, by: number): Promise<Conversation> =>
      talkOnce(subject, 'one\n', '<one\n>', [`tcp upstream closed by ${by}`, 'tcp done'], 'tcp-held');
    // Who closed the upstream's connection is not known to Envoy: docs/host-differences.md.
    const [weir, envoy] = [await ask(both.weir, 2), await ask(both.envoy, 0)];
    expect({ ...envoy, logs: [] }).toEqual({ ...weir, logs: [] });
    for (const { authz } of [both.weir, both.envoy])
      expect(authz.requests.slice(-2).map(({ target }) => target)).toEqual(['/connection', '/line']);
  });

  test.runIf(language === 'as-weir')('labels of metrics in their names', async () => {
    const weir = (await both.weir.weir.admin('/metrics')).text;
    const envoy = await both.envoy.envoy.admin('/stats?filter=plugin_labels');
    expect(weir).toMatch(/plugin_labels\{[^}]*route="check=out \\"x\\""[^}]*class="2xx"[^}]*\} 6\n/);
    expect(envoy).toContain('plugin_labels{route="check=out \\"x\\"",class="2xx"}: 6');
  });

  test.runIf(language === 'as-weir')('a stream that the filter resets', async () => {
    const send = getRequest('/reset', 'plugin.test');
    for (const subject of [both.weir, both.envoy])
      await expect(exchange({ port: subject.port('callbacks') }, send)).rejects.toThrow();
  });
});

test.each(LANGUAGES)(
  'Envoy does not start with a plugin in %s that refuses its configuration',
  async (language) => {
    const start = EnvoySubject.start({ places: inRoles(pluginFile(language), ['refuse']) });
    await expect(start).rejects.toThrow(/refused as asked/);
  },
);

test('every difference that is listed as meant was seen', () => {
  const unseen = ALLOWED.filter((one) => one.id !== 'log-unreached' && !used.has(one));
  expect(unseen).toEqual([]);
});
