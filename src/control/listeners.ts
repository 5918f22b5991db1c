import { isDeepStrictEqual } from 'node:util';
import {
  DEFAULT_LISTENER_LIMITS,
  type CertificateSpec,
  type ClientValidationSpec,
  type ListenerLimits,
  type ListenerSpec,
  type PortSpec,
  type VirtualHostSpec,
} from '../runtime/snapshot.ts';
import type { Assets } from './assets.ts';
import { isPassthrough, protocolName, type BoundListener } from './attach.ts';
import { Attachments } from './attachments.ts';
import type { ChainTable } from './chains.ts';
import { clientValidationOf } from './client-validation.ts';
import { groupOf } from './clusters.ts';
import { compareText, type Config } from './config.ts';
import { isGranted } from './grants.ts';
import { compareHostnames, coversHostname } from './hostname.ts';
import { flatten, mergeScopes, type Setting } from './merge.ts';
import { metadataOf } from './metadata.ts';
import { compareMatches, compileMatch, MatchCover, type RankedMatch } from './precedence.ts';
import { listenerScopes, type RuleTable } from './rules.ts';
import type { MatchConfig } from './schema/http-route.ts';
import { POLICY_GROUP } from './schema/reference.ts';
import type { TcpRuleTable } from './tcp-rules.ts';

const ANY_ADDRESS = '0.0.0.0';

/** A listener that was compiled, with what its port needs to know of it. */
interface Compiled {
  readonly bound: BoundListener;
  readonly spec: ListenerSpec;
  /** What it is in the snapshot, once for each hostname that has a rule of its own. */
  readonly specs: readonly ListenerSpec[];
  readonly limits: ListenerLimits;
  readonly validation: ClientValidationSpec | null;
}

/** Ports, listeners and virtual hosts of a snapshot. */
export function compilePorts(
  config: Config,
  assets: Assets,
  listeners: readonly BoundListener[],
  rules: RuleTable,
  tcpRules: TcpRuleTable,
  chains: ChainTable,
): PortSpec[] {
  const policies = new Attachments(config, 'ListenerPolicy');
  const ports = new Map<string, Compiled[]>();
  for (const bound of listeners) {
    const settings = listenerSettings(config, policies, bound);
    const spec: ListenerSpec = {
      name: bound.name,
      source: bound.gateway.document.position(['spec', 'listeners', bound.index, 'port']),
      hostname: bound.config.hostname ?? '',
      chain: listenerChain(bound, chains),
      certificates: certificatesOf(config, assets, bound),
      minTlsVersion:
        (settings.get('tls.minVersion')?.value as ListenerSpec['minTlsVersion'] | undefined) ?? 'TLSv1.2',
      metadata: metadataOf(bound.gateway.value.metadata.annotations),
      virtualHosts: virtualHosts(config, bound, rules),
      tcpRule: tcpRules.index(bound),
    };
    const specs = isPassthrough(bound.config) ? byHostname(spec, tcpRules.byHostname(bound)) : [spec];
    const validation = clientValidationOf(config, bound);
    const compiled = { bound, spec, specs, limits: limitsOf(settings), validation };
    for (const address of addressesOf(bound)) {
      const key = `${address} ${bound.config.port}`;
      ports.set(key, [...(ports.get(key) ?? []), compiled]);
    }
  }
  checkOverlaps(config, ports);
  return [...ports.entries()]
    .map(([key, compiled]) => portOf(config, key, compiled))
    .sort((a, b) => a.port - b.port || compareText(a.address, b.address));
}

const PROTOCOLS = { HTTP: 'http', HTTPS: 'https', TCP: 'tcp', TLS: 'tls' } as const;

/**
 * A listener that TLS passes through, once for each hostname of its routes. Its own stands for what none
 * of them takes: a listener of a less specific hostname must not get that.
 */
function byHostname(spec: ListenerSpec, rules: ReadonlyMap<string, number>): ListenerSpec[] {
  const all = new Map([[spec.hostname, -1], ...rules]);
  return [...all].map(([hostname, tcpRule]) => ({ ...spec, hostname, tcpRule }));
}

/** Of several for one hostname that of the most specific listener. */
function firstOfEach(compiled: readonly Compiled[]): ListenerSpec[] {
  const found = new Map<string, ListenerSpec>();
  const bySpecificity = [...compiled].sort((a, b) => compareHostnames(a.spec.hostname, b.spec.hostname));
  for (const { specs } of bySpecificity)
    for (const spec of specs) if (!found.has(spec.hostname)) found.set(spec.hostname, spec);
  return [...found.values()];
}

/** Of requests that match no route, which get 404 in any case. Connections always have the route's. */
function listenerChain(bound: BoundListener, chains: ChainTable): number {
  const { protocol } = bound.config;
  if (protocol === 'TCP' || protocol === 'TLS') return 0;
  const scopes = listenerScopes(bound);
  const attached = scopes.map((scope) => chains.attachments.at(scope).map((entry) => entry.policy));
  return Math.max(0, chains.effective(attached, scopes, 'http'));
}

function addressesOf({ gateway }: BoundListener): string[] {
  const { addresses } = gateway.value.spec;
  if (addresses.length === 0) return [ANY_ADDRESS];
  return [...new Set(addresses.map(({ value }) => (value ?? ANY_ADDRESS).toLowerCase()))];
}

function portOf(config: Config, key: string, compiled: readonly Compiled[]): PortSpec {
  const [address, port] = key.split(' ') as [string, string];
  const first = compiled[0]!;
  for (const [i, other] of compiled.entries()) {
    const where = ['spec', 'listeners', other.bound.index];
    const related = [first.bound.gateway.document.place(['spec', 'listeners', first.bound.index])];
    const [mine, its] = [protocolName(other.bound.config), protocolName(first.bound.config)];
    if (mine !== its) {
      const message = `listeners ${first.spec.name} (${its}) and ${other.spec.name} (${mine}) share ${address}:${port}`;
      config.report(other.bound.gateway, 'WEIR2002', [...where, 'protocol'], message, { related });
    }
    const twin = compiled.slice(0, i).find((before) => before.spec.hostname === other.spec.hostname);
    if (twin !== undefined) {
      const hostname = other.spec.hostname === '' ? 'any hostname' : `hostname ${other.spec.hostname}`;
      const message = `listeners ${twin.spec.name} and ${other.spec.name} both take ${hostname} on ${address}:${port}`;
      config.report(other.bound.gateway, 'WEIR2002', where, message, {
        related: [twin.bound.gateway.document.place(['spec', 'listeners', twin.bound.index])],
      });
    }
    const differing = (Object.keys(LIMIT_FIELDS) as (keyof ListenerLimits)[]).filter(
      (name) => first.limits[name] !== other.limits[name],
    );
    if (differing.length > 0) {
      const message = `listeners ${first.spec.name} and ${other.spec.name} share ${address}:${port} but differ in ${differing.join(', ')}`;
      config.report(other.bound.gateway, 'WEIR2006', where, message, { related });
    }
  }
  // A connection serves all hostnames of its port.
  const stricter = compiled.find(({ validation }) => !isDeepStrictEqual(validation, first.validation));
  if (stricter !== undefined) {
    const message = `listeners ${first.spec.name} and ${stricter.spec.name} share ${address}:${port} but differ in certificates of clients`;
    config.report(stricter.bound.gateway, 'WEIR2006', ['spec', 'listeners', stricter.bound.index], message, {
      related: [first.bound.gateway.document.place(['spec', 'listeners', first.bound.index])],
    });
  }
  const specs = firstOfEach(compiled);
  return {
    address,
    port: Number(port),
    protocol: isPassthrough(first.bound.config) ? 'passthrough' : PROTOCOLS[first.bound.config.protocol],
    listeners: specs.sort((a, b) => compareHostnames(a.hostname, b.hostname) || compareText(a.name, b.name)),
    limits: first.limits,
    ...(first.validation === null ? {} : { clientValidation: first.validation }),
  };
}

/** The address for all of a family keeps single addresses of it from being bound. */
function checkOverlaps(config: Config, ports: ReadonlyMap<string, readonly Compiled[]>): void {
  for (const [key, compiled] of ports) {
    const [address, port] = key.split(' ') as [string, string];
    const wide = address.includes(':') ? '::' : ANY_ADDRESS;
    const other = address === wide ? undefined : ports.get(`${wide} ${port}`)?.[0];
    if (other === undefined) continue;
    const { bound, spec } = compiled[0]!;
    config.report(
      bound.gateway,
      'WEIR2002',
      ['spec', 'listeners', bound.index, 'port'],
      `listener ${spec.name} asks for ${address}:${port}, which ${wide}:${port} of listener ${other.spec.name} includes`,
      {
        related: [other.bound.gateway.document.place(['spec', 'listeners', other.bound.index])],
      },
    );
  }
}

/**
 * The hostnames of a listener with their matches. A request goes to the most specific hostname;
 * matches of less specific ones that cover it follow there, because the Gateway API gives them
 * lower precedence and does not exclude them.
 */
function virtualHosts(config: Config, bound: BoundListener, rules: RuleTable): VirtualHostSpec[] {
  const own = new Map<string, RankedMatch[]>();
  for (const [route, hostnames] of bound.routes) {
    const ranked = rankedMatches(bound, route, rules);
    for (const hostname of hostnames) own.set(hostname, [...(own.get(hostname) ?? []), ...ranked]);
  }
  const names = [...own.keys()].sort(compareHostnames);
  for (const list of own.values()) list.sort(compareMatches);
  const reached = new Set<RankedMatch>();
  const shadowed = new Map<RankedMatch, RankedMatch>();
  const hosts = names.map((hostname) => {
    const cover = new MatchCover();
    for (const other of names) {
      if (!coversHostname(other, hostname)) continue;
      for (const ranked of own.get(other)!) {
        const outer = cover.add(ranked);
        if (outer === null) reached.add(ranked);
        else shadowed.set(ranked, outer);
      }
    }
    return { hostname, matches: cover.matches.map(({ match }) => match) };
  });
  for (const [inner, outer] of shadowed) {
    if (!reached.has(inner)) reportShadowed(config, inner, outer);
  }
  return hosts;
}

function rankedMatches(bound: BoundListener, route: RankedMatch['route'], rules: RuleTable): RankedMatch[] {
  const ranked: RankedMatch[] = [];
  for (const [ruleIndex, rule] of route.value.spec.rules.entries()) {
    const index = rules.index(bound, route, ruleIndex);
    const matches = rule.matches.length > 0 ? rule.matches : [EVERYTHING];
    for (const [matchIndex, match] of matches.entries()) {
      ranked.push({ match: compileMatch(match, index), route, ruleIndex, matchIndex });
    }
  }
  return ranked;
}

const EVERYTHING: MatchConfig = { path: { type: 'PathPrefix', value: '/' }, headers: [], queryParams: [] };

function reportShadowed(config: Config, inner: RankedMatch, outer: RankedMatch): void {
  const path = ['spec', 'rules', inner.ruleIndex, 'matches', inner.matchIndex];
  const place = outer.route.document.place(['spec', 'rules', outer.ruleIndex]);
  const line = place.line > 0 ? ` (line ${place.line})` : '';
  const message = `${nameOf(inner)} can never match: ${nameOf(outer)}${line} already takes every request it could`;
  config.report(inner.route, 'WEIR3004', path, message, { severity: 'warning', related: [place] });
}

function nameOf({ route, ruleIndex, matchIndex }: RankedMatch): string {
  const rule = route.value.spec.rules[ruleIndex]!;
  const name = rule.name === undefined ? `rule ${ruleIndex}` : `rule "${rule.name}"`;
  const which = rule.matches.length > 1 ? ` match ${matchIndex}` : '';
  return `${name}${which} of ${route.namespace}/${route.name}`;
}

function certificatesOf(config: Config, assets: Assets, bound: BoundListener): CertificateSpec[] {
  const { gateway } = bound;
  const certificates: CertificateSpec[] = [];
  for (const [i, reference] of (bound.config.tls?.certificateRefs ?? []).entries()) {
    const path = ['spec', 'listeners', bound.index, 'tls', 'certificateRefs', i];
    const kind =
      reference.group === '' && reference.kind === 'Secret'
        ? 'Secret'
        : reference.group === POLICY_GROUP && reference.kind === 'Certificate'
          ? 'Certificate'
          : null;
    if (kind === null) {
      config.report(
        gateway,
        'WEIR2110',
        [...path, 'kind'],
        `certificateRef must name a Secret (group "") or a Certificate (group "${POLICY_GROUP}"), got ${reference.kind} in group "${reference.group}"`,
      );
      continue;
    }
    const namespace = reference.namespace ?? gateway.namespace;
    const from = {
      group: groupOf(gateway),
      kind: 'Gateway',
      namespace: gateway.namespace,
      name: gateway.name,
    };
    const to = { group: reference.group, kind, namespace, name: reference.name };
    if (!isGranted(config, from, to)) {
      config.report(
        gateway,
        'WEIR2104',
        [...path, 'namespace'],
        `certificateRef ${kind} ${namespace}/${reference.name} is in another namespace and no ReferenceGrant there allows it`,
      );
      continue;
    }
    if (config.find(kind, namespace, reference.name) === undefined) {
      config.reportMissing(gateway, 'WEIR2108', [...path, 'name'], 'certificateRef', {
        kind,
        namespace,
        name: reference.name,
      });
      continue;
    }
    const certificate = assets.certificates.get(`${kind}/${namespace}/${reference.name}`);
    if (certificate !== undefined) certificates.push(certificate);
  }
  return certificates;
}

function listenerSettings(
  config: Config,
  policies: Attachments<'ListenerPolicy'>,
  bound: BoundListener,
): Map<string, Setting> {
  const scopes = listenerScopes(bound).map((what) => ({
    what,
    layers: policies.at(what).map(({ policy }) => {
      const { targetRefs, ...fields } = policy.value.spec;
      void targetRefs;
      return { settings: flatten(policy, ['spec'], fields), enforced: [] };
    }),
  }));
  return mergeScopes(config, scopes);
}

/** Where each limit of the runtime is written in a ListenerPolicy. */
const LIMIT_FIELDS = {
  headBytes: 'limits.head',
  targetBytes: 'limits.target',
  fieldBytes: 'limits.field',
  fields: 'limits.fields',
  requestsPerConnection: 'limits.requestsPerConnection',
  connections: 'limits.connections',
  connectionsPerAddress: 'limits.connectionsPerAddress',
  headTimeoutMs: 'timeouts.head',
  tlsHandshakeTimeoutMs: 'timeouts.tlsHandshake',
  idleTimeoutMs: 'timeouts.idle',
  bodyTimeoutMs: 'timeouts.body',
  bodyMinBytesPerSecond: 'limits.bodyRate',
  writeTimeoutMs: 'timeouts.write',
  trustedHops: 'trustedHops',
  forwardedClientCert: 'forwardedClientCert.mode',
  forwardedClientCertDetails: 'forwardedClientCert.details',
  underscores: 'headers.underscores',
  escapedSlashes: 'path.escapedSlashes',
  backslash: 'path.backslash',
  mergeSlashes: 'path.mergeSlashes',
  pathParameters: 'path.parameters',
  serverName: 'headers.server',
} as const satisfies Record<keyof ListenerLimits, string>;

function limitsOf(settings: ReadonlyMap<string, Setting>): ListenerLimits {
  const limits: Record<string, unknown> = { ...DEFAULT_LISTENER_LIMITS };
  for (const [name, field] of Object.entries(LIMIT_FIELDS)) {
    const written = settings.get(field)?.value;
    if (written === undefined) continue;
    const value = Array.isArray(written) ? [...written].sort().join() : written;
    // Words are capitals in configurations, as the Gateway API has them, and lower-case in the runtime.
    limits[name] = typeof value === 'string' && name !== 'serverName' ? value.toLowerCase() : value;
  }
  return limits as unknown as ListenerLimits;
}
