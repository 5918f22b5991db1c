import { Bytes } from '@weir/filters-sdk/assembly';
import { out } from '@weir/filters-sdk/assembly/arena';
import { proxy_call_foreign_function } from '@weir/filters-sdk/assembly/env';

/** Calls a function of the host's. @returns its result, until the callback returns; null where it did not answer Ok */
export function callForeign(name: ArrayBuffer, args: Bytes): Bytes | null {
  const status = proxy_call_foreign_function(
    changetype<usize>(name),
    name.byteLength,
    args.start,
    args.length,
    out,
    out + 4,
  );
  return status == 0 ? Bytes.of(load<usize>(out), load<i32>(out, 4)) : null;
}
