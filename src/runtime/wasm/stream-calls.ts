import { Status, StreamType } from './abi.ts';
import { StreamContext } from './context.ts';
import { fieldNameAt } from './field-name.ts';
import { FieldKind, fits, kindOf } from './field-rules.ts';
import type { HostCalls } from './host-calls.ts';
import { BODY_BYTES } from './limits.ts';
import { holds, readText } from './log-calls.ts';
import { PairsReader } from './pairs.ts';
import type { LocalReply } from './stream-host.ts';
import { HostGroup } from './usage.ts';
import type { Vm } from './vm.ts';
import { MapType } from './abi.ts';

type Fields = LocalReply['headers'];

const pairs = new PairsReader();

/** Local replies, resuming, resetting and routing. All of it happens when the callback has returned. */
export function streamCalls(vm: Vm): HostCalls {
  /** What is not paused, or is no part of this stream, needs no resuming: SDKs take all but Ok for a fault. */
  const resume = (type: number): Status => {
    vm.forbid();
    if (!(vm.effective instanceof StreamContext) || !hasPart(vm, type)) return Status.Ok;
    return vm.effects.resume(vm.effective, type) ? Status.Ok : Status.InternalFailure;
  };

  return {
    proxy_send_local_response(
      status: number,
      details: number,
      detailsSize: number,
      body: number,
      bodySize: number,
      headers: number,
      headersSize: number,
      grpcStatus: number,
    ): Status {
      vm.count(HostGroup.Reply);
      const memory = vm.memory();
      if (
        !holds(memory, details, detailsSize) ||
        !holds(memory, body, bodySize) ||
        !holds(memory, headers, headersSize)
      ) {
        return Status.InvalidMemoryAccess;
      }
      if (!(vm.effective instanceof StreamContext) || vm.readOnly) {
        vm.plugin.warnOnce('proxy_send_local_response: there is no stream to answer');
        return Status.BadArgument;
      }
      if (vm.stream!.protocol === 'tcp') {
        vm.plugin.warnOnce('proxy_send_local_response: a TCP stream has no response');
        return Status.BadArgument;
      }
      if (status < 200 || status > 599 || bodySize >>> 0 > BODY_BYTES) {
        vm.plugin.warnOnce(
          `proxy_send_local_response: refused status ${status} or a body of ${bodySize >>> 0} bytes`,
        );
        return Status.BadArgument;
      }
      const fields = readFields(vm, headers >>> 0, headersSize >>> 0);
      if (fields === null) {
        vm.plugin.warnOnce('proxy_send_local_response: refused its headers');
        return Status.BadArgument;
      }
      const reply = {
        status,
        details: readText(memory, details >>> 0, detailsSize >>> 0).replace(/\s/g, '_'),
        body: memory.slice(body >>> 0, (body >>> 0) + (bodySize >>> 0)),
        headers: fields,
        grpcStatus: grpcStatus >= 0 && grpcStatus <= 16 ? grpcStatus : -1,
      };
      if (!vm.effects.reply(vm.effective, reply)) return Status.InternalFailure;
      if (vm.effective === vm.running) vm.replied = true;
      return Status.Ok;
    },

    proxy_continue_stream(type: number): Status {
      vm.count(HostGroup.Other);
      return type >>> 0 > StreamType.Upstream ? Status.BadArgument : resume(type);
    },

    proxy_close_stream(type: number): Status {
      vm.count(HostGroup.Reply);
      vm.forbid();
      if (type >>> 0 > StreamType.Upstream) return Status.BadArgument;
      if (!(vm.effective instanceof StreamContext)) return Status.Ok;
      if (!hasPart(vm, type)) {
        vm.plugin.warnOnce(`proxy_close_stream: a stream of ${vm.stream!.protocol} has no part ${type}`);
        return Status.BadArgument;
      }
      return vm.effects.close(vm.effective, type) ? Status.Ok : Status.InternalFailure;
    },

    proxy_continue_request(): Status {
      vm.count(HostGroup.Other);
      return resume(StreamType.Request);
    },

    proxy_continue_response(): Status {
      vm.count(HostGroup.Other);
      return resume(StreamType.Response);
    },

    proxy_clear_route_cache(): Status {
      vm.count(HostGroup.Headers);
      return clearRouteCache(vm);
    },
  };
}

/** Types 0 and 1 are the parts of an HTTP stream, 2 and 3 those of a TCP stream. */
function hasPart(vm: Vm, type: number): boolean {
  return type >= StreamType.Downstream === (vm.stream?.protocol === 'tcp');
}

export function clearRouteCache(vm: Vm): Status {
  vm.forbid();
  if (!(vm.effective instanceof StreamContext)) return Status.Ok;
  return vm.effects.clearRouteCache(vm.effective) ? Status.Ok : Status.InternalFailure;
}

/** Fields of a reply: copied, pseudo-headers and framing left out. Null where one is not valid. */
function readFields(vm: Vm, start: number, size: number): Fields | null {
  const memory = vm.view();
  const words = vm.words();
  if (!pairs.read(memory, start, size)) return null;
  const fields: [Uint8Array, Uint8Array][] = [];
  for (let i = 0; i < 4 * pairs.count; i += 4) {
    // Filters hand on heads that they got from a callout, `:status` and all.
    if (memory[pairs.spans[i]!] === 58) continue;
    const map = MapType.ResponseHeaders;
    const name = fieldNameAt(memory, words, pairs.spans[i]!, pairs.spans[i + 1]! - pairs.spans[i]!);
    const kind = kindOf(map, name);
    const valueStart = pairs.spans[i + 2]!;
    const valueEnd = pairs.spans[i + 3]!;
    if (kind === FieldKind.Invalid || !fits(kind, map, name, memory, words, valueStart, valueEnd))
      return null;
    if (kind !== FieldKind.Plain) continue;
    fields.push([name.bytes, memory.slice(valueStart, valueEnd)]);
  }
  return fields;
}
