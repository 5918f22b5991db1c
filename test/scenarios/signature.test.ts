import { createHash, generateKeyPairSync, sign } from 'node:crypto';
import { expect, test } from 'vitest';
import { FakeUpstream } from '../support/fake-upstream.ts';
import { freePort } from '../support/ports.ts';
import { Weir } from '../support/process.ts';
import { exchange, getRequest } from '../support/raw-client.ts';
import { labelFilter, policies, until } from '../support/scenario.ts';

test('a module whose signature does not fit is refused before it is compiled, and what serves goes on', async () => {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  const signatureOf = (bytes: Uint8Array) =>
    sign(null, createHash('sha256').update(bytes).digest(), privateKey).toString('base64');
  const upstream = await FakeUpstream.start({ discard: true });
  const port = await freePort();
  const [first, second] = [labelFilter('m1'), labelFilter('m2')];
  const weir = await Weir.start({
    files: {
      'edge.yaml': policies({ port, upstreamPort: upstream.port }).replace(
        'source: {file: filter.wasm}',
        'source: {file: filter.wasm}\n  signedBy: [team]',
      ),
      'weir.yaml': `apiVersion: policy.weir/v1alpha1
kind: TrustedKey
metadata: {name: team, namespace: shop}
spec: {publicKey: ${JSON.stringify(publicKey.export({ type: 'spki', format: 'pem' }))}}
`,
      'filter.wasm': first,
      'filter.wasm.sig': signatureOf(first),
    },
  });
  const served = async () => (await exchange({ port }, getRequest('/'))).header('x-module');
  expect(await served()).toBe('m1');

  await weir.write('filter.wasm', second);
  const { configuration } = await until(weir, 'refuses', (detail) => detail.configuration.refused !== null);
  expect(configuration.refused!.diagnostics.map(({ code }) => code)).toEqual(['WEIR1209']);
  expect(configuration.refused!.text).toContain(createHash('sha256').update(second).digest('hex'));
  expect(await served()).toBe('m1');

  await weir.write('filter.wasm.sig', signatureOf(second));
  await expect.poll(served, { interval: 20 }).toBe('m2');
  await weir.stop();
});
