import { Status } from './abi.ts';
import { StreamContext } from './context.ts';
import { OWN_PREFIX, setState } from './filter-state.ts';
import { HOST_ATTRIBUTES, ownProperty } from './host-attributes.ts';
import type { HostCalls } from './host-calls.ts';
import { Interner, utf8 } from './intern.ts';
import { PROPERTY_PATH_BYTES, PROPERTY_VALUE_BYTES } from './limits.ts';
import { holds } from './log-calls.ts';
import { encodeAttribute } from './properties.ts';
import { isSecretProperty, withoutSecretEntries } from './secret-fields.ts';
import type { AttributeValue } from './stream-host.ts';
import { HostGroup } from './usage.ts';
import type { Vm } from './vm.ts';

/** What a guest asked for, put together once: joining texts costs more than all else here. */
class PropertyPath {
  readonly text: string;
  /** Its key, if it is a property that a filter sets. */
  readonly ownKey: string;

  constructor(text: string) {
    this.text = text;
    this.ownKey = OWN_PREFIX + text;
  }
}

const NO_PATH = new PropertyPath('');
const paths = new Interner((bytes) => new PropertyPath(utf8(bytes)));

/** Properties: the host answers for the plugin and for what filters keep, the stream for all else. */
export function propertyCalls(vm: Vm): HostCalls {
  return {
    proxy_get_property(path: number, pathSize: number, outData: number, outSize: number): Status {
      vm.count(HostGroup.Properties);
      const memory = vm.memory();
      if (!holds(memory, path, pathSize) || !holds(memory, outData, 4) || !holds(memory, outSize, 4)) {
        return Status.InvalidMemoryAccess;
      }
      const { text, ownKey } = readPath(vm.words(), path >>> 0, pathSize >>> 0);
      if (text === '') return Status.NotFound;
      const value = property(vm, text, ownKey) ?? dotted(vm, text);
      if (value === undefined) return Status.NotFound;
      const bytes = encodeAttribute(value, vm.plugin.spec.properties);
      if (bytes === null) return Status.SerializationFailure;
      return vm.give(bytes, 0, bytes.length, outData >>> 0, outSize >>> 0);
    },

    /** Kept for the stream, under the path as it stands; what is built in is not covered by it. */
    proxy_set_property(path: number, pathSize: number, value: number, valueSize: number): Status {
      vm.count(HostGroup.Properties);
      const memory = vm.memory();
      if (!holds(memory, path, pathSize) || !holds(memory, value, valueSize))
        return Status.InvalidMemoryAccess;
      if (!(vm.effective instanceof StreamContext)) return Status.NotFound;
      const { text } = readPath(vm.words(), path >>> 0, pathSize >>> 0);
      if (text === '' || valueSize >>> 0 > PROPERTY_VALUE_BYTES) return Status.BadArgument;
      const bytes = memory.slice(value >>> 0, (value >>> 0) + (valueSize >>> 0));
      const { key, type, readOnly, ofConnection } = vm.root.declared.of(text);
      return setState(vm, key, { bytes, type, readOnly, ofConnection });
    },
  };
}

/** One NUL at the end is left out: the helpers of the C++ SDK send it. */
function readPath(memory: DataView, start: number, size: number): PropertyPath {
  if (size !== 0 && memory.getUint8(start + size - 1) === 0) size--;
  return size > PROPERTY_PATH_BYTES ? NO_PATH : paths.at(memory, start, size);
}

/** What is built in wins over what filters set. */
export function property(vm: Vm, path: string, ownKey = OWN_PREFIX + path): AttributeValue | undefined {
  return builtIn(vm, path) ?? HOST_ATTRIBUTES.find(vm, path) ?? ownProperty(vm, ownKey);
}

function builtIn({ plugin, stream }: Vm, path: string): AttributeValue | undefined {
  if (stream === null) return undefined;
  const { hidesSecrets } = plugin.grants;
  if (hidesSecrets && isSecretProperty(path)) return undefined;
  const value = stream.attribute(path);
  return value !== undefined && hidesSecrets ? withoutSecretEntries(value) : value;
}

/** Authors write `request.path` where the ABI has a NUL between the segments. */
function dotted(vm: Vm, path: string): AttributeValue | undefined {
  if (!path.includes('.') || path.includes('\0')) return undefined;
  const value = property(vm, path.replaceAll('.', '\0'));
  if (value !== undefined)
    vm.plugin.warnOnce(`the property "${path}" should be asked for with NUL between its segments`);
  return value;
}
