import { expect, test } from 'vitest';
import { makeCertificate } from '../support/certificate.ts';
import { freePort } from '../support/ports.ts';
import { Weir } from '../support/process.ts';
import { metricOf } from '../support/scenario.ts';
import { scriptedTcpGuest } from '../support/scripted-tcp-guest.ts';
import { dial, TcpServer } from '../support/tcp.ts';

interface Ports {
  readonly tcp: number;
  readonly tls: number;
  readonly upstream: number;
}

const certificate = makeCertificate({ names: ['db.example'] });

const policies = ({ tcp, tls, upstream }: Ports, mark: string): string => `
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: edge, namespace: shop}
spec:
  addresses: [{value: 127.0.0.1}]
  listeners:
  - {name: db, port: ${tcp}, protocol: TCP}
  - name: db-tls
    port: ${tls}
    protocol: TLS
    hostname: db.example
    tls: {certificateRefs: [{name: db}]}
---
apiVersion: gateway.networking.k8s.io/v1alpha2
kind: TCPRoute
metadata: {name: db, namespace: shop}
spec:
  parentRefs: [{name: edge}]
  rules: [{name: all, backendRefs: [{group: policy.weir, kind: Upstream, name: db}]}]
---
apiVersion: policy.weir/v1alpha1
kind: Upstream
metadata: {name: db, namespace: shop}
spec: {endpoints: {static: [{address: 127.0.0.1, port: ${upstream}}]}}
---
apiVersion: v1
kind: Secret
metadata: {name: db, namespace: shop}
type: kubernetes.io/tls
stringData: ${JSON.stringify({ 'tls.crt': certificate.certificatePem, 'tls.key': certificate.keyPem })}
---
apiVersion: policy.weir/v1alpha1
kind: Module
metadata: {name: scripted, namespace: shop}
spec: {source: {file: scripted.wasm}}
---
apiVersion: policy.weir/v1alpha1
kind: FilterChain
metadata: {name: watch, namespace: shop}
spec:
  targetRefs: [{kind: TCPRoute, name: db}]
  filters: [{name: watch, use: module/scripted, config: "down wrap ${mark}"}]
`;

test('a TCPRoute is served by real processes: plain and TLS, filtered, logged, counted, changed while it runs', async () => {
  const upstream = await TcpServer.echo();
  const ports = { tcp: await freePort(), tls: await freePort(), upstream: upstream.port };
  const weir = await Weir.start({
    workers: 2,
    files: {
      'db.yaml': policies(ports, 'a'),
      'scripted.wasm': await scriptedTcpGuest(),
    },
  });
  const long = await dial(ports.tcp);
  const { localPort } = long.socket;
  long.write('1');
  expect(await long.gets('a(1)')).toBe('a(1)');
  const secure = await dial(ports.tls, { servername: 'db.example', ca: certificate.certificatePem });
  secure.write('2');
  expect(await secure.gets('a(2)')).toBe('a(2)');
  secure.end();
  expect(await secure.over()).toBe('end');

  await weir.write('db.yaml', policies(ports, 'b'));
  const served = async (): Promise<string> => {
    const next = await dial(ports.tcp);
    next.end('3');
    await next.over();
    return next.text;
  };
  await expect.poll(served, { interval: 50, timeout: 10_000 }).toContain('b(3)');
  long.write('4');
  expect(await long.gets('a(1)a(4)')).toBe('a(1)a(4)');
  expect(await metricOf(weir, 'istio_tcp_connections_opened_total')).toBeGreaterThanOrEqual(3);
  expect(await metricOf(weir, 'weir_snapshots')).toBeGreaterThan(1);

  const stopped = weir.stop();
  long.end();
  await long.over();
  expect((await stopped).code).toBe(0);
  const line = weir.accessLog.find((record) => record['bytes_received'] === 2);
  expect(line).toMatchObject({
    method: null,
    path: null,
    protocol: null,
    response_code: 0,
    response_flags: '-',
    response_code_details: 'via_upstream',
    // `a(1)a(4)a()`: the end of the client passed the filter as well.
    bytes_sent: 11,
    upstream_host: `127.0.0.1:${upstream.port}`,
    upstream_cluster: 'shop/db',
    upstream_request_attempt_count: 1,
    route_name: 'shop/db#all',
    downstream_remote_address: `127.0.0.1:${localPort}`,
  });
}, 40_000);
