import { Status } from './abi.ts';
import type { HostCalls } from './host-calls.ts';
import { Interner, latin1 } from './intern.ts';
import { QUEUE_BYTES, SHARED_BYTES, SHARED_NAME_BYTES } from './limits.ts';
import { holds } from './log-calls.ts';
import { writeU32 } from './pairs.ts';
import { prefixOf, spaceOf } from './shared.ts';
import { HostGroup } from './usage.ts';
import type { Vm } from './vm.ts';

/** Byte by byte, so that no two keys become one. */
const names = new Interner(latin1);

/** Shared data and shared queues. They take effect at once: other instances see them within the callback. */
export function sharedCalls(vm: Vm): HostCalls {
  const { shared } = vm.group.host.deps;
  // All plugins of an instance are of one tenant.
  const prefix = prefixOf(vm.plugin.spec.tenant);
  const read = (at: number, size: number): string => names.at(vm.words(), at >>> 0, size >>> 0);

  return {
    proxy_get_shared_data(
      key: number,
      keySize: number,
      outData: number,
      outSize: number,
      outCas: number,
    ): Status {
      vm.count(HostGroup.SharedData);
      const memory = vm.memory();
      if (
        !holds(memory, key, keySize) ||
        !holds(memory, outData, 4) ||
        !holds(memory, outSize, 4) ||
        !holds(memory, outCas, 4)
      ) {
        return Status.InvalidMemoryAccess;
      }
      if (keySize >>> 0 > SHARED_NAME_BYTES) return Status.NotFound;
      const found = shared.get(vm.plugin.space, read(key, keySize));
      if (found === undefined) return Status.NotFound;
      const status = vm.give(found.value, 0, found.value.length, outData >>> 0, outSize >>> 0);
      if (status === Status.Ok) writeU32(vm.view(), outCas >>> 0, found.cas);
      return status;
    },

    proxy_set_shared_data(
      key: number,
      keySize: number,
      value: number,
      valueSize: number,
      cas: number,
    ): Status {
      vm.count(HostGroup.SharedData);
      const memory = vm.memory();
      if (!holds(memory, key, keySize) || !holds(memory, value, valueSize)) return Status.InvalidMemoryAccess;
      if (keySize >>> 0 > SHARED_NAME_BYTES) return tooLong(vm, 'proxy_set_shared_data');
      if ((keySize >>> 0) + (valueSize >>> 0) > SHARED_BYTES) return full(vm, 'proxy_set_shared_data');
      const bytes = memory.slice(value >>> 0, (value >>> 0) + (valueSize >>> 0));
      const status = shared.set(vm.plugin.space, read(key, keySize), bytes, cas >>> 0);
      return status === Status.InternalFailure ? full(vm, 'proxy_set_shared_data') : status;
    },

    proxy_register_shared_queue(name: number, nameSize: number, outId: number): Status {
      vm.count(HostGroup.SharedQueues);
      const memory = vm.memory();
      if (!holds(memory, name, nameSize) || !holds(memory, outId, 4)) return Status.InvalidMemoryAccess;
      if (nameSize >>> 0 > SHARED_NAME_BYTES) return tooLong(vm, 'proxy_register_shared_queue');
      const id = vm.group.host.queues.register(vm.root, read(name, nameSize));
      if (id === 0) return full(vm, 'proxy_register_shared_queue');
      writeU32(memory, outId >>> 0, id);
      return Status.Ok;
    },

    proxy_resolve_shared_queue(
      vmId: number,
      vmIdSize: number,
      name: number,
      nameSize: number,
      outId: number,
    ): Status {
      vm.count(HostGroup.SharedQueues);
      const memory = vm.memory();
      if (!holds(memory, vmId, vmIdSize) || !holds(memory, name, nameSize) || !holds(memory, outId, 4)) {
        return Status.InvalidMemoryAccess;
      }
      if (Math.max(vmIdSize >>> 0, nameSize >>> 0) > SHARED_NAME_BYTES) return Status.NotFound;
      const space = vmIdSize === 0 ? vm.plugin.space : spaceOf(vm.plugin.spec.tenant, read(vmId, vmIdSize));
      const id = shared.resolve(space, read(name, nameSize));
      if (id === 0) return Status.NotFound;
      writeU32(memory, outId >>> 0, id);
      return Status.Ok;
    },

    proxy_enqueue_shared_queue(id: number, data: number, size: number): Status {
      vm.count(HostGroup.SharedQueues);
      const memory = vm.memory();
      if (!holds(memory, data, size)) return Status.InvalidMemoryAccess;
      if (size >>> 0 > QUEUE_BYTES) return full(vm, 'proxy_enqueue_shared_queue');
      const item = memory.slice(data >>> 0, (data >>> 0) + (size >>> 0));
      const status = shared.enqueue(prefix, id >>> 0, item);
      return status === Status.InternalFailure ? full(vm, 'proxy_enqueue_shared_queue') : status;
    },

    proxy_dequeue_shared_queue(id: number, outData: number, outSize: number): Status {
      vm.count(HostGroup.SharedQueues);
      const memory = vm.memory();
      if (!holds(memory, outData, 4) || !holds(memory, outSize, 4)) return Status.InvalidMemoryAccess;
      const item = shared.dequeue(prefix, id >>> 0);
      if (typeof item === 'number') return item;
      return vm.give(item, 0, item.length, outData >>> 0, outSize >>> 0);
    },
  };
}

function tooLong(vm: Vm, call: string): Status {
  vm.plugin.warnOnce(`${call}: a name may have ${SHARED_NAME_BYTES} bytes`);
  return Status.BadArgument;
}

function full(vm: Vm, call: string): Status {
  vm.plugin.warnOnce(`${call}: there is no room left`);
  return Status.InternalFailure;
}
