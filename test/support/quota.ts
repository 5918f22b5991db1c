import { policies } from './scenario.ts';

/** A policy whose one filter is `quota`, for the header `x-user`; with a Store where it is given. */
export function quotaPolicies(
  port: number,
  upstreamPort: number,
  config: object,
  store: {
    /** Of the server; else `sentinel`. */
    readonly address?: string;
    readonly sentinel?: object;
    readonly replicas?: number;
    readonly deadlineMs: number;
    readonly silenceMs?: number;
  } | null = null,
): string {
  const whole = { key: ['request.headers.x-user'], ...(store && { scope: 'cluster' }), ...config };
  const kept = `
apiVersion: policy.weir/v1alpha1
kind: Store
metadata: {name: books, namespace: shop}
spec: {redis: ${JSON.stringify({ address: store?.address, sentinel: store?.sentinel, replicas: store?.replicas })}, deadline: ${store?.deadlineMs}ms, silence: ${store?.silenceMs ?? 5000}ms}
---`;
  return `${policies({ port, upstreamPort, module: null })}---${store === null ? '' : kept}
apiVersion: policy.weir/v1alpha1
kind: FilterChain
metadata: {name: chain, namespace: shop}
spec:
  targetRefs: [{kind: Gateway, name: edge}]
  filters:
  - name: month
    use: quota
    ${store === null ? '' : 'store: books'}
    config: ${JSON.stringify(whole)}
`;
}
