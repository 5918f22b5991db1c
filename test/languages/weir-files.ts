import { readFileSync } from 'node:fs';
import type { Deployment, Place, PlacedFilter } from './subject.ts';

/** A listener for each place, all before one upstream, as files for weir. */
export function weirFiles(
  { places, vmConfiguration, shared }: Deployment,
  ports: ReadonlyMap<string, number>,
  upstreams: Readonly<Record<string, number>>,
): Record<string, string | Buffer> {
  const modules = new Map<string, string>();
  for (const { file, builtIn } of places.flatMap(({ filters }) => filters))
    if (builtIn === undefined && !modules.has(file)) modules.set(file, `module-${modules.size}`);

  const kinds: object[] = [
    kind('gateway.networking.k8s.io/v1', 'Gateway', 'edge', {
      gatewayClassName: 'weir',
      listeners: places.map(({ name, protocol }) => ({
        name,
        port: ports.get(name)!,
        protocol: protocol === 'tcp' ? 'TCP' : 'HTTP',
      })),
    }),
    kind('gateway.networking.k8s.io/v1', 'HTTPRoute', 'all', {
      parentRefs: [{ name: 'edge' }],
      rules: [{ backendRefs: [{ group: 'policy.weir', kind: 'Upstream', name: 'origin' }] }],
    }),
    ...(places.some(({ protocol }) => protocol === 'tcp') ? [tcpRoute] : []),
    policy('Telemetry', 'quiet', { accessLog: { mode: 'Off' } }),
    ...Object.entries(upstreams).map(([name, port]) =>
      policy('Upstream', name, { endpoints: { static: [{ address: '127.0.0.1', port }] } }),
    ),
    ...[...modules.values()].map((name) =>
      policy('Module', name, {
        source: { file: `${name}.wasm` },
        // RSA on a loaded machine takes longer than a callback may by default.
        limits: { memory: '64Mi', cpuPerCall: '200ms', cpuPerRequest: '1s' },
        ...(vmConfiguration === undefined ? {} : { vm: { configuration: vmConfiguration } }),
        ...(shared === true ? { instances: { isolation: 'Shared' } } : {}),
      }),
    ),
    ...places.map((place) => chainOf(place, modules)),
  ];
  return {
    'all.yaml': kinds.map((one) => JSON.stringify(one)).join('\n---\n'),
    ...Object.fromEntries([...modules].map(([file, name]) => [`${name}.wasm`, readFileSync(file)])),
  };
}

const tcpRoute = kind('gateway.networking.k8s.io/v1alpha2', 'TCPRoute', 'tcp', {
  parentRefs: [{ name: 'edge' }],
  rules: [{ backendRefs: [{ group: 'policy.weir', kind: 'Upstream', name: 'tcp' }] }],
});

function chainOf({ name, filters }: Place, modules: ReadonlyMap<string, string>): object {
  const use = (filter: PlacedFilter): string => filter.builtIn ?? `module/${modules.get(filter.file)!}`;
  return policy('FilterChain', name, {
    targetRefs: [{ kind: 'Gateway', name: 'edge', sectionName: name }],
    filters: filters.map((filter, i) => ({
      name: `filter-${i}`,
      use: use(filter),
      ...(filter.builtIn === undefined
        ? {
            // An object where it is one, since a module's schema wants it so.
            config: filter.configuration.startsWith('{')
              ? (JSON.parse(filter.configuration) as object)
              : filter.configuration,
            rootId: filter.rootId,
            callouts: [{ name: 'authz' }, { name: 'grpc' }],
          }
        : {
            config: JSON.parse(filter.configuration) as object,
            callouts: (filter.callouts ?? []).map((name) => ({ name })),
          }),
    })),
  });
}

function policy(name: string, metadataName: string, spec: object): object {
  return kind('policy.weir/v1alpha1', name, metadataName, spec);
}

function kind(apiVersion: string, name: string, metadataName: string, spec: object): object {
  return { apiVersion, kind: name, metadata: { name: metadataName, namespace: 'test' }, spec };
}
