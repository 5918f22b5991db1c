import { expect, test } from 'vitest';
import { FakeUpstream } from '../support/fake-upstream.ts';
import { freePort } from '../support/ports.ts';
import { Weir } from '../support/process.ts';
import { exchange, getRequest } from '../support/raw-client.ts';
import { policies } from '../support/scenario.ts';

const consumers = (key: string) => `
---
apiVersion: v1
kind: Secret
metadata: {name: keys, namespace: shop}
stringData: {acme: ${key}}
---
apiVersion: policy.weir/v1alpha1
kind: Consumer
metadata: {name: acme, namespace: shop, labels: {app: checkout}}
spec:
  plan: gold
  credentials:
  - apiKey: {secretRef: {name: keys, key: acme}}
  - apiKey: {sha256: 762c08fc17a1cc5f00d248f8b50f2f2f4d17ff2934ac31e64deacb3f5bb3f2ec}
    notAfter: 2020-01-01T00:00:00Z
---
apiVersion: policy.weir/v1alpha1
kind: FilterChain
metadata: {name: doors, namespace: shop}
spec:
  targetRefs: [{kind: Gateway, name: edge}]
  filters:
  - name: key
    use: api-key
    config: {from: [{header: x-api-key}], consumerLabel: {app: checkout}}
  - name: tell
    use: headers
    config: {request: {set: {x-plan: '\${consumer.plan}'}}}
---
apiVersion: policy.weir/v1alpha1
kind: Telemetry
metadata: {name: log, namespace: shop}
spec:
  accessLog: {fields: {app: consumer.labels.app, gold: consumer.plan == "gold"}}
  metrics: {consumers: 100}
`;

test('a Consumer is known by its keys, and filters, metrics and the access log by its name, until the key changes', async () => {
  const upstream = await FakeUpstream.start();
  const port = await freePort();
  const edge = policies({ port, upstreamPort: upstream.port, module: null });
  const weir = await Weir.start({ files: { 'edge.yaml': edge, 'consumers.yaml': consumers('first-key') } });
  const send = (key: string) => exchange({ port }, getRequest('/', 'localhost', `X-Api-Key: ${key}`));

  expect((await send('first-key')).status).toBe(200);
  expect(upstream.requests.at(-1)!.header('x-plan')).toBe('gold');
  expect((await send('second-key')).status).toBe(401);
  expect((await send('old-key')).status).toBe(401);
  await expect.poll(() => weir.accessLog.length).toBe(3);
  const metrics = await (await fetch(`http://127.0.0.1:${weir.adminPort}/metrics`)).text();
  expect(metrics).toContain('weir_consumer_requests_total{consumer="acme",response_code_class="2xx"} 1\n');
  expect(metrics).toContain('weir_consumer_requests_total{consumer="unknown",response_code_class="4xx"} 2\n');
  expect(weir.accessLog[0]).toMatchObject({ consumer: 'acme', fields: { app: 'checkout', gold: true } });
  expect(weir.accessLog[1]).toMatchObject({
    consumer: null,
    response_code_details: 'api_key_invalid',
    fields: { app: null, gold: null },
  });
  expect(weir.accessLog[2]).toMatchObject({ consumer: null, response_code_details: 'api_key_expired' });

  await weir.write('consumers.yaml', consumers('second-key'));
  await expect.poll(async () => (await send('second-key')).status, { timeout: 20_000 }).toBe(200);
  expect((await send('first-key')).status).toBe(401);
  const dump = await weir.admin('/config_dump');
  expect(dump.body.toString()).not.toMatch(/first-key|second-key/);
  await weir.stop();
}, 60_000);
