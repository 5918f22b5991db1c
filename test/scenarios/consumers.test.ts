import { createHmac } from 'node:crypto';
import { expect, test } from 'vitest';
import { FakeUpstream } from '../support/fake-upstream.ts';
import { freePort } from '../support/ports.ts';
import { Weir } from '../support/process.ts';
import { exchange, getRequest } from '../support/raw-client.ts';
import { policies } from '../support/scenario.ts';

const SHARED = 'what-acme-and-weir-know-and-nobody-else';

/** A request that is signed by hand, as RFC 9421 has it. */
function signedRequest(keyId: string, nonce: string, secret = SHARED): string {
  const params = `("@method" "@authority" "@path" "@query");created=${Math.floor(Date.now() / 1000)};keyid="${keyId}";nonce="${nonce}"`;
  const base = `"@method": GET\n"@authority": signed.test\n"@path": /a\n"@query": ?b\n"@signature-params": ${params}`;
  const mac = createHmac('sha256', secret).update(base).digest('base64');
  return getRequest(
    '/a?b',
    'signed.test',
    `Signature-Input: s=${params}`,
    `Signature: s=:${mac}:`,
    'X-Who: eve',
  );
}

const consumers = (key: string) => `
---
apiVersion: v1
kind: Secret
metadata: {name: keys, namespace: shop}
stringData: {acme: ${key}, shared: ${SHARED}}
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
  - hmac: {keyId: acme-1, secretRef: {name: keys, key: shared}}
  - hmac: {keyId: acme-0, secretRef: {name: keys, key: shared}}
    notAfter: 2020-01-01T00:00:00Z
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: signed, namespace: shop}
spec:
  parentRefs: [{name: edge}]
  hostnames: [signed.test]
  rules: [{backendRefs: [{group: policy.weir, kind: Upstream, name: origin}]}]
---
apiVersion: policy.weir/v1alpha1
kind: FilterChain
metadata: {name: signed, namespace: shop}
spec:
  targetRefs: [{kind: HTTPRoute, name: signed}]
  inherit: false
  filters:
  - name: signed
    use: hmac
    config: {consumerLabel: {app: checkout}, consumerHeader: x-who}
  - name: tell
    use: headers
    config: {request: {set: {x-plan: '\${consumer.plan}'}}}
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

test('a Consumer is known by its keys and its signatures, and filters, metrics and the access log by its name, until the key changes', async () => {
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
  expect(dump.body.toString()).toContain('"consumerHeader": "x-who"');
  for (const secret of ['first-key', 'second-key', SHARED, Buffer.from(SHARED).toString('base64')])
    expect(dump.body.toString()).not.toContain(secret);

  const sign = async (...given: Parameters<typeof signedRequest>): Promise<number> =>
    (await exchange({ port }, signedRequest(...given))).status;
  expect(await sign('acme-1', 'one')).toBe(200);
  const seen = upstream.requests.at(-1)!;
  expect([seen.header('x-who'), seen.header('x-plan')]).toEqual(['acme', 'gold']);
  expect(await sign('acme-1', 'one')).toBe(401);
  expect(await sign('acme-1', 'two', `${SHARED}.`)).toBe(401);
  expect(await sign('acme-2', 'three')).toBe(401);
  // The key has ended.
  expect(await sign('acme-0', 'four')).toBe(401);
  await weir.stop();
}, 60_000);
