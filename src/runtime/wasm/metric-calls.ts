import { MetricType, Status } from './abi.ts';
import type { HostCalls } from './host-calls.ts';
import { METRIC_NAME_BYTES } from './limits.ts';
import { holds, readText } from './log-calls.ts';
import { writeU32 } from './pairs.ts';
import { HostGroup } from './usage.ts';
import type { Vm } from './vm.ts';

/** Counters, gauges and histograms; they outlive the instance that defines them. */
export function metricCalls(vm: Vm): HostCalls {
  const { metrics } = vm.group;
  return {
    proxy_define_metric(type: number, name: number, nameSize: number, outId: number): Status {
      vm.count(HostGroup.Metrics);
      const memory = vm.memory();
      if (!holds(memory, name, nameSize) || !holds(memory, outId, 4)) return Status.InvalidMemoryAccess;
      if (type >>> 0 > MetricType.Histogram || nameSize === 0 || nameSize >>> 0 > METRIC_NAME_BYTES)
        return Status.BadArgument;
      const id = metrics.define(
        vm.plugin.spec,
        type as MetricType,
        readText(memory, name >>> 0, nameSize >>> 0),
      );
      if (id === 0) {
        vm.plugin.warnOnce('proxy_define_metric: there are too many metrics');
        return Status.InternalFailure;
      }
      writeU32(memory, outId >>> 0, id);
      return Status.Ok;
    },

    proxy_increment_metric(id: number, delta: bigint): Status {
      vm.count(HostGroup.Metrics);
      vm.forbid();
      const type = metrics.type(id >>> 0);
      if (type < 0) return Status.NotFound;
      if (type === MetricType.Histogram || (type === MetricType.Counter && delta <= 0n))
        return Status.BadArgument;
      metrics.add(id >>> 0, Number(delta));
      return Status.Ok;
    },

    proxy_record_metric(id: number, value: bigint): Status {
      vm.count(HostGroup.Metrics);
      vm.forbid();
      if (metrics.type(id >>> 0) < 0) return Status.NotFound;
      metrics.record(id >>> 0, Number(BigInt.asUintN(64, value)));
      return Status.Ok;
    },

    proxy_get_metric(id: number, outValue: number): Status {
      vm.count(HostGroup.Metrics);
      const memory = vm.memory();
      if (!holds(memory, outValue, 8)) return Status.InvalidMemoryAccess;
      const type = metrics.type(id >>> 0);
      if (type < 0) return Status.NotFound;
      if (type === MetricType.Histogram) return Status.BadArgument;
      const value = metrics.get(id >>> 0);
      writeU32(memory, outValue >>> 0, value % 2 ** 32);
      writeU32(memory, (outValue >>> 0) + 4, Math.floor(value / 2 ** 32));
      return Status.Ok;
    },
  };
}
