import { expect, test } from 'vitest';
import { edge } from '../support/edge.ts';
import { FakeUpstream } from '../support/fake-upstream.ts';
import { Weir } from '../support/process.ts';
import { exchange } from '../support/raw-client.ts';
import { freePort } from '../support/ports.ts';

test('the access log has the fields that are configured, of what filters and streams know', async () => {
  const upstream = await FakeUpstream.start();
  const port = await freePort();
  const weir = await Weir.start({
    files: {
      'weir.yaml': `
${edge({ port, upstreamPort: upstream.port, route: 'shop', upstream: 'shop', annotations: '{team: cart}' })}---
apiVersion: policy.weir/v1alpha1
kind: FilterChain
metadata: {name: keys}
spec:
  targetRefs: [{kind: HTTPRoute, name: shop}]
  filters:
  - name: key
    use: api-key
    config: {from: [{header: x-api-key}], keys: [{name: acme, key: only-for-tests}]}
---
apiVersion: policy.weir/v1alpha1
kind: Telemetry
metadata: {name: log}
spec:
  accessLog:
    fields:
      consumer: filter_state["wasm.consumer.name"]
      team: route_metadata.filter_metadata.weir.team
      fast: response.backend_latency < duration("1h")
      missing: request.headers["x-nothing"]
`,
    },
  });
  const answer = await exchange(
    { port },
    'GET /cart HTTP/1.1\r\nHost: a\r\nX-Api-Key: only-for-tests\r\n\r\n',
  );
  expect(answer.status).toBe(200);
  await expect.poll(() => weir.accessLog.length).toBe(1);
  expect(weir.accessLog[0]).toMatchObject({
    path: '/cart',
    fields: { consumer: 'acme', team: 'cart', fast: true, missing: null },
  });
});
