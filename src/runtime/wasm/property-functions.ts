import { Status } from './abi.ts';
import { METADATA_PREFIX, setState } from './filter-state.ts';
import { PROPERTY_PATH_BYTES } from './limits.ts';
import { ProtobufReader } from './protobuf.ts';
import type { StateType, StateValue } from './stream-host.ts';
import type { Vm } from './vm.ts';

/** `WasmType` of Envoy, by number. */
const TYPES: readonly StateType[] = ['bytes', 'string', 'flatbuffers', 'protobuf'];
/** `LifeSpan` of Envoy: values of the filter chain and of the request end with the stream. */
const SPAN_CONNECTION = 2;

/** Keys of Envoy's filter state that weir knows: any text is a value of theirs. */
const ENVOY_KEYS: ReadonlySet<string> = new Set([
  'envoy.tcp_proxy.cluster',
  'envoy.string',
  'envoy.hashable_string',
]);

/**
 * `declare_property`: how a property is kept that this plugin will set.
 *
 * @see envoy source/extensions/common/wasm/ext/declare_property.proto
 */
export function declareProperty(vm: Vm, memory: Uint8Array, start: number, end: number): Status {
  let path = '';
  let readOnly = false;
  let type = 0;
  let span = 0;
  const reader = new ProtobufReader(memory, start, end);
  while (reader.next()) {
    if (reader.field === 1 && reader.isBytes) path = reader.text();
    else if (reader.field === 2 && reader.isVarint) readOnly = reader.bool;
    else if (reader.field === 3 && reader.isVarint) type = reader.int32;
    else if (reader.field === 5 && reader.isVarint) span = reader.int32;
  }
  if (reader.failed || path.length > PROPERTY_PATH_BYTES) return Status.BadArgument;
  const declared = vm.root.declared.declare(path, {
    readOnly,
    type: TYPES[type] ?? 'bytes',
    ofConnection: span === SPAN_CONNECTION,
  });
  return declared ? Status.Ok : Status.BadArgument;
}

/**
 * `set_envoy_filter_state`: sets an object that the proxy itself reads.
 *
 * @see envoy source/extensions/common/wasm/ext/set_envoy_filter_state.proto
 */
export function setEnvoyFilterState(vm: Vm, memory: Uint8Array, start: number, end: number): Status {
  let key = '';
  let text = '';
  let span = 0;
  const reader = new ProtobufReader(memory, start, end);
  while (reader.next()) {
    if (reader.field === 1 && reader.isBytes) key = reader.text();
    else if (reader.field === 2 && reader.isBytes) text = reader.text();
    else if (reader.field === 3 && reader.isVarint) span = reader.int32;
  }
  if (reader.failed) return Status.BadArgument;
  if (!ENVOY_KEYS.has(key)) {
    vm.plugin.warnOnce(`set_envoy_filter_state: there is no key "${key.slice(0, 100)}"`);
    return Status.NotFound;
  }
  return setState(vm, key, {
    bytes: Buffer.from(text),
    type: 'string',
    readOnly: false,
    ofConnection: span === SPAN_CONNECTION,
  });
}

/**
 * `weir.set_metadata`: namespace, NUL, key, NUL, value as text. From then on it is
 * `metadata.filter_metadata.<namespace>.<key>` of the stream, for every filter.
 */
export function setMetadata(vm: Vm, memory: Uint8Array, start: number, end: number): Status {
  const first = memory.indexOf(0, start);
  const second = first < 0 ? -1 : memory.indexOf(0, first + 1);
  if (first <= start || second <= first + 1 || second >= end || second - start > PROPERTY_PATH_BYTES)
    return Status.BadArgument;
  const key = METADATA_PREFIX + Buffer.from(memory.subarray(start, second)).toString();
  const value: StateValue = {
    bytes: memory.slice(second + 1, end),
    type: 'string',
    readOnly: false,
    ofConnection: false,
  };
  return setState(vm, key, value);
}
