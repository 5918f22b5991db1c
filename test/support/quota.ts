import { policies } from './scenario.ts';

/** A policy whose one filter is `quota`, for the header `x-user`. */
export function quotaPolicies(port: number, upstreamPort: number, config: object): string {
  const whole = { key: ['request.headers.x-user'], ...config };
  return `${policies({ port, upstreamPort, module: null })}---
apiVersion: policy.weir/v1alpha1
kind: FilterChain
metadata: {name: chain, namespace: shop}
spec:
  targetRefs: [{kind: Gateway, name: edge}]
  filters:
  - name: month
    use: quota
    config: ${JSON.stringify(whole)}
`;
}
