import { AttributeTable, type AttributeRow } from './attribute-table.ts';
import { GROUP, LOCALITY, text } from './attribute-values.ts';
import { METADATA_PREFIX, stateOf } from './filter-state.ts';
import { protobufField } from './protobuf.ts';
import type { AttributeValue } from './stream-host.ts';
import { dynamicMetadata, stateAttribute } from './stream-properties.ts';
import type { Vm } from './vm.ts';

const USER_AGENT = 'weir';

/** What the host itself answers, to root contexts too; what filters keep only where there is a stream. */
export const HOST_ATTRIBUTES = new AttributeTable<Vm>([
  {
    path: 'plugin_name',
    type: 'string',
    from: 'always',
    note: '`namespace/chain#filter`',
    read: ({ plugin }) => text(plugin.spec.name),
  },
  {
    path: 'plugin_root_id',
    type: 'string',
    from: 'always',
    note: '`rootId` of the filter',
    read: ({ plugin, root }) => {
      root.asksRootId = true;
      return text(plugin.spec.rootId);
    },
  },
  {
    path: 'plugin_vm_id',
    type: 'string',
    from: 'always',
    note: 'what shared data and queues are kept by',
    read: ({ plugin }) => text(plugin.spec.vmId),
  },
  {
    path: 'node',
    type: 'message',
    from: 'always',
    note: '`envoy.config.core.v3.Node`: `node.id`, `node.cluster`, `node.user_agent_name`; `node.metadata` and `node.locality` are empty',
    read: node,
  },
  { path: 'xds.node', type: 'message', from: 'always', note: '', read: node },
  {
    path: 'metadata',
    type: 'message',
    from: 'request',
    note: 'dynamic metadata, which filters set with `weir.set_metadata`: `metadata.filter_metadata.<namespace>.<key>`',
    read: (vm) =>
      vm.stream === null
        ? undefined
        : dynamicMetadata([
            ...vm.stream.states(METADATA_PREFIX),
            ...vm.effects.states(vm.stream, METADATA_PREFIX),
          ]),
  },
  {
    path: 'filter_state',
    type: 'group',
    from: 'request',
    note: '`filter_state.wasm.<path>`: what a filter set as property `<path>`, as one segment behind `filter_state`; other keys by `set_envoy_filter_state`',
    read: ({ stream }) => (stream === null ? undefined : GROUP),
    readField: (vm, key) => stateAttribute(stateOf(vm, key)),
  },
] satisfies AttributeRow<Vm>[]);

/** The property of a filter with this key of the filter state, or the group of those that go on from it. */
export function ownProperty(vm: Vm, key: string): AttributeValue | undefined {
  const { stream } = vm;
  if (stream === null) return undefined;
  const state = stateOf(vm, key);
  if (state !== undefined) return stateAttribute(state);
  const below = `${key}\0`;
  return stream.states(below).length + vm.effects.states(stream, below).length > 0 ? GROUP : undefined;
}

/** `envoy.config.core.v3.Node`. Empty parts are those of a message whose fields are not set. */
function node({ plugin }: Vm): AttributeValue {
  const { id, cluster } = plugin.host.node;
  return {
    type: 'message',
    value: [
      ['id', text(id)],
      ['cluster', text(cluster)],
      ['metadata', { type: 'map', value: [] }],
      ['locality', LOCALITY],
      ['user_agent_name', text(USER_AGENT)],
    ],
    encode: () =>
      Buffer.concat([protobufField(1, id), protobufField(2, cluster), protobufField(6, USER_AGENT)]),
  };
}
