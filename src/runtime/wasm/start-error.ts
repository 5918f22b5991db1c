import type { RootContext } from './root.ts';
import type { Vm } from './vm.ts';

/** A plugin that cannot serve with its module and configuration. */
export class PluginStartError extends Error {
  readonly plugin: string;
  readonly reason: string;

  constructor(plugin: string, reason: string) {
    super(`${plugin}: ${reason}`);
    this.name = 'PluginStartError';
    this.plugin = plugin;
    this.reason = reason;
  }
}

/** What the guest wrote last at error level, as the end of a message. */
export function lastWords(vm: Vm): string {
  const said = vm.lastWords;
  if (said === '') return '';
  const broken = said.includes('wasmexport function called after main.main returned');
  return `; it logged last: ${said}${broken ? ' (build it with -buildmode=c-shared)' : ''}`;
}

/**
 * Of a module that chooses by its root id what it does: why that may not be one that it knows; else empty.
 * Those in C++ do nothing at all with another, those in AssemblyScript abort.
 */
export function rootIdHint({ asksRootId, plugin }: RootContext): string {
  const { rootId } = plugin.spec;
  if (!asksRootId) return '';
  if (rootId === '')
    return 'it asks for its root id, and the filter has no rootId: a module that registers its contexts by name needs one';
  if (plugin.module.mentions(rootId)) return '';
  return `it asks for its root id, and the module does not hold the text "${rootId}": rootId of the filter is none that it registers`;
}
