import { expect, test } from 'vitest';
import { StateMap } from '../../../src/runtime/wasm/state-map.ts';

const value = (text: string) =>
  ({ bytes: Buffer.from(text), type: 'bytes', readOnly: false, ofConnection: false }) as const;

/** What is known when the filters of a chain have told who it is, each as `name`, then plan and labels. */
function known(...told: Record<string, string>[]): Record<string, string> {
  const map = new StateMap();
  map.set('wasm.other', value('stays'));
  for (const one of told)
    for (const [key, text] of Object.entries(one)) map.set(`wasm.consumer.${key}`, value(text));
  expect(Buffer.from(map.get('wasm.other')!.bytes).toString()).toBe('stays');
  return Object.fromEntries(
    map.withPrefix('wasm.consumer.').map(([key, { bytes }]) => [key, Buffer.from(bytes).toString()]),
  );
}

const GOLD = { name: 'acme', plan: 'gold', 'labels.tier': '1' };

test('another consumer has not got the plan and the labels of the one that a filter in front has found', () => {
  expect(known(GOLD, { name: 'eve' })).toEqual({ name: 'eve' });
  expect(known(GOLD, { name: 'eve', plan: 'free' })).toEqual({ name: 'eve', plan: 'free' });
  expect(known({ name: 'eve' }, GOLD)).toEqual(GOLD);
});

test('the same consumer, found by another filter too, keeps what is known', () => {
  expect(known(GOLD, { name: 'acme' })).toEqual(GOLD);
});
