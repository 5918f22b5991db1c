import { isTarget } from '../http/grammar.ts';
import { HeaderBlock } from '../http/headers.ts';
import { MESSAGE_BYTES } from '../grpc/message.ts';
import { MapType, Status } from './abi.ts';
import { readBlock } from './callout-calls.ts';
import { readTarget } from './grpc-target.ts';
import type { HostCalls } from './host-calls.ts';
import { CALLOUT_MS, GRPC_PATH_BYTES, GRPC_STREAM_IDLE_MS } from './limits.ts';
import { holds } from './log-calls.ts';
import { writeU32 } from './pairs.ts';
import { HostGroup } from './usage.ts';
import type { Vm } from './vm.ts';

/** What both ways to begin a call have in common. */
interface Beginning {
  readonly cluster: number;
  readonly upstream: string;
  readonly path: string;
  readonly authority: string;
  readonly metadata: HeaderBlock;
}

/** gRPC calls and streams to the upstreams that the plugin's configuration names. */
export function grpcCalls(vm: Vm): HostCalls {
  return {
    proxy_grpc_call(
      upstream: number,
      upstreamSize: number,
      service: number,
      serviceSize: number,
      method: number,
      methodSize: number,
      metadata: number,
      metadataSize: number,
      message: number,
      messageSize: number,
      timeoutMs: number,
      outId: number,
    ): Status {
      vm.count(HostGroup.GrpcCall);
      const memory = vm.memory();
      if (
        !holds(memory, upstream, upstreamSize) ||
        !holds(memory, service, serviceSize) ||
        !holds(memory, method, methodSize) ||
        !holds(memory, metadata, metadataSize) ||
        !holds(memory, message, messageSize) ||
        !holds(memory, outId, 4)
      ) {
        return Status.InvalidMemoryAccess;
      }
      writeU32(memory, outId >>> 0, 0);
      const call = 'proxy_grpc_call';
      if (messageSize >>> 0 > MESSAGE_BYTES)
        return refuse(vm, `${call}: a message has at most ${MESSAGE_BYTES} bytes`);
      const begun = begin(vm, call, [
        slice(memory, upstream, upstreamSize),
        slice(memory, service, serviceSize),
        slice(memory, method, methodSize),
        metadata >>> 0,
        metadataSize >>> 0,
      ]);
      if (begun === null) return Status.ParseFailure;
      const limit = timeoutMs === 0 ? CALLOUT_MS : Math.min(timeoutMs >>> 0, CALLOUT_MS);
      return open(vm, call, begun, limit, slice(memory, message, messageSize), outId);
    },

    proxy_grpc_stream(
      upstream: number,
      upstreamSize: number,
      service: number,
      serviceSize: number,
      method: number,
      methodSize: number,
      metadata: number,
      metadataSize: number,
      outId: number,
    ): Status {
      vm.count(HostGroup.GrpcCall);
      const memory = vm.memory();
      if (
        !holds(memory, upstream, upstreamSize) ||
        !holds(memory, service, serviceSize) ||
        !holds(memory, method, methodSize) ||
        !holds(memory, metadata, metadataSize) ||
        !holds(memory, outId, 4)
      ) {
        return Status.InvalidMemoryAccess;
      }
      writeU32(memory, outId >>> 0, 0);
      const call = 'proxy_grpc_stream';
      const begun = begin(vm, call, [
        slice(memory, upstream, upstreamSize),
        slice(memory, service, serviceSize),
        slice(memory, method, methodSize),
        metadata >>> 0,
        metadataSize >>> 0,
      ]);
      return begun === null ? Status.ParseFailure : open(vm, call, begun, 0, null, outId);
    },

    /** @param endStream no message comes after this one */
    proxy_grpc_send(id: number, message: number, messageSize: number, endStream: number): Status {
      vm.count(HostGroup.GrpcCall);
      const memory = vm.memory();
      if (!holds(memory, message, messageSize)) return Status.InvalidMemoryAccess;
      const call = vm.root.grpc.get(id >>> 0);
      if (call === undefined) return Status.NotFound;
      if (!call.stream) return Status.BadArgument;
      if (!call.exchange.send(slice(memory, message, messageSize))) {
        vm.plugin.warnOnce(
          'proxy_grpc_send: the stream has ended, or the upstream does not take so much so fast',
        );
        return Status.BadArgument;
      }
      if (endStream !== 0) call.exchange.end();
      return Status.Ok;
    },

    /** The guest hears nothing more of the call. */
    proxy_grpc_cancel(id: number): Status {
      vm.count(HostGroup.GrpcCall);
      vm.forbid();
      return cancel(vm, id);
    },

    /** Ends the sending side of a stream. A unary call has none: as Envoy, that is given up. */
    proxy_grpc_close(id: number): Status {
      vm.count(HostGroup.GrpcCall);
      vm.forbid();
      const call = vm.root.grpc.get(id >>> 0);
      if (call === undefined) return Status.NotFound;
      if (!call.stream) return cancel(vm, id);
      call.exchange.end();
      return Status.Ok;
    },
  };
}

function cancel(vm: Vm, id: number): Status {
  const { grpc } = vm.root;
  const call = grpc.get(id >>> 0);
  if (call === undefined) return Status.NotFound;
  call.exchange.cancel();
  grpc.forget(call);
  return Status.Ok;
}

function begin(
  vm: Vm,
  call: string,
  [upstream, service, method, metadataAt, metadataSize]: readonly [
    Uint8Array,
    Uint8Array,
    Uint8Array,
    number,
    number,
  ],
): Beginning | null {
  const { plugin } = vm;
  const complain = (why: string): null => {
    plugin.warnOnce(`${call}: ${why}`);
    return null;
  };
  const target = readTarget(upstream);
  if (target === null) return complain('the upstream is neither a name nor a GrpcService with one');
  const cluster = plugin.cluster(target.name);
  if (cluster < 0)
    return complain(
      `no upstream is named "${target.name}"; this filter may call: ${plugin.upstreams || 'none'}`,
    );
  const path = Buffer.concat([SLASH, service, SLASH, method]);
  if (
    service.length === 0 ||
    method.length === 0 ||
    path.length > GRPC_PATH_BYTES ||
    !isTarget(path, 0, path.length)
  )
    return complain('the names of service and method make no path');
  const metadata = readBlock(vm, metadataAt, metadataSize, MapType.RequestTrailers, true);
  if (metadata === null) return complain('the initial metadata are not valid');
  for (const [name, value] of target.metadata)
    if (metadata.get(name) === undefined) metadata.appendText(name, value);
  return {
    cluster,
    upstream: target.name,
    path: path.toString('latin1'),
    authority: target.authority,
    metadata,
  };
}

/** @param message of a unary call; null for a stream */
function open(
  vm: Vm,
  name: string,
  { cluster, upstream, path, authority, metadata }: Beginning,
  timeoutMs: number,
  message: Uint8Array | null,
  outId: number,
): Status {
  const idleMs = message === null ? GRPC_STREAM_IDLE_MS : 0;
  const request = { path, authority, metadata, timeoutMs, idleMs };
  const call = vm.root.grpc.open(vm.effective!, cluster, request, message === null);
  if (call === null) {
    vm.plugin.warnOnce(`${name}: the call to "${upstream}" was not sent`);
    return Status.InternalFailure;
  }
  if (message !== null) {
    call.exchange.send(message);
    call.exchange.end();
  }
  writeU32(vm.view(), outId >>> 0, call.id);
  return Status.Ok;
}

const SLASH = Buffer.from('/');

function refuse(vm: Vm, why: string): Status {
  vm.plugin.warnOnce(why);
  return Status.ParseFailure;
}

/** A view: what is kept of it is copied by whoever keeps it. */
function slice(memory: Uint8Array, at: number, size: number): Uint8Array {
  return memory.subarray(at >>> 0, (at >>> 0) + (size >>> 0));
}
