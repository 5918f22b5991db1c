import type * as z from 'zod';
import { accessPolicy } from './access-policy.ts';
import { consumer } from './consumer.ts';
import { configMap, endpointSlice, namespace, secret, service } from './core.ts';
import { filterChain } from './filter-chain.ts';
import { gateway, gatewayClass, referenceGrant } from './gateway.ts';
import { httpRoute } from './http-route.ts';
import { plan } from './plan.ts';
import { listenerPolicy, telemetry, trafficPolicy } from './policy.ts';
import { policyTest } from './policy-test.ts';
import { rateLimitService } from './rate-limit-service.ts';
import { store } from './store.ts';
import { tcpRoute } from './tcp-route.ts';
import { tlsRoute } from './tls-route.ts';
import { trustedKey } from './trusted-key.ts';
import { certificate, upstream, wasmModule } from './upstream.ts';

/** Every kind that weir reads, by its name. Names are unique over all groups. */
export const KINDS = {
  Gateway: gateway,
  GatewayClass: gatewayClass,
  HTTPRoute: httpRoute,
  TCPRoute: tcpRoute,
  TLSRoute: tlsRoute,
  ReferenceGrant: referenceGrant,
  Service: service,
  EndpointSlice: endpointSlice,
  Secret: secret,
  ConfigMap: configMap,
  Namespace: namespace,
  Upstream: upstream,
  Module: wasmModule,
  TrustedKey: trustedKey,
  Certificate: certificate,
  FilterChain: filterChain,
  Consumer: consumer,
  Plan: plan,
  AccessPolicy: accessPolicy,
  Store: store,
  RateLimitService: rateLimitService,
  TrafficPolicy: trafficPolicy,
  ListenerPolicy: listenerPolicy,
  Telemetry: telemetry,
  PolicyTest: policyTest,
} as const;

export type KindName = keyof typeof KINDS;
export type ValueOf<K extends KindName> = z.output<(typeof KINDS)[K]>;

/** apiVersions of each kind, the preferred one first. */
export function versionsOf(kind: KindName): readonly string[] {
  const schema = KINDS[kind].shape.apiVersion;
  return [
    ...(schema.def.type === 'enum' ? Object.values(schema.def.entries) : schema.def.values),
  ] as string[];
}

/** Kinds of the standard and of the model that this version does not act on. */
export const PLANNED_KINDS: Readonly<Record<string, string>> = {
  ListenerSet: 'gateway.networking.k8s.io',
  GRPCRoute: 'gateway.networking.k8s.io',
  UDPRoute: 'gateway.networking.k8s.io',
  BackendTLSPolicy: 'gateway.networking.k8s.io',
  Rollout: 'policy.weir',
};
