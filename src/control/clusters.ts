import type { ClusterSpec, EndpointSpec, UpstreamTlsSpec } from '../runtime/snapshot.ts';
import type { Assets } from './assets.ts';
import { compareText, type Config, type UsableObject } from './config.ts';
import type { Path } from './document.ts';
import { isGranted } from './grants.ts';
import { metadataOf } from './metadata.ts';
import { GATEWAY_GROUP, POLICY_GROUP } from './schema/reference.ts';
import type { ConfigObject } from './validate.ts';

/** A reference to something that requests can be sent to. */
export interface BackendReference {
  readonly group: string;
  readonly kind: string;
  readonly namespace?: string | undefined;
  readonly name: string;
  readonly port?: number | undefined;
}

/** What stands for a backend that does not resolve. */
export const UNRESOLVED = -1;

const DEFAULT_REFRESH_MS = 30_000;

/** The clusters that are referred to, each once. */
export class ClusterTable {
  readonly specs: ClusterSpec[] = [];
  readonly #config: Config;
  readonly #assets: Assets;
  readonly #indexes = new Map<string, number>();

  constructor(config: Config, assets: Assets) {
    this.#config = config;
    this.#assets = assets;
  }

  /** The index of the cluster that a reference at `path` of `from` means; UNRESOLVED after reporting why. */
  resolve(from: ConfigObject, path: Path, reference: BackendReference): number {
    const namespace = reference.namespace ?? from.namespace;
    const known = backendKind(reference);
    if (known === null) {
      const message = `backendRef kind ${reference.kind} in group "${reference.group}" cannot be a backend`;
      const hint = reference.kind === 'Upstream' ? 'an Upstream needs "group: policy.weir"' : undefined;
      this.#config.report(from, 'WEIR2110', [...path, 'kind'], message, { hint });
      return UNRESOLVED;
    }
    const fromReference = {
      group: groupOf(from),
      kind: from.kind,
      namespace: from.namespace,
      name: from.name,
    };
    const target = { group: reference.group, kind: reference.kind, namespace, name: reference.name };
    if (!isGranted(this.#config, fromReference, target)) {
      const message = `backendRef ${known} ${namespace}/${reference.name} is in another namespace and no ReferenceGrant there allows it`;
      this.#config.report(from, 'WEIR2104', [...path, 'namespace'], message);
      return UNRESOLVED;
    }
    const found = this.#config.find(known, namespace, reference.name);
    if (found === undefined) {
      const wanted = { kind: known, namespace, name: reference.name } as const;
      this.#config.reportMissing(from, 'WEIR2101', [...path, 'name'], 'backendRef', wanted);
      return UNRESOLVED;
    }
    if (known === 'Upstream' && reference.port !== undefined) {
      this.#config.report(
        from,
        'WEIR1046',
        [...path, 'port'],
        'port must not be set for an Upstream: its endpoints have their own',
      );
    }
    if (found.value === null) return UNRESOLVED;
    return known === 'Upstream'
      ? this.#upstream(found as UsableObject<'Upstream'>)
      : this.#service(from, path, found as UsableObject<'Service'>, reference.port);
  }

  #upstream(upstream: UsableObject<'Upstream'>): number {
    const name = `${upstream.namespace}/${upstream.name}`;
    const existing = this.#indexes.get(name);
    if (existing !== undefined) return existing;
    const { spec } = upstream.value;
    const { dns } = spec.endpoints;
    return this.#add(name, {
      name,
      source: upstream.document.position(),
      metadata: metadataOf(upstream.value.metadata.annotations),
      balance: spec.loadBalancer.type === 'LeastRequest' ? 'least-request' : 'round-robin',
      endpoints: (spec.endpoints.static ?? []).map(({ address, port, weight }) => ({
        address,
        port,
        weight,
      })),
      dns: dns === undefined ? null : { name: dns.name, port: dns.port, refreshMs: dns.refresh },
      tls: this.#tls(upstream),
      connectTimeoutMs: spec.timeouts.connect,
      firstByteTimeoutMs: spec.timeouts.firstByte,
      idleTimeoutMs: spec.timeouts.idle,
      maxConnections: spec.limits.connections,
      maxRequests: spec.limits.requests,
      maxPending: spec.limits.pending,
    });
  }

  #tls(upstream: UsableObject<'Upstream'>): UpstreamTlsSpec | null {
    const { tls, endpoints } = upstream.value.spec;
    if (tls === undefined) return null;
    return {
      serverName: tls.serverName ?? endpoints.dns?.name ?? '',
      caPem: this.#assets.authorities.get(`${upstream.namespace}/${upstream.name}`) ?? null,
      verify: !tls.insecureSkipVerify,
    };
  }

  #service(
    from: ConfigObject,
    path: Path,
    service: UsableObject<'Service'>,
    port: number | undefined,
  ): number {
    const { namespace, name } = service;
    if (port === undefined) {
      this.#config.report(from, 'WEIR1041', path, `backendRef Service ${namespace}/${name} needs a port`);
      return UNRESOLVED;
    }
    const { spec } = service.value;
    const declared = spec.ports.find((candidate) => candidate.port === port && candidate.protocol === 'TCP');
    if (declared === undefined) {
      const ports = spec.ports.map((candidate) => candidate.port).join(', ');
      this.#config.report(
        from,
        'WEIR2101',
        [...path, 'port'],
        `Service ${namespace}/${name} has no TCP port ${port}`,
        {
          notes: [ports === '' ? 'it declares no ports' : `its ports: ${ports}`],
        },
      );
      return UNRESOLVED;
    }
    const cluster = `${namespace}/${name}:${port}`;
    const existing = this.#indexes.get(cluster);
    if (existing !== undefined) return existing;
    const portIndex = spec.ports.indexOf(declared);
    if (declared.appProtocol === 'kubernetes.io/h2c') {
      this.#config.report(
        service,
        'WEIR1045',
        ['spec', 'ports', portIndex, 'appProtocol'],
        'appProtocol kubernetes.io/h2c is not supported yet',
      );
    }
    const external = spec.type === 'ExternalName' ? spec.externalName : undefined;
    const endpoints = external === undefined ? this.#sliceEndpoints(service, declared.name) : [];
    if (external === undefined && endpoints.length === 0) {
      this.#config.report(
        service,
        'WEIR3006',
        ['spec', 'ports', portIndex],
        `Service ${namespace}/${name} has no endpoints for port ${port}`,
        { severity: 'warning' },
      );
    }
    return this.#add(cluster, {
      name: cluster,
      source: service.document.position(),
      metadata: metadataOf(service.value.metadata.annotations),
      balance: 'round-robin',
      endpoints,
      dns: external === undefined ? null : { name: external, port, refreshMs: DEFAULT_REFRESH_MS },
      tls: null,
      connectTimeoutMs: 2000,
      firstByteTimeoutMs: 60_000,
      idleTimeoutMs: 30_000,
      maxConnections: 1024,
      maxRequests: 1024,
      maxPending: 1024,
    });
  }

  /** Ready addresses of the slices of a Service, sorted, each once. */
  #sliceEndpoints(service: UsableObject<'Service'>, portName: string | undefined): EndpointSpec[] {
    const found = new Map<string, EndpointSpec>();
    for (const { namespace, value } of this.#config.all('EndpointSlice')) {
      const owner = value.metadata.labels['kubernetes.io/service-name'];
      if (namespace !== service.namespace || owner !== service.name || value.addressType === 'FQDN') continue;
      const port = value.ports.find((candidate) => (candidate.name ?? '') === (portName ?? ''))?.port;
      if (port === undefined) continue;
      for (const endpoint of value.endpoints) {
        if (endpoint.conditions?.ready === false) continue;
        for (const address of endpoint.addresses)
          found.set(`${address} ${port}`, { address, port, weight: 1 });
      }
    }
    return [...found.entries()].sort(([a], [b]) => compareText(a, b)).map(([, endpoint]) => endpoint);
  }

  #add(name: string, spec: ClusterSpec): number {
    this.#indexes.set(name, this.specs.length);
    return this.specs.push(spec) - 1;
  }
}

function backendKind(reference: BackendReference): 'Upstream' | 'Service' | null {
  if (reference.group === POLICY_GROUP && reference.kind === 'Upstream') return 'Upstream';
  if (reference.group === '' && reference.kind === 'Service') return 'Service';
  return null;
}

const GATEWAY_KINDS: ReadonlySet<string> = new Set(['Gateway', 'HTTPRoute', 'TCPRoute', 'TLSRoute']);

/** The API group of an object that refers. */
export function groupOf(object: ConfigObject): string {
  return GATEWAY_KINDS.has(object.kind) ? GATEWAY_GROUP : POLICY_GROUP;
}
