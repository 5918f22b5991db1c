import { expect, test } from 'vitest';
import { PluginSet } from '../../src/runtime/plugin-set.ts';
import type { PluginSpec, Snapshot } from '../../src/runtime/snapshot.ts';
import { guest } from '../support/wasm-guest.ts';
import { PLUGIN, BareHost } from '../support/bare-host.ts';

const SHARED = { shared: true, min: 1, max: 64, recycleAfter: 0 };

function snapshot(...plugins: Partial<PluginSpec>[]): Snapshot {
  return {
    plugins: plugins.map((plugin) => ({ ...PLUGIN, callouts: [], instances: SHARED, ...plugin })),
    modules: [{ name: 'shop/m', digest: 'd', source: 'm.yaml:1:1', memoryBytes: 1 << 20 }],
  } as unknown as Snapshot;
}

test('over a swap an unchanged plugin is the same, a changed one is on the same VM, and shared data stays', async () => {
  const host = new BareHost();
  const set = new PluginSet(host.host, false);
  const code = new Map([
    ['d', guest({ proxy_on_delete: (s) => void s.call('proxy_log', 2, s.text('deleted')) })],
  ]);
  const first = await set.acquire(snapshot({ name: 'a', configuration: '1' }, { name: 'b' }), [], code);
  const { vm } = first[0]!.roots[0]!;
  const { space } = first[0]!;
  host.shared.set(space, 'k', Buffer.from('v'), 0);

  const second = await set.acquire(snapshot({ name: 'a', configuration: '2' }, { name: 'b' }), [], code);
  expect(second[1]).toBe(first[1]);
  expect(second[0]).not.toBe(first[0]);
  expect(second[0]!.roots[0]!.vm).toBe(vm);
  expect([vm.roots.size, vm.dead]).toEqual([3, false]);

  set.release(first);
  await first[0]!.retire();
  expect(host.messages).toEqual(['deleted']);
  expect([vm.roots.size, vm.dead]).toEqual([2, false]);
  expect(host.shared.get(space, 'k')).toBeDefined();

  // Nothing of the VM is left for what comes after it is gone.
  set.release(second);
  await Promise.all(second.map((plugin) => plugin.retire()));
  expect([vm.dead, host.host.heap.count]).toEqual([true, 0]);
  expect(host.shared.get(space, 'k')).toBeUndefined();
  const third = await set.acquire(snapshot({ name: 'a', configuration: '2' }), [], code);
  expect(third[0]!.roots[0]!.vm).not.toBe(vm);
});

test('a snapshot that is refused leaves the VM with those that were on it', async () => {
  const host = new BareHost();
  const set = new PluginSet(host.host, false);
  const code = new Map([
    ['d', guest({})],
    ['big', guest({}, { pages: 1024 })],
  ]);
  const modules = [
    { name: 'shop/m', digest: 'd', source: 'm.yaml:1:1', memoryBytes: 1 << 20 },
    { name: 'shop/big', digest: 'big', source: 'm.yaml:9:1', memoryBytes: 1 << 26 },
  ];
  const first = await set.acquire(snapshot({ name: 'a' }), [], code);
  const { vm } = first[0]!.roots[0]!;
  const plugins = snapshot(
    { name: 'a' },
    { name: 'b', configuration: 'new' },
    { name: 'c', module: 1, instances: { ...SHARED, min: 4 } },
  );
  await expect(set.acquire({ ...plugins, modules } as Snapshot, [], code)).rejects.toThrow(
    "c: the worker's memory for filters, 268435456 bytes, is used up",
  );
  await new Promise((resolve) => setImmediate(resolve));
  expect([vm.dead, vm.roots.size, host.host.heap.count]).toEqual([false, 1, 1]);
});
