import { existsSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { placeOf } from '../../scripts/docs/abi-table.ts';
import { CALLBACKS, HOST_FUNCTIONS } from '../../src/runtime/wasm/abi.ts';
import { compileModule } from '../../src/runtime/wasm/module.ts';
import { guest } from '../support/wasm-guest.ts';
import { TestHost } from '../support/wasm-host.ts';
import { runScript } from '../support/wasm-run.ts';

describe('the table of the ABI', () => {
  test('names each function once', () => {
    for (const rows of [CALLBACKS, HOST_FUNCTIONS]) {
      expect(new Set(rows.map(({ name }) => name)).size).toBe(rows.length);
    }
  });

  test('points at code and tests that exist', () => {
    for (const row of [...CALLBACKS, ...HOST_FUNCTIONS]) {
      const place = placeOf(row);
      expect(place === null, row.name).toBe(row.support === 'no');
      if (place !== null) expect([place.file, place.test].filter((path) => !existsSync(path))).toEqual([]);
    }
  });

  test('a module that imports every function of it links without a warning', async () => {
    const code = guest({ proxy_on_request_headers: () => {} });
    expect((await compileModule(code)).warnings).toEqual([]);
    const host = new TestHost();
    await host.start(code);
    expect(host.messages).toEqual([]);
  });

  const unhosted = HOST_FUNCTIONS.filter(({ support }) => support === 'no');
  test.each(unhosted.map(({ name, params }) => [name, params]))(
    '%s is not hosted, and says so',
    async (name, params) => {
      const run = await runScript((s) => s.call(name, ...[...params].map(() => 0)));
      expect(run.results(1)).toEqual([12]);
      expect(run.host.messages).toEqual([
        `it called env.${name}, which this host does not have: answered Unimplemented`,
      ]);
    },
  );
});
