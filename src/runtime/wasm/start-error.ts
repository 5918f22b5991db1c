import type { CompiledModule } from './module.ts';
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

const FRAMES = 3;
/** A guest's line of a stack: its name where the module has a name section, its number and offset else. */
const FRAME = /at (?:(.+) \()?wasm:\/\/.*(wasm-function\[(\d+)\]:0x[0-9a-f]+)/;

/** What happened, and the guest functions on top of the stack. */
export function describe(error: unknown, module: CompiledModule): string {
  if (!(error instanceof Error)) return String(error);
  const frames: string[] = [];
  for (const line of (error.stack ?? '').split('\n')) {
    const frame = FRAME.exec(line);
    if (frame === null || frames.length >= FRAMES || Number(frame[3]) >= module.ownFunctions) continue;
    frames.push(frame[1] ?? frame[2]!);
  }
  return frames.length === 0 ? error.message : `${error.message} in ${frames.join(' < ')}`;
}

/** What the guest wrote last at error level, as the end of a message. */
export function lastWords(vm: Vm): string {
  const said = vm.lastWords;
  if (said === '') return '';
  const broken = said.includes('wasmexport function called after main.main returned');
  return `; it logged last: ${said}${broken ? ' (build it with -buildmode=c-shared)' : ''}`;
}
