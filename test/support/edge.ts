export interface EdgeOptions {
  /** Of the Gateway `edge`. */
  readonly port: number;
  readonly upstreamPort: number;
  /** Name of the HTTPRoute, whose one rule `all` takes every request. Default: all. */
  readonly route?: string;
  /** Default: up. */
  readonly upstream?: string;
  readonly namespace?: string;
  /** Of the route, as YAML. */
  readonly annotations?: string;
}

/** A configuration in which every request of a port goes to one upstream. */
export function edge({
  port,
  upstreamPort,
  route = 'all',
  upstream = 'up',
  namespace = 'default',
  annotations = '{}',
}: EdgeOptions): string {
  return `apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: edge, namespace: ${namespace}}
spec: {gatewayClassName: weir, listeners: [{name: http, port: ${port}, protocol: HTTP}]}
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: ${route}, namespace: ${namespace}, annotations: ${annotations}}
spec:
  parentRefs: [{name: edge}]
  rules: [{name: all, backendRefs: [{group: policy.weir, kind: Upstream, name: ${upstream}}]}]
---
apiVersion: policy.weir/v1alpha1
kind: Upstream
metadata: {name: ${upstream}, namespace: ${namespace}}
spec: {endpoints: {static: [{address: 127.0.0.1, port: ${upstreamPort}}]}}
`;
}

/** A Gateway and its chain, whose `filters:` follow. */
export const CHAIN = `apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: edge}
spec: {listeners: [{name: http, port: 8080, protocol: HTTP}]}
---
apiVersion: policy.weir/v1alpha1
kind: FilterChain
metadata: {name: chain}
spec:
  targetRefs: [{kind: Gateway, name: edge}]
`;
