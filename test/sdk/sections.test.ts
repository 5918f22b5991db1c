import { expect, test } from 'vitest';
import { readSections, sections, withoutSections, withSection } from '../../filters-sdk/cli/sections.mjs';
import { pluginBytes } from '../support/plugin.ts';

const EMPTY = Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0);
const text = (bytes: Uint8Array | undefined): string => Buffer.from(bytes ?? []).toString();

test('a section is written in the binary format, as UTF-8', () => {
  expect([...withSection(EMPTY, 'a', 'é')]).toEqual([...EMPTY, 0, 4, 1, 0x61, 0xc3, 0xa9]);
});

test('a section takes the place of the one that had its name, and the engine takes the module', async () => {
  const module = pluginBytes('sdk-kit');
  const long = 'x'.repeat(40_000);
  const twice = withSection(withSection(module, 'weir.schema', '{}'), 'weir.schema', long);
  expect(readSections(twice, 'weir.schema').map(text)).toEqual([long]);
  const compiled = await WebAssembly.compile(Uint8Array.from(twice));
  expect(WebAssembly.Module.customSections(compiled, 'weir.schema')).toHaveLength(1);
  expect(withoutSections(twice, 'weir.schema')).toEqual(withoutSections(module, 'weir.schema'));
});

test('a module that is cut off is an error, not an endless loop', () => {
  const whole = withSection(EMPTY, 'name', 'content');
  for (let size = 9; size < whole.length; size++)
    expect(() => [...sections(whole.subarray(0, size))]).toThrow(/cut off|longer than/);
  expect(() => [...sections(Uint8Array.of(...EMPTY, 0, 2, 9, 0))]).toThrow('longer than the section');
});
