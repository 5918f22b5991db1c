// A request that filters send elsewhere is decided on once more: on what goes to the upstream, not on what came.
import { expect, test } from 'vitest';
import { FakeUpstream } from '../support/fake-upstream.ts';
import { freePort } from '../support/ports.ts';
import { Weir } from '../support/process.ts';
import { exchange, getRequest } from '../support/raw-client.ts';
import { guest } from '../support/wasm-guest.ts';

const REQUEST_HEADERS = 0;

/** Sends each request to a path that is another one once it is normalised. */
const early = guest({
  proxy_on_context_create: () => undefined,
  proxy_on_vm_start: (script) => script.return(1),
  proxy_on_configure: (script) => script.return(1),
  proxy_on_request_headers: (script) => {
    const [name, value] = [script.text(':path'), script.text('/open/../admin')];
    script.call('proxy_replace_header_map_value', REQUEST_HEADERS, name, value).return(0);
  },
});

const edge = (port: number, upstream: number): string => `
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: edge}
spec:
  addresses: [{type: IPAddress, value: 127.0.0.1}]
  listeners: [{name: http, port: ${port}, protocol: HTTP}]
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: shop}
spec:
  parentRefs: [{name: edge}]
  rules:
  - {name: private, matches: [{path: {value: /private}}], backendRefs: [{group: policy.weir, kind: Upstream, name: shop}]}
  - {name: billing, matches: [{path: {value: /billing}}], backendRefs: [{group: policy.weir, kind: Upstream, name: shop}]}
  - {name: early, matches: [{path: {value: /early}}], backendRefs: [{group: policy.weir, kind: Upstream, name: shop}]}
  - {name: all, backendRefs: [{group: policy.weir, kind: Upstream, name: shop}]}
---
apiVersion: policy.weir/v1alpha1
kind: Upstream
metadata: {name: shop}
spec: {endpoints: {static: [{address: 127.0.0.1, port: ${upstream}}]}}
---
apiVersion: policy.weir/v1alpha1
kind: AccessPolicy
metadata: {name: denied}
spec:
  targetRefs: [{kind: Gateway, name: edge}]
  action: DENY
  rules:
  - {name: admin, to: [{paths: [{type: PathPrefix, value: /admin}]}]}
  - {name: private, from: [{notConsumers: [ops]}], to: [{paths: [{type: PathPrefix, value: /private}]}]}
---
apiVersion: policy.weir/v1alpha1
kind: AccessPolicy
metadata: {name: billing}
spec:
  targetRefs: [{kind: HTTPRoute, name: shop, sectionName: billing}]
  rules: [{name: own, from: [{consumers: [billing]}]}]
---
apiVersion: policy.weir/v1alpha1
kind: FilterChain
metadata: {name: late}
spec:
  targetRefs: [{kind: Gateway, name: edge}]
  filters:
  - name: late
    use: transform
    config:
      request: [{path: {pattern: '/go/{rest...}', to: '/{rest}'}}]
---
apiVersion: policy.weir/v1alpha1
kind: Module
metadata: {name: early}
spec: {source: {file: early.wasm}}
---
apiVersion: policy.weir/v1alpha1
kind: FilterChain
metadata: {name: early}
spec:
  targetRefs: [{kind: HTTPRoute, name: shop, sectionName: early}]
  placement: {before: late}
  filters: [{name: early, use: module/early}]
---
apiVersion: policy.weir/v1alpha1
kind: FilterChain
metadata: {name: keys}
spec:
  targetRefs: [{kind: HTTPRoute, name: shop, sectionName: private}]
  filters:
  - name: key
    use: api-key
    config: {from: [{header: x-key}], keys: [{name: ops, key: key-of-ops}, {name: eve, key: key-of-eve}]}
`;

const asOps = 'X-Key: key-of-ops';
const asEve = 'X-Key: key-of-eve';

test('a request that filters send elsewhere meets the policies of where it goes', async () => {
  const upstream = await FakeUpstream.start();
  const port = await freePort();
  await Weir.start({ files: { 'edge.yaml': edge(port, upstream.port), 'early.wasm': early } });
  const send = async (path: string, ...fields: string[]): Promise<string> => {
    const before = upstream.requests.length;
    const { status } = await exchange({ port }, getRequest(path, 'a.test', 'Connection: close', ...fields));
    const seen = upstream.requests.slice(before).map(({ target }) => target);
    return [status, ...seen].join(' ');
  };
  const outcomes = {
    'sent on': await send('/go/open'),
    'to what is denied, on the same route': await send('/go/admin/users'),
    'spelled so that the path is denied once it is decoded': await send('/go/%61dmin'),
    'by a filter in front, so that the path is denied once it is normalised': await send('/early'),
    'to a route that allows others': await send('/go/billing'),
    'to a route with keys, without one': await send('/go/private/a'),
    'to a route with keys, with one that is denied': await send('/go/private/a', asEve),
    'to a route with keys, with one that is not': await send('/go/private/a', asOps),
  };
  expect(outcomes).toEqual({
    'sent on': '200 /open',
    'to what is denied, on the same route': '403',
    'spelled so that the path is denied once it is decoded': '403',
    'by a filter in front, so that the path is denied once it is normalised': '403',
    'to a route that allows others': '403',
    'to a route with keys, without one': '401',
    'to a route with keys, with one that is denied': '403',
    'to a route with keys, with one that is not': '200 /private/a',
  });
}, 60_000);
