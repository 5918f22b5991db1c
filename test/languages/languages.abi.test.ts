// Plugins of four languages (five SDKs), built by their own compilers, in a running weir.
import { beforeAll, describe, expect, test } from 'vitest';
import { LANGUAGES, pluginFile } from './build.ts';
import { CASES, CONFIGURATIONS } from './cases.ts';
import { observe, WeirSubject } from './subject.ts';

describe.each(LANGUAGES)('a plugin in %s', (language) => {
  let weir: WeirSubject;
  beforeAll(async () => {
    weir = await WeirSubject.start({ file: pluginFile(language), configurations: CONFIGURATIONS });
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
