import type { Script } from './wasm-guest.ts';

/** Calls a foreign function; its result is in out words 0 and 1. */
export function callForeign(script: Script, name: string, args: Uint8Array | string): Script {
  return script.call(
    'proxy_call_foreign_function',
    script.text(name),
    script.text(args),
    script.out(0),
    script.out(1),
  );
}
