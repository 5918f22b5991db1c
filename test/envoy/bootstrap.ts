/** Envoy's static configuration, as far as these tests and the benchmark need it. */

export interface EnvoyFilter {
  readonly name: string;
  readonly file: string;
  readonly rootId: string;
  /** As `body.whileHeadHeld: Show` in weir. */
  readonly bodyWhileHeld?: boolean;
  readonly vmId: string;
  readonly configuration: string;
  readonly vmConfiguration: string;
}

export interface EnvoyListener {
  readonly name: string;
  readonly port: number;
  readonly filters: readonly EnvoyFilter[];
  /** Filters of Envoy's own, which run first. */
  readonly own?: readonly object[];
  /** With tcp, connections go to the cluster `tcp`. */
  readonly protocol: 'http' | 'tcp';
}

export interface EnvoyPart {
  readonly adminPort: number;
  readonly listeners: readonly EnvoyListener[];
  /** Names to ports of 127.0.0.1; requests go to the first. Those that begin with `grpc` speak HTTP/2. */
  readonly clusters: Readonly<Record<string, number>>;
  /** For the benchmark: no trailers, and connections that end after 1000 requests, as with the other proxies. */
  readonly plain?: boolean;
}

const HTTP = 'type.googleapis.com/envoy.extensions';

export function bootstrap(part: EnvoyPart): object {
  const [origin] = Object.keys(part.clusters);
  return {
    admin: { address: address(part.adminPort) },
    static_resources: {
      listeners: part.listeners.map((listener) => listenerOf(listener, origin!, part.plain === true)),
      clusters: Object.entries(part.clusters).map(([name, port]) => cluster(name, port)),
    },
    // More connections than its default allows without a warning.
    overload_manager: {
      resource_monitors: [
        {
          name: 'envoy.resource_monitors.global_downstream_max_connections',
          typed_config: {
            '@type': `${HTTP}.resource_monitors.downstream_connections.v3.DownstreamConnectionsConfig`,
            max_active_downstream_connections: 10_000,
          },
        },
      ],
    },
  };
}

function listenerOf(listener: EnvoyListener, origin: string, plain: boolean): object {
  const { name, port, filters, own } = listener;
  if (listener.protocol === 'tcp') return tcpListener(listener);
  return {
    name,
    address: address(port),
    filter_chains: [
      {
        filters: [
          {
            name: 'envoy.filters.network.http_connection_manager',
            typed_config: {
              '@type': `${HTTP}.filters.network.http_connection_manager.v3.HttpConnectionManager`,
              stat_prefix: name,
              use_remote_address: true,
              generate_request_id: false,
              // As the other proxies of the benchmark.
              ...(plain ? { common_http_protocol_options: { max_requests_per_connection: 1000 } } : {}),
              http_protocol_options: { enable_trailers: !plain },
              route_config: {
                virtual_hosts: [
                  {
                    name: 'all',
                    domains: ['*'],
                    routes: [{ match: { prefix: '/' }, route: { cluster: origin, timeout: '0s' } }],
                  },
                ],
              },
              http_filters: [
                ...(own ?? []),
                ...filters.map((filter) => wasmFilter(filter, 'http')),
                {
                  name: 'envoy.filters.http.router',
                  typed_config: {
                    '@type': `${HTTP}.filters.http.router.v3.Router`,
                    suppress_envoy_headers: true,
                  },
                },
              ],
            },
          },
        ],
      },
    ],
  };
}

function tcpListener({ name, port, filters }: EnvoyListener): object {
  const proxy = {
    name: 'envoy.filters.network.tcp_proxy',
    typed_config: {
      '@type': `${HTTP}.filters.network.tcp_proxy.v3.TcpProxy`,
      stat_prefix: name,
      cluster: 'tcp',
    },
  };
  const chain = { filters: [...filters.map((filter) => wasmFilter(filter, 'network')), proxy] };
  return { name, address: address(port), filter_chains: [chain] };
}

function wasmFilter(filter: EnvoyFilter, layer: 'http' | 'network'): object {
  return {
    name: `wasm-${filter.name}`,
    typed_config: {
      '@type': `${HTTP}.filters.${layer}.wasm.v3.Wasm`,
      config: {
        name: filter.name,
        root_id: filter.rootId,
        vm_config: {
          vm_id: filter.vmId,
          runtime: 'envoy.wasm.runtime.v8',
          code: { local: { filename: filter.file } },
          configuration: text(filter.vmConfiguration),
        },
        configuration: text(filter.configuration),
        ...(filter.bodyWhileHeld === true ? { allow_on_headers_stop_iteration: true } : {}),
      },
    },
  };
}

/** Handed to the guest as it is. */
function text(value: string): object {
  return { '@type': 'type.googleapis.com/google.protobuf.StringValue', value };
}

function cluster(name: string, port: number): object {
  return {
    name,
    type: 'STATIC',
    connect_timeout: '2s',
    typed_extension_protocol_options: {
      'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': {
        '@type': `${HTTP}.upstreams.http.v3.HttpProtocolOptions`,
        explicit_http_config: name.startsWith('grpc')
          ? { http2_protocol_options: {} }
          : { http_protocol_options: { enable_trailers: true } },
      },
    },
    load_assignment: {
      cluster_name: name,
      endpoints: [{ lb_endpoints: [{ endpoint: { address: address(port) } }] }],
    },
  };
}

function address(port: number): object {
  return { socket_address: { address: '127.0.0.1', port_value: port } };
}
