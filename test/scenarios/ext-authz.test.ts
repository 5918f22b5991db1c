import { expect, test } from 'vitest';
import { AuthorizationServer, option } from '../support/authorization-server.ts';
import { FakeUpstream, reply } from '../support/fake-upstream.ts';
import { freePort } from '../support/ports.ts';
import { Weir } from '../support/process.ts';
import { exchange, getRequest, postRequest } from '../support/raw-client.ts';

test('a service that is asked over gRPC lets pass, names the consumer and refuses; bodies go along only where that is asked for', async () => {
  const upstream = await FakeUpstream.start({ behaviour: reply(200, [], 'through') });
  const service = await AuthorizationServer.start();
  service.decide = ({ attributes }) =>
    attributes.request.http.headers['authorization'] === 'let me in'
      ? { ok_response: { headers: [option('x-user', 'mira')] } }
      : { status: { code: 16 }, denied_response: { status: { code: 401 }, body: 'who?' } };
  const [open, whole] = [await freePort(), await freePort()];
  const chain = (name: string, config: string): string => `
apiVersion: policy.weir/v1alpha1
kind: FilterChain
metadata: {name: ${name}}
spec:
  targetRefs: [{kind: Gateway, name: edge, sectionName: ${name}}]
  filters:
  - name: ask
    use: ext-authz
    callouts: [{name: auth}]
    config: {grpc: {upstream: auth, timeout: 5s}, consumer: {header: x-user}${config}}
  - {name: tell, use: headers, config: {request: {set: {x-consumer: '\${consumer.name}'}}}}
---`;
  await Weir.start({
    files: {
      'all.yaml': `
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: edge}
spec: {listeners: [{name: open, port: ${open}, protocol: HTTP}, {name: whole, port: ${whole}, protocol: HTTP}]}
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: all}
spec:
  parentRefs: [{name: edge}]
  rules: [{backendRefs: [{group: policy.weir, kind: Upstream, name: app}]}]
---
apiVersion: policy.weir/v1alpha1
kind: Upstream
metadata: {name: app}
spec: {endpoints: {static: [{address: 127.0.0.1, port: ${upstream.port}}]}}
---
apiVersion: policy.weir/v1alpha1
kind: Upstream
metadata: {name: auth}
spec: {endpoints: {static: [{address: 127.0.0.1, port: ${service.port}}]}}
---${chain('open', '')}${chain('whole', ', body: {maxBytes: 100}')}`,
    },
  });
  const post = (port: number) =>
    exchange({ port }, postRequest('/a', 'hello', 'app.test', 'Authorization: let me in', 'X-User: root'));

  expect((await post(open)).text).toBe('through');
  expect((await post(whole)).text).toBe('through');
  expect(service.checks.map(({ attributes }) => attributes.request.http.body)).toEqual(['', 'hello']);
  for (const { fields, text } of upstream.requests) {
    expect(fields).toContainEqual(['x-consumer', 'mira']);
    expect(fields.map(([name]) => name.toLowerCase())).toContain('content-length');
    expect(text).toBe('hello');
  }
  const refused = await exchange({ port: open }, getRequest('/a', 'app.test'));
  expect([refused.status, refused.text]).toEqual([401, 'who?']);
  service.stop();
  expect((await post(open)).status).toBe(403);
  expect(upstream.requests).toHaveLength(2);
});
