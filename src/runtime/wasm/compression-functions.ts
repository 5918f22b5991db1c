import { deflateSync, inflateSync } from 'node:zlib';
import { Status } from './abi.ts';
import type { ForeignResult } from './foreign-result.ts';
import { COMPRESS_BYTES, UNCOMPRESSED_BYTES } from './limits.ts';
import type { Vm } from './vm.ts';

/** `compress`: the arguments in zlib's format (RFC 1950), at its default level, as Envoy does. */
export function compress(
  vm: Vm,
  memory: Uint8Array,
  start: number,
  end: number,
  result: ForeignResult,
): Status {
  if (end - start > COMPRESS_BYTES) {
    vm.plugin.warnOnce(`compress: more than ${COMPRESS_BYTES} bytes`);
    return Status.BadArgument;
  }
  result.set(deflateSync(memory.subarray(start, end)));
  return Status.Ok;
}

/** `uncompress`: the other way round. Bytes behind the end of the compressed ones are left out. */
export function uncompress(
  vm: Vm,
  memory: Uint8Array,
  start: number,
  end: number,
  result: ForeignResult,
): Status {
  try {
    result.set(inflateSync(memory.subarray(start, end), { maxOutputLength: UNCOMPRESSED_BYTES }));
    return Status.Ok;
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    vm.plugin.warnOnce(
      code === 'ERR_BUFFER_TOO_LARGE'
        ? `uncompress: more than ${UNCOMPRESSED_BYTES} bytes`
        : `uncompress: ${message}`,
    );
    return Status.SerializationFailure;
  }
}
