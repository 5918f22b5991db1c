import { Status } from './abi';
import { expect } from './abort';
import { out } from './arena';
import { Bytes, encode, sizeOf, startOf } from './bytes';
import {
  proxy_dequeue_shared_queue,
  proxy_enqueue_shared_queue,
  proxy_get_shared_data,
  proxy_register_shared_queue,
  proxy_resolve_shared_queue,
  proxy_set_shared_data,
} from './env';

/**
 * A value that all instances of the plugin see, or null. Its version is then `sharedVersion()`, for
 * {@link compareAndSetShared}.
 */
export function getShared<K>(key: K): Bytes | null {
  if (isString<K>()) return getShared<Bytes>(encode(changetype<string>(key)));
  const status = proxy_get_shared_data(startOf<K>(key), sizeOf<K>(key), out, out + 4, out + 8);
  if (status == Status.NotFound) return null;
  expect(status, 'proxy_get_shared_data');
  return Bytes.of(load<usize>(out), load<i32>(out, 4));
}

/** Of the last `getShared` that found a value. */
export function sharedVersion(): u32 {
  return load<u32>(out, 8);
}

/** False where another was faster, or the host has no room. A version of 0 overwrites whatever is there. */
export function compareAndSetShared<K, V>(key: K, value: V, version: u32): bool {
  if (isString<K>()) return compareAndSetShared<Bytes, V>(encode(changetype<string>(key)), value, version);
  if (isString<V>()) return compareAndSetShared<K, Bytes>(key, encode(changetype<string>(value)), version);
  return setShared<K>(key, startOf<V>(value), sizeOf<V>(value), version);
}

/** {@link compareAndSetShared} by address. */
export function setShared<K>(key: K, value: usize, size: i32, version: u32): bool {
  return proxy_set_shared_data(startOf<K>(key), sizeOf<K>(key), value, size, version) == Status.Ok;
}

/** Creates a queue, or opens it, for this plugin to read. 0: the host has no room. */
export function registerQueue<N>(name: N): u32 {
  if (isString<N>()) return registerQueue<Bytes>(encode(changetype<string>(name)));
  return proxy_register_shared_queue(startOf<N>(name), sizeOf<N>(name), out) == Status.Ok
    ? load<u32>(out)
    : 0;
}

/** The queue that a plugin of the VM `vmId` registered; an empty one means its own. 0: there is none. */
export function resolveQueue<N>(vmId: string, name: N): u32 {
  if (isString<N>()) return resolveQueue<Bytes>(vmId, encode(changetype<string>(name)));
  const vm = encode(vmId);
  const status = proxy_resolve_shared_queue(vm.start, vm.length, startOf<N>(name), sizeOf<N>(name), out);
  return status == Status.Ok ? load<u32>(out) : 0;
}

/** False where there is no such queue, or no room in it. */
export function enqueue<T>(queue: u32, item: T): bool {
  if (isString<T>()) return enqueue<Bytes>(queue, encode(changetype<string>(item)));
  return proxy_enqueue_shared_queue(queue, startOf<T>(item), sizeOf<T>(item)) == Status.Ok;
}

/** The oldest item, or null. */
export function dequeue(queue: u32): Bytes | null {
  if (proxy_dequeue_shared_queue(queue, out, out + 4) != Status.Ok) return null;
  return Bytes.of(load<usize>(out), load<i32>(out, 4));
}
