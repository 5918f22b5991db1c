import type { BodyBuffer } from '../http/body.ts';
import { BufferType, Status } from './abi.ts';
import type { StreamContext } from './context.ts';
import type { HostCalls } from './host-calls.ts';
import { BODY_BYTES } from './limits.ts';
import { holds } from './log-calls.ts';
import { writeU32 } from './pairs.ts';
import { HostGroup } from './usage.ts';
import type { Vm } from './vm.ts';

/** The buffer that was found last: `Vm.give` takes bytes and a range, and a body is longer than its bytes say. */
let found: Uint8Array;
let foundLength = 0;

/** Bodies, configurations, and the data of callouts and foreign callbacks. */
export function bufferCalls(vm: Vm): HostCalls {
  return {
    proxy_get_buffer_bytes(
      type: number,
      start: number,
      max: number,
      outData: number,
      outSize: number,
    ): Status {
      vm.count(HostGroup.Body);
      const memory = vm.memory();
      if (type >>> 0 > BufferType.CallData) return Status.BadArgument;
      if (!holds(memory, outData, 4) || !holds(memory, outSize, 4)) return Status.InvalidMemoryAccess;
      if (!findBuffer(vm, type)) return Status.NotFound;
      const from = start >>> 0;
      const end = from + (max >>> 0);
      if (end > 0xffff_ffff) return Status.BadArgument;
      const last = Math.min(end, foundLength);
      return vm.give(found, Math.min(from, last), last, outData >>> 0, outSize >>> 0);
    },

    proxy_get_buffer_status(type: number, outSize: number, outFlags: number): Status {
      vm.count(HostGroup.Body);
      const memory = vm.memory();
      if (type >>> 0 > BufferType.CallData) return Status.BadArgument;
      if (!holds(memory, outSize, 4) || !holds(memory, outFlags, 4)) return Status.InvalidMemoryAccess;
      if (!findBuffer(vm, type)) return Status.NotFound;
      writeU32(memory, outSize >>> 0, foundLength);
      writeU32(memory, outFlags >>> 0, 0);
      return Status.Ok;
    },

    /** A splice: `size` bytes from `start` make way for the data. Past the end appends, size 0 inserts. */
    proxy_set_buffer_bytes(
      type: number,
      start: number,
      size: number,
      data: number,
      dataSize: number,
    ): Status {
      vm.count(HostGroup.Body);
      const memory = vm.memory();
      if (type >>> 0 > BufferType.UpstreamData) return Status.BadArgument;
      if (!holds(memory, data, dataSize)) return Status.InvalidMemoryAccess;
      const body = vm.readOnly ? null : streamBuffer(vm, type);
      if (body === null) {
        vm.plugin.warnOnce(`proxy_set_buffer_bytes: there is no ${STREAM_BUFFERS[type]!} to change now`);
        return Status.NotFound;
      }
      const from = Math.min(start >>> 0, body.length);
      const gone = Math.min(size >>> 0, body.length - from);
      if (body.length - gone + (dataSize >>> 0) > BODY_BYTES) {
        vm.plugin.warnOnce(`proxy_set_buffer_bytes: a body may have ${BODY_BYTES} bytes after an edit`);
        return Status.BadArgument;
      }
      vm.effects.touchBody(body);
      vm.meter.chargeBytes(body.costOfSplice(from, gone, dataSize >>> 0));
      body.splice(from, gone, memory, data >>> 0, (data >>> 0) + (dataSize >>> 0));
      return Status.Ok;
    },

    /** 0.1.0: which configuration is meant depends on the callback that asks. */
    proxy_get_configuration(outData: number, outSize: number): Status {
      vm.count(HostGroup.Other);
      const memory = vm.memory();
      if (!holds(memory, outData, 4) || !holds(memory, outSize, 4)) return Status.InvalidMemoryAccess;
      const { plugin } = vm;
      const bytes = vm.root.startingVm ? plugin.vmConfiguration : plugin.configuration;
      return vm.give(bytes, 0, bytes.length, outData >>> 0, outSize >>> 0);
    },
  };
}

/** By `BufferType`. */
const STREAM_BUFFERS = ['request body', 'response body', 'downstream data', 'upstream data'];

/** Null where the stream has none now, or is of the other protocol. */
function streamBuffer(vm: Vm, type: number): BodyBuffer | null {
  const { stream } = vm;
  if (stream === null || type >= BufferType.DownstreamData !== (stream.protocol === 'tcp')) return null;
  return stream.body(type, vm.effective as StreamContext);
}

function findBuffer(vm: Vm, type: number): boolean {
  if (type <= BufferType.UpstreamData) {
    const body = streamBuffer(vm, type);
    if (body === null) return false;
    found = body.bytes;
    foundLength = body.length;
    return true;
  }
  const bytes = fixedBuffer(vm, type);
  if (bytes === null) return false;
  found = bytes;
  foundLength = bytes.length;
  return true;
}

function fixedBuffer(vm: Vm, type: number): Uint8Array | null {
  switch (type) {
    case BufferType.HttpCallResponseBody:
      return vm.root.callouts.body;
    case BufferType.GrpcReceiveBuffer:
      return vm.root.grpc.message;
    case BufferType.VmConfiguration:
      return vm.plugin.vmConfiguration;
    case BufferType.PluginConfiguration:
      return vm.plugin.configuration;
    case BufferType.CallData:
      return vm.root.callData;
    default:
      return null;
  }
}
