import type { HeaderBlock } from '../http/headers.ts';
import { MapType, Status } from './abi.ts';
import type { StreamContext } from './context.ts';
import { fieldNameAt } from './field-name.ts';
import { Edit, FieldKind, fits, isFull, kindOf, pseudoIndex, writeField } from './field-rules.ts';
import type { HostCalls } from './host-calls.ts';
import { holds } from './log-calls.ts';
import { PairsReader, pairsSize, writePairs, writeU32 } from './pairs.ts';
import { isSecretField, isSecretName, withoutSecrets } from './secret-fields.ts';
import { HostGroup } from './usage.ts';
import type { Vm } from './vm.ts';

/** The empty map as a count of zero: all SDKs read it, where some trap on no bytes at all. */
const NO_PAIRS = new Uint8Array(4);
const pairs = new PairsReader();
/** What the price of a call covers, and what each field of a larger map costs, in copied bytes: to be looked at, to be written. */
const FREE_FIELDS = 64;
const FIELD_BYTES = 16;
const WRITTEN_FIELD_BYTES = 256;

/** Header maps: request and response heads, their trailers, and a callout's answer. */
export function headerCalls(vm: Vm): HostCalls {
  const { emptyWhenMissing } = vm.plugin;
  const { hidesSecrets } = vm.plugin.grants;

  return {
    /** Bytes of names and values. */
    proxy_get_header_map_size(map: number, outSize: number): Status {
      vm.count(HostGroup.Headers);
      const memory = vm.memory();
      if (!holds(memory, outSize, 4)) return Status.InvalidMemoryAccess;
      const block = visible(vm, map);
      if (block === null) return unavailable(vm, 'proxy_get_header_map_size', map);
      charge(vm, block);
      writeU32(memory, outSize >>> 0, pairsSize(block) - 4 - 10 * block.count);
      return Status.Ok;
    },

    proxy_get_header_map_pairs(map: number, outData: number, outSize: number): Status {
      vm.count(HostGroup.Headers);
      const memory = vm.memory();
      if (!holds(memory, outData, 4) || !holds(memory, outSize, 4)) return Status.InvalidMemoryAccess;
      if (map >>> 0 > MapType.HttpCallResponseTrailers) return Status.BadArgument;
      const block = visible(vm, map);
      if (block === null) return vm.give(NO_PAIRS, 0, 4, outData >>> 0, outSize >>> 0);
      const size = pairsSize(block);
      const at = vm.allocate(size);
      if (at === 0) return Status.InvalidMemoryAccess;
      vm.meter.chargeBytes(size);
      writePairs(block, vm.words(), at);
      vm.answer(outData >>> 0, at);
      vm.answer(outSize >>> 0, size);
      return Status.Ok;
    },

    proxy_get_header_map_value(
      map: number,
      name: number,
      nameSize: number,
      outData: number,
      outSize: number,
    ): Status {
      vm.count(HostGroup.Headers);
      const memory = vm.memory();
      if (!holds(memory, name, nameSize) || !holds(memory, outData, 4) || !holds(memory, outSize, 4)) {
        return Status.InvalidMemoryAccess;
      }
      const block = readable(vm, map);
      if (block === null) return unavailable(vm, 'proxy_get_header_map_value', map);
      charge(vm, block);
      const known = fieldNameAt(memory, vm.words(), name >>> 0, nameSize >>> 0);
      const pseudo = pseudoIndex(map, known);
      const field = pseudo >= 0 ? pseudo : block.findWords(known.words, known.size);
      if (
        field < 0 ||
        (hidesSecrets && map >>> 0 <= MapType.ResponseTrailers && isSecretField(block, field))
      ) {
        if (!emptyWhenMissing) return Status.NotFound;
        writeU32(memory, outData >>> 0, 0);
        writeU32(memory, outSize >>> 0, 0);
        return Status.Ok;
      }
      return vm.giveValue(block, field, outData >>> 0, outSize >>> 0);
    },

    proxy_add_header_map_value(
      map: number,
      name: number,
      nameSize: number,
      value: number,
      valueSize: number,
    ): Status {
      vm.count(HostGroup.Headers);
      return edit(vm, Edit.Add, map, name, nameSize, value, valueSize);
    },

    proxy_replace_header_map_value(
      map: number,
      name: number,
      nameSize: number,
      value: number,
      valueSize: number,
    ): Status {
      vm.count(HostGroup.Headers);
      return edit(vm, Edit.Replace, map, name, nameSize, value, valueSize);
    },

    /** Pseudo-headers stay: a message without them could not be sent on. */
    proxy_remove_header_map_value(map: number, name: number, nameSize: number): Status {
      vm.count(HostGroup.Headers);
      const memory = vm.memory();
      if (!holds(memory, name, nameSize)) return Status.InvalidMemoryAccess;
      const block = writable(vm, map);
      if (block === null) return unwritable(vm, 'proxy_remove_header_map_value', map);
      const known = fieldNameAt(memory, vm.words(), name >>> 0, nameSize >>> 0);
      const kind = kindOf(map, known);
      if (kind === FieldKind.Invalid || kind === FieldKind.Pseudo)
        return refused(vm, 'proxy_remove_header_map_value', 'name');
      charge(vm, block);
      vm.effects.touchBlock(block);
      block.removeWords(known.words, known.size);
      return Status.Ok;
    },

    /** Replaces the whole map. Pseudo-headers that the list leaves out keep their values. */
    proxy_set_header_map_pairs(map: number, data: number, size: number): Status {
      vm.count(HostGroup.Headers);
      const memory = vm.memory();
      if (!holds(memory, data, size)) return Status.InvalidMemoryAccess;
      const block = writable(vm, map);
      if (block === null) return unwritable(vm, 'proxy_set_header_map_pairs', map);
      if (!pairs.read(memory, data >>> 0, size >>> 0))
        return refused(vm, 'proxy_set_header_map_pairs', 'list of pairs');
      const words = vm.words();
      const { spans } = pairs;
      for (let i = 0; i < 4 * pairs.count; i += 4) {
        const name = fieldNameAt(memory, words, spans[i]!, spans[i + 1]! - spans[i]!);
        const kind = kindOf(map, name);
        if (kind === FieldKind.Invalid) return refused(vm, 'proxy_set_header_map_pairs', 'name');
        if (!fits(kind, map, name, memory, words, spans[i + 2]!, spans[i + 3]!)) {
          return refused(vm, 'proxy_set_header_map_pairs', 'value');
        }
      }
      if (pairs.count > FREE_FIELDS) vm.meter.chargeBytes(WRITTEN_FIELD_BYTES * pairs.count);
      vm.effects.touchBlock(block);
      removeFields(block, hidesSecrets, memory);
      for (let i = 0; i < 4 * pairs.count; i += 4) {
        const name = fieldNameAt(memory, words, spans[i]!, spans[i + 1]! - spans[i]!);
        writeField(
          block,
          kindOf(map, name),
          Edit.Add,
          map,
          name,
          memory,
          words,
          spans[i + 2]!,
          spans[i + 3]!,
        );
      }
      return Status.Ok;
    },
  };
}

/** Empties a map that is replaced. What is hidden from the guest stays, unless its list of pairs names it. */
function removeFields(block: HeaderBlock, hidesSecrets: boolean, memory: Uint8Array): void {
  for (let i = block.count - 1; i >= block.pseudo; i--) {
    if (!hidesSecrets || !isSecretField(block, i) || isListed(block, i, memory)) block.removeAt(i);
  }
}

/** Whether the list of pairs that was read last names a secret field. Their names differ in length. */
function isListed(block: HeaderBlock, index: number, memory: Uint8Array): boolean {
  const size = block.spans[4 * index + 1]! - block.spans[4 * index]!;
  for (let i = 0; i < 4 * pairs.count; i += 4) {
    const start = pairs.spans[i]!;
    const end = pairs.spans[i + 1]!;
    if (end - start === size && isSecretName(memory, start, end)) return true;
  }
  return false;
}

/** A map of many fields was searched. */
function charge(vm: Vm, block: HeaderBlock): void {
  if (block.count > FREE_FIELDS) vm.meter.chargeBytes(FIELD_BYTES * block.count);
}

/** The map as the effective context sees it: without what is hidden from it. */
function visible(vm: Vm, map: number): HeaderBlock | null {
  const block = readable(vm, map);
  if (block === null || !vm.plugin.grants.hidesSecrets || map >>> 0 > MapType.ResponseTrailers) return block;
  return withoutSecrets(block);
}

/** The map as the effective context may read it. Callouts belong to the root, whatever context is effective. */
function readable(vm: Vm, map: number): HeaderBlock | null {
  if (map >>> 0 <= MapType.ResponseTrailers) return vm.stream === null ? null : vm.stream.headerMap(map);
  if (map === MapType.GrpcInitialMetadata) return vm.root.grpc.initialMetadata;
  if (map === MapType.GrpcTrailingMetadata) return vm.root.grpc.trailingMetadata;
  if (map === MapType.HttpCallResponseHeaders) return vm.root.callouts.headers;
  if (map === MapType.HttpCallResponseTrailers) return vm.root.callouts.trailers;
  return null;
}

function writable(vm: Vm, map: number): HeaderBlock | null {
  const { stream } = vm;
  if (stream === null || map >>> 0 > MapType.ResponseTrailers || vm.readOnly || !stream.mayWriteMap(map))
    return null;
  const block = stream.headerMap(map);
  if (block !== null || (map !== MapType.RequestTrailers && map !== MapType.ResponseTrailers)) return block;
  return stream.addTrailers(map, vm.effective as StreamContext);
}

function edit(
  vm: Vm,
  how: number,
  map: number,
  name: number,
  nameSize: number,
  value: number,
  valueSize: number,
): Status {
  const memory = vm.memory();
  if (!holds(memory, name, nameSize) || !holds(memory, value, valueSize)) return Status.InvalidMemoryAccess;
  const call = how === Edit.Add ? 'proxy_add_header_map_value' : 'proxy_replace_header_map_value';
  const block = writable(vm, map);
  if (block === null) return unwritable(vm, call, map);
  const words = vm.words();
  const known = fieldNameAt(memory, words, name >>> 0, nameSize >>> 0);
  const kind = kindOf(map, known);
  // A second value of a pseudo-header has no meaning.
  if (kind === FieldKind.Invalid || (kind === FieldKind.Pseudo && how === Edit.Add))
    return refused(vm, call, 'name');
  const start = value >>> 0;
  const end = start + (valueSize >>> 0);
  if (!fits(kind, map, known, memory, words, start, end)) return refused(vm, call, 'value');
  if (isFull(block, known.size + end - start)) return refused(vm, call, 'map: it has no room for this');
  charge(vm, block);
  vm.effects.touchBlock(block);
  writeField(block, kind, how, map, known, memory, words, start, end);
  return Status.Ok;
}

function unavailable(vm: Vm, call: string, map: number): Status {
  vm.plugin.warnOnce(`${call}: map ${map >>> 0} is not there in this phase`);
  return Status.BadArgument;
}

function unwritable(vm: Vm, call: string, map: number): Status {
  vm.plugin.warnOnce(`${call}: map ${map >>> 0} is not there, or was sent on already`);
  return Status.BadArgument;
}

function refused(vm: Vm, call: string, what: string): Status {
  vm.plugin.warnOnce(`${call}: refused the ${what}`);
  return Status.BadArgument;
}
