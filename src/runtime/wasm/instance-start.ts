import type { InstanceGroup } from './instance-group.ts';
import { HEAP_BYTES, INSTANCES } from './limits.ts';
import type { Plugin } from './plugin.ts';
import { RootContext } from './root.ts';
import { PluginStartError, lastWords, rootIdHint } from './start-error.ts';
import { describe } from './trap/describe.ts';
import type { Vm } from './vm.ts';

/** Why the worker cannot have another instance of the group; null where it can. */
export function noRoom({ host, module }: InstanceGroup): string | null {
  if (host.heap.count >= INSTANCES) return `the worker has ${INSTANCES} instances already`;
  if (host.heap.bytes + module.minMemoryBytes <= HEAP_BYTES) return null;
  return `the worker's memory for filters, ${HEAP_BYTES} bytes, is used up`;
}

/**
 * Starts an instance with a root context for each plugin.
 *
 * @param vm made for the first of them
 * @throws PluginStartError; nothing is left of it then
 */
export function startInstance(vm: Vm, plugins: readonly Plugin[]): void {
  const [first, ...others] = plugins;
  const { host } = vm.group;
  vm.startedAt = host.deps.now();
  const refused = noRoom(vm.group);
  if (refused !== null) throw new PluginStartError(first!.spec.name, refused);
  host.heap.add(vm);
  try {
    within(vm, first!, () => {
      vm.start();
      return root(vm, first!);
    });
    for (const plugin of others) startRoot(vm, plugin);
  } catch (error) {
    dropInstance(vm);
    throw error;
  }
}

/**
 * Starts one plugin more on an instance.
 *
 * @throws PluginStartError
 */
export function startRoot(vm: Vm, plugin: Plugin): void {
  within(vm, plugin, () => root(vm, plugin));
}

/** No callback comes after this, and its memory counts no more. */
export function dropInstance(vm: Vm): void {
  vm.dead = true;
  for (const each of vm.roots) each.dispose();
  vm.quotas.dispose();
  vm.group.host.heap.remove(vm);
}

/** @returns what the guest refused, or null */
function root(vm: Vm, plugin: Plugin): string | null {
  const made = new RootContext(vm, plugin);
  const refusal = made.start();
  if (refusal === null && !vm.dead && plugin.spec.rootId !== '') {
    const hint = rootIdHint(made);
    if (hint !== '') plugin.warnOnce(hint);
  }
  return refusal;
}

/** Runs the start of a plugin within its budget. @param job answers what the guest refused, or null */
function within(vm: Vm, plugin: Plugin, job: () => string | null): void {
  const { name } = plugin.spec;
  let refusal: string | null;
  vm.meter.beginStart();
  try {
    refusal = job();
  } catch (thrown) {
    const error = vm.meter.explain(thrown, 'its start');
    // What was on the guest's stack is gone, and what it left half done stays so.
    vm.group.trapped(vm, 'its start', error);
    vm.dead = true;
    throw new PluginStartError(name, `its start: ${describe(error, plugin.module)}${lastWords(vm)}`);
  }
  vm.meter.endStart();
  if (vm.trapReason === '' && refusal === null) return;
  const reason = vm.trapReason || `${refusal!} answered false${lastWords(vm)}`;
  const started = vm.rootOf(plugin);
  const hint = started === null ? '' : rootIdHint(started);
  throw new PluginStartError(name, hint === '' ? reason : `${reason} (${hint})`);
}
