import { HeaderBlock, MessageKind } from '../http/headers.ts';
import { fieldNameAt } from './field-name.ts';
import { Edit, FieldKind, fits, kindOf, writeField } from './field-rules.ts';
import { MapType, Status } from './abi.ts';
import type { HostCalls } from './host-calls.ts';
import { Interner, utf8 } from './intern.ts';
import { BODY_BYTES, FIELD_VALUE_BYTES } from './limits.ts';
import { holds } from './log-calls.ts';
import { PairsReader, writeU32 } from './pairs.ts';
import { HostGroup } from './usage.ts';
import type { Vm } from './vm.ts';

const names = new Interner(utf8);
const pairs = new PairsReader();
const REQUIRED = [':method', ':path', ':authority'];

/** HTTP calls to the upstreams that the plugin's configuration names. */
export function calloutCalls(vm: Vm): HostCalls {
  const refuse = (why: string): Status => {
    vm.plugin.warnOnce(`proxy_http_call: ${why}`);
    return Status.BadArgument;
  };

  return {
    proxy_http_call(
      upstream: number,
      upstreamSize: number,
      headers: number,
      headersSize: number,
      body: number,
      bodySize: number,
      trailers: number,
      trailersSize: number,
      timeoutMs: number,
      outId: number,
    ): Status {
      vm.count(HostGroup.HttpCall);
      const { plugin } = vm;
      const memory = vm.memory();
      if (
        !holds(memory, upstream, upstreamSize) ||
        !holds(memory, headers, headersSize) ||
        !holds(memory, body, bodySize) ||
        !holds(memory, trailers, trailersSize) ||
        !holds(memory, outId, 4)
      ) {
        return Status.InvalidMemoryAccess;
      }
      writeU32(memory, outId >>> 0, 0);
      const name = names.at(vm.words(), upstream >>> 0, upstreamSize >>> 0);
      const cluster = plugin.cluster(name);
      if (cluster < 0)
        return refuse(`no upstream is named "${name}"; this filter may call: ${plugin.upstreams || 'none'}`);
      if (timeoutMs < 0) return refuse('the time limit is negative');
      if (bodySize >>> 0 > BODY_BYTES) return refuse(`a body has at most ${BODY_BYTES} bytes`);
      const head = readBlock(vm, headers >>> 0, headersSize >>> 0, MapType.RequestHeaders);
      if (head === null) return refuse('a header is not valid');
      const missing = REQUIRED.find((_, i) => head.valueText(i) === '');
      if (missing !== undefined) return refuse(`the header ${missing} is missing`);
      const end =
        trailersSize === 0
          ? null
          : readBlock(vm, trailers >>> 0, trailersSize >>> 0, MapType.RequestTrailers);
      if (trailersSize !== 0 && end === null) return refuse('a trailer is not valid');

      const bytes = memory.slice(body >>> 0, (body >>> 0) + (bodySize >>> 0));
      const id = vm.root.callouts.send(
        vm.effective!,
        cluster,
        head,
        bytes,
        end !== null && end.count > 0 ? end : null,
        timeoutMs,
      );
      if (id === 0) {
        plugin.warnOnce(`proxy_http_call: the call to "${name}" was not sent`);
        return Status.InternalFailure;
      }
      writeU32(memory, outId >>> 0, id);
      return Status.Ok;
    },

    proxy_get_status(outCode: number, outData: number, outSize: number): Status {
      vm.count(HostGroup.Other);
      const memory = vm.memory();
      if (!holds(memory, outCode, 4) || !holds(memory, outData, 4) || !holds(memory, outSize, 4))
        return Status.InvalidMemoryAccess;
      const { statusCode, statusMessage } = vm.root.callouts;
      writeU32(memory, outCode >>> 0, statusCode);
      const message = Buffer.from(statusMessage);
      return vm.give(message, 0, message.length, outData >>> 0, outSize >>> 0);
    },
  };
}

/**
 * A map that the guest passes, with the same checks as one that it writes.
 *
 * @param metadata of gRPC: values of names in `-bin` are any bytes, and become base64 as on the wire
 * @returns null where a check fails
 */
export function readBlock(
  vm: Vm,
  start: number,
  size: number,
  map: number,
  metadata = false,
): HeaderBlock | null {
  const memory = vm.view();
  const words = vm.words();
  if (!pairs.read(memory, start, size)) return null;
  const block = new HeaderBlock();
  block.reset(map === MapType.RequestHeaders ? MessageKind.Request : MessageKind.Trailers);
  const { spans, count } = pairs;
  for (let i = 0; i < 4 * count; i += 4) {
    const name = fieldNameAt(memory, words, spans[i]!, spans[i + 1]! - spans[i]!);
    const kind = kindOf(map, name);
    const valueStart = spans[i + 2]!;
    const valueEnd = spans[i + 3]!;
    if (metadata && kind === FieldKind.Plain) {
      const text = Buffer.from(memory.subarray(spans[i], spans[i + 1]))
        .toString('latin1')
        .toLowerCase();
      if (text.endsWith('-bin')) {
        if (valueEnd - valueStart > FIELD_VALUE_BYTES) return null;
        block.appendText(text, Buffer.from(memory.subarray(valueStart, valueEnd)).toString('base64'));
        continue;
      }
    }
    if (kind === FieldKind.Invalid || !fits(kind, map, name, memory, words, valueStart, valueEnd))
      return null;
    writeField(block, kind, Edit.Add, map, name, memory, words, valueStart, valueEnd);
  }
  return block;
}
