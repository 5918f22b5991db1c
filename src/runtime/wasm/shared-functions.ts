import { Status } from './abi.ts';
import type { ForeignResult } from './foreign-result.ts';
import { Interner, latin1 } from './intern.ts';
import { SHARED_BYTES, SHARED_NAME_BYTES } from './limits.ts';
import { encodeAttribute } from './properties.ts';
import type { Vm } from './vm.ts';

/** As `proxy_get_shared_data` reads keys, so that both name the same one. */
const keys = new Interner(latin1);

/** `weir.counter_add`: adds to a counter in the shared data, exactly over all workers. */
export function addToCounter(
  vm: Vm,
  _memory: Uint8Array,
  start: number,
  end: number,
  result: ForeignResult,
): Status {
  if (end - start < 13 || end - start - 12 > SHARED_NAME_BYTES) return Status.BadArgument;
  const words = vm.words();
  const delta = words.getBigInt64(start, true);
  const ttlMs = words.getUint32(start + 8, true);
  const key = keys.at(words, start + 12, end - start - 12);
  const sum = vm.group.host.deps.shared.add(vm.plugin.space, key, delta, ttlMs);
  if (typeof sum === 'number') return told(vm, 'weir.counter_add', sum);
  result.set(sum);
  return Status.Ok;
}

/** `weir.shared_set`: sets shared data for a limited time. The result says whether it was set. */
export function setShared(
  vm: Vm,
  memory: Uint8Array,
  start: number,
  end: number,
  result: ForeignResult,
): Status {
  if (end - start < 12 || end - start > SHARED_BYTES) return Status.BadArgument;
  const words = vm.words();
  const ttlMs = words.getUint32(start, true);
  const cas = words.getUint32(start + 4, true);
  const keySize = words.getUint32(start + 8, true);
  const valueStart = start + 12 + keySize;
  if (keySize > SHARED_NAME_BYTES || valueStart > end) return Status.BadArgument;
  const key = keys.at(words, start + 12, keySize);
  const value = memory.slice(valueStart, end);
  return whether(
    vm,
    'weir.shared_set',
    vm.group.host.deps.shared.set(vm.plugin.space, key, value, cas, ttlMs),
    result,
  );
}

/** `weir.shared_delete`: removes shared data. The result says whether it was there, in that version. */
export function deleteShared(
  vm: Vm,
  _memory: Uint8Array,
  start: number,
  end: number,
  result: ForeignResult,
): Status {
  if (end - start < 4 || end - start - 4 > SHARED_NAME_BYTES) return Status.BadArgument;
  const words = vm.words();
  const cas = words.getUint32(start, true);
  const key = keys.at(words, start + 4, end - start - 4);
  return whether(
    vm,
    'weir.shared_delete',
    vm.group.host.deps.shared.remove(vm.plugin.space, key, cas),
    result,
  );
}

/** `weir.shared_keys`: the keys of the shared data that begin with the arguments. */
export function listShared(
  vm: Vm,
  _memory: Uint8Array,
  start: number,
  end: number,
  result: ForeignResult,
): Status {
  if (end - start > SHARED_NAME_BYTES) return Status.BadArgument;
  const prefix = keys.at(vm.words(), start, end - start);
  const found = vm.group.host.deps.shared.keys(vm.plugin.space, prefix);
  const value = found.map((key) => ({ type: 'string', value: Buffer.from(key, 'latin1') }) as const);
  result.set(encodeAttribute({ type: 'list', value }, 'envoy')!);
  return Status.Ok;
}

/** Statuses that SDKs take for a broken host become a result: u32, 1 or 0. */
function whether(vm: Vm, name: string, status: Status, result: ForeignResult): Status {
  if (status !== Status.Ok && status !== Status.CasMismatch && status !== Status.NotFound)
    return told(vm, name, status);
  result.small.writeUInt32LE(status === Status.Ok ? 1 : 0);
  result.length = 4;
  return Status.Ok;
}

function told(vm: Vm, name: string, status: Status): Status {
  if (status === Status.InternalFailure) vm.plugin.warnOnce(`${name}: there is no room left`);
  return status;
}
