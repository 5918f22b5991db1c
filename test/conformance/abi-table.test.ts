import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { placeOf } from '../../scripts/docs/abi-table.ts';
import { CALLBACKS, HOST_FUNCTIONS } from '../../src/runtime/wasm/abi.ts';
import { compileModule } from '../../src/runtime/wasm/module.ts';
import { guest } from '../support/wasm-guest.ts';
import { BareHost } from '../support/bare-host.ts';

describe('the table of the ABI', () => {
  test('names each function once', () => {
    for (const rows of [CALLBACKS, HOST_FUNCTIONS]) {
      expect(new Set(rows.map(({ name }) => name)).size).toBe(rows.length);
    }
  });

  test('points at code that exists, and at a test that calls the function by its name', () => {
    const rows = [...CALLBACKS, ...HOST_FUNCTIONS];
    const wrong = rows.filter((row) => {
      const { file, test } = placeOf(row);
      if (!existsSync(file) || !existsSync(test)) return true;
      return !new RegExp(`\\b${row.name}\\b`).test(readFileSync(test, 'utf8'));
    });
    expect(wrong.map(({ name }) => name)).toEqual([]);
  });

  test('a module that imports every function of it links without a warning', async () => {
    const code = guest({ proxy_on_request_headers: () => {} });
    expect((await compileModule(code)).warnings).toEqual([]);
    const host = new BareHost();
    await host.start(code);
    expect(host.messages).toEqual([]);
  });
});
