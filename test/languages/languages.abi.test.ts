// Plugins of four languages (five SDKs), built by their own compilers, in a running weir.
import { beforeAll, describe, expect, test } from 'vitest';
import { LANGUAGES, pluginFile } from './build.ts';
import { CASES, CONFIGURATIONS, VM_CONFIGURATION } from './cases.ts';
import { inRoles, observe, WeirSubject } from './subject.ts';

const VARIANTS = LANGUAGES.flatMap((language) => [
  { language, vms: 'VMs of their own', shared: false },
  // G-Core's SDK keeps one root context for all of a VM.
  ...(language === 'as-gcore' ? [] : [{ language, vms: 'one shared VM', shared: true }]),
]);

describe.each(VARIANTS)('plugins in $language, in $vms', ({ language, shared }) => {
  let weir: WeirSubject;
  beforeAll(async () => {
    const places = inRoles(pluginFile(language), CONFIGURATIONS);
    weir = await WeirSubject.start({ places, vmConfiguration: VM_CONFIGURATION, shared });
  }, 90_000);

  test.each(CASES.map((one) => [one.name, one] as const))('%s', async (_, one) => {
    one.expect(await observe(weir, one), language);
  });

  test('left no trap behind', async () => {
    const { text } = await weir.weir.admin('/metrics');
    const traps = text.split('\n').filter((line) => line.startsWith('weir_filter_traps_total'));
    expect(traps.filter((line) => !line.endsWith(' 0'))).toEqual([]);
    expect(weir.weir.exit).toBe(null);
  });
});
