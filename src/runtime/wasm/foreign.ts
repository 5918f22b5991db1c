import { Status } from './abi.ts';
import { FOREIGN_FUNCTIONS, type ForeignFunction } from './foreign-functions.ts';
import { ForeignResult } from './foreign-result.ts';
import type { HostCalls } from './host-calls.ts';
import { Interner, latin1 } from './intern.ts';
import { FOREIGN_ARGUMENT_BYTES, FOREIGN_NAME_BYTES } from './limits.ts';
import { holds } from './log-calls.ts';
import { HostGroup } from './usage.ts';
import type { Vm } from './vm.ts';

/** The function of a name, or the name where there is none. */
const functions = new Interner((bytes): ForeignFunction | string => {
  const name = latin1(bytes);
  return FOREIGN_FUNCTIONS.get(name) ?? name;
});
const result = new ForeignResult();

export function foreignCalls(vm: Vm): HostCalls {
  return {
    /** Out pointers of 0 mean that the guest does not want the result. */
    proxy_call_foreign_function(
      name: number,
      nameSize: number,
      args: number,
      argsSize: number,
      outData: number,
      outSize: number,
    ): Status {
      vm.count(HostGroup.Foreign);
      const memory = vm.memory();
      if (
        !holds(memory, name, nameSize) ||
        !holds(memory, args, argsSize) ||
        !holds(memory, outData, 4) ||
        !holds(memory, outSize, 4)
      ) {
        return Status.InvalidMemoryAccess;
      }
      if (nameSize >>> 0 > FOREIGN_NAME_BYTES || argsSize >>> 0 > FOREIGN_ARGUMENT_BYTES)
        return Status.BadArgument;
      const found = functions.at(vm.words(), name >>> 0, nameSize >>> 0);
      if (typeof found === 'string') {
        vm.plugin.warnOnce(`proxy_call_foreign_function: there is no function "${found}"`);
        return Status.NotFound;
      }
      if (!vm.plugin.grants.allowsForeign(found.name, found.like)) {
        vm.plugin.warnOnce(
          `it called ${found.name} without the capability "foreign/${found.name}": answered InternalFailure`,
        );
        return Status.InternalFailure;
      }
      result.clear();
      const begin = found.timed ? performance.now() : 0;
      const status = found.call(vm, memory, args >>> 0, (args >>> 0) + (argsSize >>> 0), result);
      if (found.timed) vm.meter.chargeMs(performance.now() - begin);
      if (status !== Status.Ok || outData === 0 || outSize === 0) return status;
      return vm.give(result.bytes, 0, result.length, outData >>> 0, outSize >>> 0);
    },
  };
}
