import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { formatDiagnostics, toSarif } from '../../src/control/diagnostic.ts';
import { loadConfiguration } from '../../src/control/load.ts';
import { withoutCredentials } from '../../src/control/secret-text.ts';

/** What `weir check` says of a configuration, in both forms. */
async function faultsOf(yaml: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'weir-secret-'));
  try {
    await writeFile(join(folder, 'all.yaml'), yaml);
    const { diagnostics } = await loadConfiguration([join(folder, 'all.yaml')]);
    return formatDiagnostics(diagnostics) + JSON.stringify(toSarif(diagnostics, '1'));
  } finally {
    await rm(folder, { recursive: true });
  }
}

const consumer = (credential: string): string =>
  `{apiVersion: policy.weir/v1alpha1, kind: Consumer, metadata: {name: acme}, spec: {credentials: [${credential}]}}`;
const chain = (use: string, config: string): string => `
apiVersion: policy.weir/v1alpha1
kind: FilterChain
metadata: {name: c}
spec: {targetRefs: [{kind: Gateway, name: g}], filters: [{name: f, use: ${use}, config: ${config}}]}`;

test.each([
  ['a key where its digest belongs', consumer('{apiKey: {sha256: canary}}'), 'WEIR1044'],
  ['a digest that is a number', consumer('{apiKey: {sha256: [canary]}}'), 'WEIR1040'],
  ['a password where its hash belongs', consumer('{basic: {username: ann, hash: canary}}'), 'WEIR1044'],
  ['another field at fault in the same line', consumer('{basic: {usrname: ann, hash: canary}}'), 'WEIR1042'],
  [
    'a private key where a public one belongs',
    consumer('{hmac: {keyId: a, algorithm: ed25519, jwk: {kty: OKP, d: canary}}}'),
    'WEIR1046',
  ],
  [
    'a filter with a private key for a public one',
    chain('hmac', '{keys: [{id: a, algorithm: ed25519, jwk: {kty: OKP, d: canary}}]}'),
    'WEIR1207',
  ],
  ['a secret where its reference belongs', consumer('{hmac: {keyId: a, secretRef: canary}}'), 'WEIR1040'],
  ['a secret in a field that there is not', consumer('{hmac: {keyId: a, secret: canary}}'), 'WEIR1042'],
  ['a filter with a key for a digest', chain('api-key', '{keys: [{name: a, sha256: canary}]}'), 'WEIR1207'],
  ['a filter with a short cookie secret', chain('oidc', '{cookieSecrets: [canary]}'), 'WEIR1207'],
  [
    'a filter with a secret, and a fault beside its configuration',
    chain('hmac', '{keys: [{id: a, algorithm: hmac-sha256, secret: canary}]}').replace(
      'use:',
      'uze: x, use:',
    ),
    'WEIR1042',
  ],
  [
    'a password in an address',
    `{apiVersion: policy.weir/v1alpha1, kind: Store, metadata: {name: s}, spec: {redis: {address: 'redis://ann:canary@h:1'}}}`,
    'WEIR1044',
  ],
  ['a password in a text that is no YAML', "password: canary\n  x: 'redis://ann:canary@h:1\n\t- ", 'WEIR10'],
])('%s is told without its value', async (_, yaml, code) => {
  const text = await faultsOf(yaml);
  expect(text).toContain(code);
  expect(text).not.toContain('canary');
});

test('a line keeps its columns, and what is no credential', () => {
  const line = `  - {use: api-key, config: {keys: [{name: dev, key: 'a long secret key'}]}}`;
  expect(withoutCredentials(line)).toBe(
    `  - {use: api-key, config: {keys: [{name: dev, key: '* **** ****** ***'}]}}`,
  );
  expect(withoutCredentials(`jwk: {kty: OKP, d: nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A}`)).toBe(
    `jwk: {kty: OKP, d: ${'*'.repeat(43)}}`,
  );
  expect(
    withoutCredentials(
      `  "dp": "BwKfV3Akq5_MFZDFZCnW-wzl-CCo83WoZvnLQwCTeDv8uzluRSnm71I3QCLdhrqE2e9YkxvuxdBfpT_PI7Yz-FOKnu1R6HsJeDCjn12Sk3vmAktV2zb34MCdy7cpdTh_YVr7tss2u6vneTwrA86rZtu5Mbr1C1XsmvkxHQAdYo0"`,
    ),
  ).not.toContain('BwKf');
  for (const same of [
    'key: [consumer.name]',
    'key: "${request.headers.x-tenant}"',
    `sha256: ${'a1'.repeat(32)}`,
    `jwk: {kty: OKP, crv: Ed25519, x: JrQLj5P_89iXES9-vFgrIy29clF9CC_oPPsw3c5D0bs, kid: d}`,
    'secretRef: {name: keys, key: payments-of-acme}',
    'secret: {name: ca}',
    'publicKey: ebVWLo/mVPlAeLES6KmLp5AfhTrmlb7X4OORC60ElmQ=',
    'address: redis://h:6379',
  ])
    expect(withoutCredentials(same)).toBe(same);
});
