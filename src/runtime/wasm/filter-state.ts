import { Status } from './abi.ts';
import { StreamContext } from './context.ts';
import { PROPERTY_VALUE_BYTES } from './limits.ts';
import type { StateValue } from './stream-host.ts';
import type { Vm } from './vm.ts';

/** Before the path of a property that a filter sets (`CelStateKeyPrefix` of Envoy). */
export const OWN_PREFIX = 'wasm.';
/** Before namespace and key of dynamic metadata; no path of a guest can begin so. */
export const METADATA_PREFIX = 'metadata\0';

/** The value under a key of the filter state; one that this callback has set counts already. */
export function stateOf(vm: Vm, key: string): StateValue | undefined {
  const { stream } = vm;
  return stream === null ? undefined : (vm.effects.state(stream, key) ?? stream.state(key));
}

/** Sets a key of the filter state when the callback has returned. */
export function setState(vm: Vm, key: string, value: StateValue): Status {
  if (!(vm.effective instanceof StreamContext)) return Status.NotFound;
  if (value.bytes.length > PROPERTY_VALUE_BYTES || stateOf(vm, key)?.readOnly === true)
    return Status.BadArgument;
  return vm.effects.setState(vm.effective, key, value) ? Status.Ok : Status.InternalFailure;
}
