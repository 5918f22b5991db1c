import { Status } from './abi.ts';
import type { HostCalls } from './host-calls.ts';
import { HostGroup } from './usage.ts';
import type { Vm } from './vm.ts';

/** Ticks, the effective context, and the end of a root context. */
export function lifecycleCalls(vm: Vm): HostCalls {
  return {
    proxy_set_tick_period_milliseconds(period: number): Status {
      vm.count(HostGroup.Tick);
      vm.forbid();
      vm.root.setTickPeriod(period >>> 0);
      return Status.Ok;
    },

    proxy_set_effective_context(id: number): Status {
      vm.count(HostGroup.Other);
      vm.forbid();
      const context = vm.contexts.get(id);
      if (context === null) return Status.BadArgument;
      vm.act(context);
      return Status.Ok;
    },

    proxy_done(): Status {
      vm.count(HostGroup.Other);
      vm.forbid();
      return vm.root.done() ? Status.Ok : Status.NotFound;
    },
  };
}
