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
