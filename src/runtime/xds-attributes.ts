import type { Cluster } from './cluster.ts';
import type { ListenerSpec, RuleSpec } from './snapshot.ts';
import type { AttributePhase, AttributeRow } from './wasm/attribute-table.ts';
import { int, maybeText, metadata } from './wasm/attribute-values.ts';
import type { AttributeValue } from './wasm/stream-host.ts';

/** `TrafficDirection` of Envoy: weir stands before servers. */
const INBOUND = 1;

/** What is routed: a stream, of whichever protocol. */
interface Routed {
  readonly ruleSpec: Pick<RuleSpec, 'name' | 'metadata'> | null;
  readonly cluster: Cluster | null;
  readonly listenerSpec: ListenerSpec | null;
  readonly virtualHostName: string | undefined;
}

interface Part {
  readonly name: string;
  readonly type: AttributeValue['type'];
  readonly from: AttributePhase;
  readonly note: string;
  readonly read: AttributeRow<Routed>['read'];
}

/** What Envoy has both at the top and below `xds`. */
const BOTH: readonly Part[] = [
  {
    name: 'route_name',
    type: 'string',
    from: 'route',
    note: '`namespace/route#rule`',
    read: (s) => maybeText(s.ruleSpec?.name),
  },
  {
    name: 'route_metadata',
    type: 'message',
    from: 'route',
    note: 'annotations of the route: `route_metadata.filter_metadata.<prefix>.<name>`',
    read: (s) => (s.ruleSpec === null ? undefined : metadata(s.ruleSpec.metadata)),
  },
  {
    name: 'cluster_name',
    type: 'string',
    from: 'attempt',
    note: '`namespace/upstream`',
    read: (s) => maybeText(s.cluster?.spec.name),
  },
  {
    name: 'cluster_metadata',
    type: 'message',
    from: 'attempt',
    note: 'annotations of the Upstream or Service',
    read: ({ cluster }) => (cluster === null ? undefined : metadata(cluster.spec.metadata)),
  },
  {
    name: 'listener_direction',
    type: 'int',
    from: 'connection',
    note: '1, inbound',
    read: () => int(INBOUND),
  },
  {
    name: 'listener_metadata',
    type: 'message',
    from: 'route',
    note: 'annotations of the Gateway',
    read: (s) => of(s.listenerSpec, ({ metadata: spec }) => metadata(spec)),
  },
  {
    name: 'upstream_host_metadata',
    type: 'message',
    from: 'never',
    note: 'endpoints have none',
    read: () => undefined,
  },
];

const XDS_ALONE: readonly Part[] = [
  {
    name: 'upstream_host_locality_metadata',
    type: 'message',
    from: 'never',
    note: 'endpoints have none',
    read: () => undefined,
  },
  {
    name: 'virtual_host_name',
    type: 'string',
    from: 'route',
    note: 'the hostname that matched; `*` for any',
    read: (s) => maybeText(s.virtualHostName),
  },
  {
    name: 'virtual_host_metadata',
    type: 'message',
    from: 'route',
    note: 'empty: hostnames have none',
    read: (s) => (s.virtualHostName === undefined ? undefined : metadata([])),
  },
  {
    name: 'filter_chain_name',
    type: 'string',
    from: 'route',
    note: '`namespace/gateway/listener`',
    read: (s) => maybeText(s.listenerSpec?.name),
  },
];

export const XDS_ROWS: readonly AttributeRow<Routed>[] = [
  ...BOTH.map(({ name, ...part }) => ({ ...part, path: name })),
  ...[...BOTH, ...XDS_ALONE].map(({ name, ...part }) => ({ ...part, path: `xds.${name}` })),
];

function of<T>(spec: ListenerSpec | null, read: (spec: ListenerSpec) => T): T | undefined {
  return spec === null ? undefined : read(spec);
}
