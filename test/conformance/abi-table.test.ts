import { existsSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { placeOf } from '../../scripts/docs/abi-table.ts';
import { CALLBACKS, HOST_FUNCTIONS } from '../../src/runtime/wasm/abi.ts';
import { compileModule } from '../../src/runtime/wasm/module.ts';
import { guest } from '../support/wasm-guest.ts';
import { TestHost } from '../support/wasm-host.ts';

describe('the table of the ABI', () => {
  test('names each function once', () => {
    for (const rows of [CALLBACKS, HOST_FUNCTIONS]) {
      expect(new Set(rows.map(({ name }) => name)).size).toBe(rows.length);
    }
  });

  test('points at code and tests that exist', () => {
    for (const row of [...CALLBACKS, ...HOST_FUNCTIONS]) {
      const place = placeOf(row);
      expect([place.file, place.test].filter((path) => !existsSync(path))).toEqual([]);
    }
  });

  test('a module that imports every function of it links without a warning', async () => {
    const code = guest({ proxy_on_request_headers: () => {} });
    expect((await compileModule(code)).warnings).toEqual([]);
    const host = new TestHost();
    await host.start(code);
    expect(host.messages).toEqual([]);
  });
});
