import { LogLevel } from './abi';
import { allocate } from './arena';
import { writeDecimal, writeText } from './bytes';
import { proxy_log } from './env';

/**
 * What `throw`, `assert` and the checks of the language end in: one line in the log, then a trap. The
 * compiler is pointed here (`--use abort=…`), because a Proxy-Wasm host offers no `env.abort`.
 */
export function abort(message: string | null, file: string | null, line: u32, column: u32): void {
  const start = allocate(64 + 3 * (lengthOf(message) + lengthOf(file)));
  let at = writeText(start, 'abort: ');
  if (changetype<usize>(message) != 0) at = writeText(at, changetype<string>(message));
  at = writeText(at, ' at ');
  if (changetype<usize>(file) != 0) at = writeText(at, changetype<string>(file));
  // One call, not two: this stands in every module, and the compiler would copy it in twice.
  for (let i = 0; i < 2; i++) {
    store<u8>(at, 58);
    at = writeDecimal(at + 1, i == 0 ? line : column);
  }
  fail(start, <i32>(at - start));
}

function lengthOf(text: string | null): i32 {
  return changetype<usize>(text) == 0 ? 0 : changetype<string>(text).length;
}

/** Ends the callback, and with it this instance: for what cannot happen. */
export function fail(reason: usize, size: i32): void {
  proxy_log(LogLevel.Critical, reason, size);
  unreachable();
}

/** Refuses a status that only a fault in the host, or in this SDK, can produce. */
export function expect(status: i32, call: string): void {
  if (status != 0) abort(call, null, status, 0);
}
