// Plugins of four languages (five SDKs), built by their own compilers, in a running weir.
import { beforeAll, describe, expect, test } from 'vitest';
import { LANGUAGES, pluginFile } from './build.ts';
import { casesOf, configurationsOf, VM_CONFIGURATION } from './cases.ts';
import { startParrot, talk } from './tcp.ts';
import { inRoles, observe, WeirSubject } from './subject.ts';

const VARIANTS = LANGUAGES.flatMap((language) => [
  { language, vms: 'VMs of their own', shared: false },
  // G-Core's SDK keeps one root context for all of a VM.
  ...(language === 'as-gcore' ? [] : [{ language, vms: 'one shared VM', shared: true }]),
]);

test.each(LANGUAGES)(
  'weir does not start with a plugin in %s that refuses its configuration',
  async (language) => {
    const start = WeirSubject.start({ places: inRoles(pluginFile(language), ['refuse']) });
    await expect(start).rejects.toThrow(/refused as asked/);
  },
);

describe.each(VARIANTS)('plugins in $language, in $vms', ({ language, shared }) => {
  let weir: WeirSubject;
  beforeAll(async () => {
    const places = inRoles(pluginFile(language), configurationsOf(language));
    const tcpPort = await startParrot();
    weir = await WeirSubject.start({ places, vmConfiguration: VM_CONFIGURATION, shared, tcpPort });
  }, 90_000);

  test.each(casesOf(language))('%s', async (_, one) => {
    one.expect(await observe(weir, one), language);
  });

  test('changes what goes over a TCP connection, both ways', async () => {
    const { heard, end, logs } = await talk(weir, ['one', 'two'], 'end');
    expect(heard).toEqual([`<${language}:one>!`, `<${language}:two>!`]);
    expect(end).toBe('ended');
    expect(logs).toEqual(['tcp from 127.0.0.1', 'tcp closed', 'tcp done']);
  });

  test('closes a TCP connection', async () => {
    const { heard, logs } = await talk(weir, ['one'], 'deny');
    expect(heard).toEqual([`<${language}:one>!`]);
    expect(logs).toEqual(['tcp from 127.0.0.1', 'tcp closed', 'tcp done']);
  });

  test('left no trap behind', async () => {
    const { text } = await weir.weir.admin('/metrics');
    const traps = text.split('\n').filter((line) => line.startsWith('weir_filter_traps_total'));
    expect(traps.filter((line) => !line.endsWith(' 0'))).toEqual([]);
    expect(weir.weir.exit).toBe(null);
  });
});
