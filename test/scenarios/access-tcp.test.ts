// AccessPolicies on connections: over plain TCP and over TLS, by address and by the name that the client asks for.
import { expect, test } from 'vitest';
import { makeCertificate } from '../support/certificate.ts';
import { freePort } from '../support/ports.ts';
import { Weir } from '../support/process.ts';
import { dial, TcpServer } from '../support/tcp.ts';

const certificate = makeCertificate({ names: ['*.db.example'] });

const policies = (tcp: number, tls: number, upstream: number, rules: string): string => `
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: edge}
spec:
  addresses: [{value: 127.0.0.1}]
  listeners:
  - {name: db, port: ${tcp}, protocol: TCP}
  - {name: db-tls, port: ${tls}, protocol: TLS, hostname: '*.db.example', tls: {certificateRefs: [{name: db}]}}
---
apiVersion: gateway.networking.k8s.io/v1alpha2
kind: TCPRoute
metadata: {name: db}
spec:
  parentRefs: [{name: edge}]
  rules: [{name: all, backendRefs: [{group: policy.weir, kind: Upstream, name: db}]}]
---
apiVersion: policy.weir/v1alpha1
kind: Upstream
metadata: {name: db}
spec: {endpoints: {static: [{address: 127.0.0.1, port: ${upstream}}]}}
---
apiVersion: v1
kind: Secret
metadata: {name: db}
type: kubernetes.io/tls
stringData: ${JSON.stringify({ 'tls.crt': certificate.certificatePem, 'tls.key': certificate.keyPem })}
---
apiVersion: policy.weir/v1alpha1
kind: AccessPolicy
metadata: {name: db}
spec:
  targetRefs: [{kind: TCPRoute, name: db}]
  ${rules}
`;

async function open(rules: string) {
  const upstream = await TcpServer.echo();
  const [tcp, tls] = [await freePort(), await freePort()];
  const weir = await Weir.start({ files: { 'db.yaml': policies(tcp, tls, upstream.port, rules) } });
  /** What comes back of a line; empty: the connection was closed. */
  const said = async (servername?: string): Promise<string> => {
    const client =
      servername === undefined
        ? await dial(tcp)
        : await dial(tls, { servername, ca: certificate.certificatePem });
    client.end('hello');
    await client.over();
    return client.text;
  };
  return { said, upstream, weir };
}

test('an address that is denied reaches no upstream, over TLS neither', async () => {
  const { said, upstream, weir } = await open(
    'action: DENY\n  rules: [{name: here, from: [{ipBlocks: [127.0.0.0/8]}]}]',
  );
  expect(await said()).toBe('');
  expect(await said('a.db.example')).toBe('');
  expect(upstream.ends).toEqual([]);
  await weir.stop();
});

test('of the names that clients ask for, the one that is allowed is served', async () => {
  const { said, weir } = await open(
    'action: ALLOW\n  rules: [{name: a, to: [{serverNames: [a.db.example]}]}, {name: far, from: [{ipBlocks: [192.0.2.0/24]}]}]',
  );
  expect(await said('a.db.example')).toBe('hello');
  expect(await said('b.db.example')).toBe('');
  expect(await said()).toBe('');
  await weir.stop();
});
