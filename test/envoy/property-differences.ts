/** A property that one host has and the other has not, with the line of docs/host-differences.md that says why. */
export interface MeantDifference {
  /** Of the line: `<a id="…">`. */
  readonly id: string;
  /** Places where it is seen. */
  readonly role: RegExp;
  readonly path: RegExp;
  /** What weir and what Envoy answer: `value`, or a status. */
  readonly kinds: string;
}

export const MEANT: readonly MeantDifference[] = [
  {
    id: 'request-fields-later',
    role: /^response$/,
    path: /^request\/(path|url_path|query|host|scheme|method|headers\/.+)$/,
    kinds: 'value / 1',
  },
  { id: 'own-fields', role: /^(request|response)$/, path: /^request\/id$/, kinds: 'value / 1' },
  {
    id: 'times-so-far',
    role: /^(request|response)$/,
    path: /^(request\/duration|response\/backend_latency)$/,
    kinds: 'value / 1',
  },
  {
    id: 'older-names',
    role: /^(request|response)$/,
    path: /^(route|cluster|listener)_\w+|^node\b/,
    kinds: 'value / 1',
  },
  {
    id: 'cluster-after-filters',
    role: /^request$/,
    path: /^(upstream\/num_endpoints|xds\/cluster_name|xds\/cluster_metadata)$/,
    kinds: '1 / value',
  },
  {
    id: 'no-endpoint-metadata',
    role: /^response$/,
    path: /^xds\/upstream_host_(locality_)?metadata$/,
    kinds: '1 / 3',
  },
  {
    id: 'weir-properties',
    role: /^(request|response)$/,
    path: /^(connection\/peer_address|consumer\/labels)$/,
    kinds: 'value / 1',
  },
];

/** Values that tell two hosts apart: addresses, times, names, and sizes of what each host adds. */
export const BY_NATURE =
  /^(request\/(headers|total_size|headers_bytes|time)|response\/headers|(source|destination)\/\w+|connection\/id|connection_id|upstream\/(address|port|local_address|cx_pool_ready_duration)|xds\/(route_name|cluster_name|listener_direction|virtual_host_name|filter_chain_name|node)|plugin_name|plugin_vm_id|sign)$/;
