import type { Config, UsableObject } from './config.ts';
import { intersectHostnames } from './hostname.ts';
import { nearest } from './nearest.ts';
import type { LabelSelector, ListenerConfig } from './schema/gateway.ts';
import { GATEWAY_GROUP } from './schema/reference.ts';

type Gateway = UsableObject<'Gateway'>;
type Route = UsableObject<'HTTPRoute'> | UsableObject<'TCPRoute'> | UsableObject<'TLSRoute'>;

/** A listener of a Gateway with the routes that it serves. */
export interface BoundListener {
  readonly gateway: Gateway;
  readonly config: ListenerConfig;
  /** Index in the Gateway. */
  readonly index: number;
  /** `namespace/gateway/section`. */
  readonly name: string;
  /** Each route with the hostnames that it has here, empty for any. */
  readonly routes: Map<UsableObject<'HTTPRoute'>, Set<string>>;
  /** The same for TLS that passes through. */
  readonly tlsRoutes: Map<UsableObject<'TLSRoute'>, Set<string>>;
  /** Those of a listener of TCP, or of TLS that ends here. */
  readonly tcpRoutes: Set<UsableObject<'TCPRoute'>>;
}

/** All listeners, with the routes attached as the Gateway API says. Reports routes that attach nowhere. */
export function attachRoutes(config: Config): BoundListener[] {
  const listeners: BoundListener[] = [];
  for (const gateway of config.all('Gateway')) {
    checkClass(config, gateway);
    for (const [index, listener] of gateway.value.spec.listeners.entries()) {
      const name = `${gateway.namespace}/${gateway.name}/${listener.name}`;
      listeners.push({
        gateway,
        config: listener,
        index,
        name,
        routes: new Map(),
        tlsRoutes: new Map(),
        tcpRoutes: new Set(),
      });
    }
  }
  for (const route of [...config.all('HTTPRoute'), ...config.all('TCPRoute'), ...config.all('TLSRoute')]) {
    for (let i = 0; i < route.value.spec.parentRefs.length; i++) attachToParent(config, listeners, route, i);
  }
  return listeners;
}

/** The class is `weir`, or one that is declared. */
function checkClass(config: Config, gateway: Gateway): void {
  const name = gateway.value.spec.gatewayClassName;
  const known = config.all('GatewayClass').map((gatewayClass) => gatewayClass.name);
  if (name === 'weir' || known.includes(name)) return;
  config.report(gateway, 'WEIR2111', ['spec', 'gatewayClassName'], `no GatewayClass is named "${name}"`, {
    hint: 'write "weir", or leave it out',
  });
}

function attachToParent(
  config: Config,
  listeners: readonly BoundListener[],
  route: Route,
  index: number,
): void {
  const parent = route.value.spec.parentRefs[index]!;
  const path = ['spec', 'parentRefs', index];
  if (parent.group !== GATEWAY_GROUP || parent.kind !== 'Gateway') {
    const later = (parent.group === '' && parent.kind === 'Service') || parent.kind === 'ListenerSet';
    const message = `parentRef kind ${parent.kind} ${later ? 'is not supported yet' : 'cannot be the parent of a route'}`;
    config.report(route, later ? 'WEIR1045' : 'WEIR2110', [...path, 'kind'], message);
    return;
  }
  const namespace = parent.namespace ?? route.namespace;
  const gateway = config.find('Gateway', namespace, parent.name);
  if (gateway === undefined) {
    config.reportMissing(route, 'WEIR2102', [...path, 'name'], 'parentRef', {
      kind: 'Gateway',
      namespace,
      name: parent.name,
    });
    return;
  }
  if (gateway.value === null) return;
  const all = listeners.filter((listener) => listener.gateway === gateway);
  const called = `Gateway ${namespace}/${parent.name}`;
  const named = all.filter(
    (listener) => parent.sectionName === undefined || listener.config.name === parent.sectionName,
  );
  if (named.length === 0) {
    const names = all.map((listener) => listener.config.name);
    const close = nearest(parent.sectionName!, names);
    config.report(
      route,
      'WEIR2102',
      [...path, 'sectionName'],
      `${called} has no listener "${parent.sectionName}"`,
      {
        hint: close === null ? undefined : `did you mean "${close}"?`,
        notes: [`listeners: ${names.join(', ')}`],
      },
    );
    return;
  }
  const selected = named.filter(
    (listener) => parent.port === undefined || listener.config.port === parent.port,
  );
  if (selected.length === 0) {
    const which =
      parent.sectionName === undefined ? 'no listener' : `listener "${parent.sectionName}" is not`;
    config.report(route, 'WEIR2102', [...path, 'port'], `${called}: ${which} on port ${parent.port}`, {
      notes: [`ports: ${[...new Set(named.map((listener) => listener.config.port))].join(', ')}`],
    });
    return;
  }
  const fitting = selected.filter((listener) => routeKind(listener.config) === route.kind);
  const allowed = fitting.filter((listener) => allowsRoute(config, listener, route));
  if (allowed.filter((listener) => attachTo(listener, route)).length > 0) return;
  const names = selected.map((listener) => `"${listener.config.name}"`).join(', ');
  const why =
    fitting.length === 0
      ? `listener ${names} of ${called} is of protocol ${protocolName(selected[0]!.config)}, which takes ${routeKind(selected[0]!.config)}s`
      : allowed.length === 0
        ? `allowedRoutes of listener ${names} of ${called} does not admit ${route.kind}s of namespace ${route.namespace}`
        : `no hostname of the route is one of listener ${names} of ${called}`;
  config.report(route, 'WEIR2109', path, `parentRef attaches to nothing: ${why}`, {
    related: [selected[0]!.gateway.document.place(['spec', 'listeners', selected[0]!.index])],
  });
}

/** What a listener takes. */
function routeKind(listener: ListenerConfig): Route['kind'] {
  if (listener.protocol === 'HTTP' || listener.protocol === 'HTTPS') return 'HTTPRoute';
  return isPassthrough(listener) ? 'TLSRoute' : 'TCPRoute';
}

export function isPassthrough({ protocol, tls }: ListenerConfig): boolean {
  return protocol === 'TLS' && tls?.mode === 'Passthrough';
}

/** For messages. */
export function protocolName(listener: ListenerConfig): string {
  return isPassthrough(listener) ? 'TLS with mode Passthrough' : listener.protocol;
}

/** False where they have no hostname in common. */
function attachTo(listener: BoundListener, route: Route): boolean {
  if (route.kind === 'TCPRoute') {
    listener.tcpRoutes.add(route);
    return true;
  }
  const hostnames = sharedHostnames(listener.config.hostname ?? '', route.value.spec.hostnames);
  if (hostnames.length === 0) return false;
  if (route.kind === 'HTTPRoute') addHostnames(listener.routes, route, hostnames);
  else addHostnames(listener.tlsRoutes, route, hostnames);
  return true;
}

function addHostnames<R>(routes: Map<R, Set<string>>, route: R, hostnames: readonly string[]): void {
  const known = routes.get(route) ?? new Set();
  routes.set(route, known);
  for (const hostname of hostnames) known.add(hostname);
}

function sharedHostnames(listener: string, route: readonly string[]): string[] {
  const wanted = route.length === 0 ? [''] : route;
  const shared = wanted.map((hostname) => intersectHostnames(listener, hostname));
  return [...new Set(shared.filter((hostname) => hostname !== null))];
}

function allowsRoute(config: Config, listener: BoundListener, route: Route): boolean {
  const { namespaces, kinds } = listener.config.allowedRoutes;
  if (kinds !== undefined && !kinds.some((kind) => kind.group === GATEWAY_GROUP && kind.kind === route.kind))
    return false;
  if (namespaces.from === 'All') return true;
  if (namespaces.from === 'Same') return route.namespace === listener.gateway.namespace;
  if (namespaces.selector === undefined) return false;
  const object = config.all('Namespace').find((namespace) => namespace.name === route.namespace);
  const labels = { 'kubernetes.io/metadata.name': route.namespace, ...object?.value.metadata.labels };
  return selects(namespaces.selector, labels);
}

function selects(selector: LabelSelector, labels: Readonly<Record<string, string>>): boolean {
  const value = (key: string) => (Object.hasOwn(labels, key) ? labels[key] : undefined);
  return (
    Object.entries(selector.matchLabels).every(([key, wanted]) => value(key) === wanted) &&
    selector.matchExpressions.every(({ key, operator, values }) => {
      const found = value(key);
      if (operator === 'Exists') return found !== undefined;
      if (operator === 'DoesNotExist') return found === undefined;
      const listed = found !== undefined && values.includes(found);
      return operator === 'In' ? listed : !listed;
    })
  );
}
