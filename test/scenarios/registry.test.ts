import { generateKeyPairSync } from 'node:crypto';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { beforeAll, expect, test } from 'vitest';
import { NO_CREDENTIALS } from '../../src/control/oci/credentials.ts';
import { parseReference, type Reference } from '../../src/control/oci/reference.ts';
import { Registry } from '../../src/control/oci/registry.ts';
import { pushWasm } from '../../src/control/oci/wasm-artifact.ts';
import { signDigest } from '../../src/control/signing.ts';
import { atEnd } from '../support/cleanup.ts';
import { FakeUpstream } from '../support/fake-upstream.ts';
import { freePort } from '../support/ports.ts';
import { temporaryFolder, Weir } from '../support/process.ts';
import { exchange, getRequest } from '../support/raw-client.ts';
import { startRegistry } from '../support/registry.ts';
import { labelFilter, policies, sha256Of, until } from '../support/scenario.ts';

const team = generateKeyPairSync('ed25519');
const stranger = generateKeyPairSync('ed25519');
const TRUSTED = `apiVersion: policy.weir/v1alpha1
kind: TrustedKey
metadata: {name: team, namespace: shop}
spec: {publicKey: ${JSON.stringify(team.publicKey.export({ type: 'spki', format: 'pem' }))}}
`;

let upstream: FakeUpstream;
beforeAll(async () => {
  upstream = await FakeUpstream.start({ discard: true });
  // Installs it where it is missing.
  await (await startRegistry()).stop();
}, 180_000);

async function push(host: string, bytes: Uint8Array, key = team.privateKey, signed = bytes): Promise<void> {
  const reference = parseReference(`${host}/filters/label:live`) as Reference;
  const registry = new Registry(reference, { credentials: NO_CREDENTIALS });
  const signatures = [signDigest(key, sha256Of(signed))];
  await pushWasm(registry, 'live', {
    bytes,
    title: 'label.wasm',
    signatures,
    schema: null,
    annotations: {},
    created: 0,
  });
  await registry.close();
}

const edge = (port: number, ref: string, policy = 'p0') =>
  policies({ port, upstreamPort: upstream.port, policy }).replace(
    'source: {file: filter.wasm}',
    `source: {oci: {ref: "${ref}", pullPolicy: Always}}\n  signedBy: [team]`,
  );

test('a tag that moves is followed, a module of a stranger or with a flipped bit is not, and no registry is no harm', async () => {
  const registry = await startRegistry();
  const ref = `${registry.host}/filters/label:live`;
  await push(registry.host, labelFilter('m1'));
  const port = await freePort();
  const dataDir = await temporaryFolder();
  const files = { 'edge.yaml': edge(port, ref), 'weir.yaml': TRUSTED };
  const start = (args: readonly string[] = []) =>
    Weir.start({ files, args: ['--data-dir', dataDir, ...args] });
  let weir = await start();
  const served = async () => (await exchange({ port }, getRequest('/'))).header('x-module');
  expect(await served()).toBe('m1');

  await push(registry.host, labelFilter('m2'));
  weir.child.kill('SIGHUP');
  await expect.poll(served, { interval: 20, timeout: 15_000 }).toBe('m2');

  const refusedWith = async (
    bytes: Uint8Array,
    ...signed: [typeof team.privateKey, Uint8Array?]
  ): Promise<string> => {
    await push(registry.host, bytes, ...signed);
    weir.child.kill('SIGHUP');
    const digest = sha256Of(bytes);
    const { configuration } = await until(
      weir,
      'refuses',
      (detail) => detail.configuration.refused?.text.includes(digest) === true,
    );
    expect(configuration.refused!.diagnostics.map(({ code }) => code)).toEqual(['WEIR1209']);
    expect(await served()).toBe('m2');
    return configuration.refused!.text;
  };
  const m3 = labelFilter('m3');
  expect(await refusedWith(m3, stranger.privateKey)).toContain('the key team over sha256');
  const flipped = Uint8Array.from(m3);
  flipped[flipped.length - 2]! ^= 1;
  expect(await refusedWith(flipped, team.privateKey, m3)).toContain('edge.yaml:');

  // The registry is gone: what was right last is used, not what was refused.
  await weir.stop();
  await registry.stop();
  weir = await start();
  expect(await served()).toBe('m2');
  expect(weir.stderr).toContain('WEIR3020');
  await weir.write('edge.yaml', edge(port, ref, 'p1'));
  await expect
    .poll(async () => (await exchange({ port }, getRequest('/'))).header('x-policy'), {
      interval: 20,
      timeout: 15_000,
    })
    .toBe('p1');

  // Another module of a registry that is not there: told with its place, and nothing changes.
  await weir.write('edge.yaml', edge(port, ref.replace('label', 'other'), 'p2'));
  const { configuration } = await until(weir, 'refuses', (detail) => detail.configuration.refused !== null);
  expect(configuration.refused!.diagnostics).toMatchObject([{ code: 'WEIR1220', line: 30 }]);
  expect(await served()).toBe('m2');
  await weir.stop();
});

test('with --resume weir starts from disk where a module can neither be pulled nor was', async () => {
  const registry = await startRegistry();
  await push(registry.host, labelFilter('m1'));
  const port = await freePort();
  const dataDir = await temporaryFolder();
  const ref = `${registry.host}/filters/label:live`;
  const run = (name: string, wait = true) =>
    Weir.start({
      files: { 'edge.yaml': edge(port, ref.replace('label', name)), 'weir.yaml': TRUSTED },
      args: ['--data-dir', dataDir, '--resume'],
      wait,
    });
  await (await run('label')).stop();
  await registry.stop();
  const weir = await run('other');
  expect((await exchange({ port }, getRequest('/'))).header('x-module')).toBe('m1');
  expect(weir.stderr).toContain('WEIR1220');
  await weir.stop();
});

test('a registry that accepts and says nothing holds up no request', async () => {
  const registry = await startRegistry();
  await push(registry.host, labelFilter('m1'));
  const silent: Socket[] = [];
  const server = createServer((socket) => silent.push(socket.on('error', () => undefined)));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  atEnd(() => {
    for (const socket of silent) socket.destroy();
    server.close();
  });
  const port = await freePort();
  const ref = `${registry.host}/filters/label:live`;
  const weir = await Weir.start({ files: { 'edge.yaml': edge(port, ref), 'weir.yaml': TRUSTED } });
  await weir.write(
    'edge.yaml',
    edge(port, `localhost:${(server.address() as AddressInfo).port}/filters/label:live`),
  );
  await expect.poll(() => silent.length, { interval: 10, timeout: 15_000 }).toBeGreaterThan(0);
  for (let i = 0; i < 50; i++) {
    expect((await exchange({ port }, getRequest('/'))).header('x-module')).toBe('m1');
  }
  expect((await weir.admin('/ready')).status).toBe(200);
  await weir.stop();
  await registry.stop();
});
