import { execFileSync } from 'node:child_process';
import { createHash, generateKeyPairSync, sign, type KeyObject } from 'node:crypto';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { loadConfiguration, type Loaded } from '../../src/control/load.ts';
import { parsePublicKey, parseSignatures } from '../../src/control/signing.ts';

const MODULE = Buffer.from([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0]);
const team = generateKeyPairSync('ed25519');
const other = generateKeyPairSync('ed25519');

const digestOf = (bytes: Buffer) => createHash('sha256').update(bytes).digest();
const signatureOf = (key: KeyObject, bytes = MODULE) => sign(null, digestOf(bytes), key);
const pem = (key: KeyObject) => key.export({ type: 'spki', format: 'pem' }) as string;
const raw = (key: KeyObject) => key.export({ type: 'spki', format: 'der' }).subarray(12).toString('base64');

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'weir-signatures-'));
});
afterEach(() => rm(folder, { recursive: true }));

async function put(files: Record<string, string | Buffer>): Promise<void> {
  for (const [name, content] of Object.entries(files)) {
    await mkdir(dirname(join(folder, name)), { recursive: true });
    await writeFile(join(folder, name), content);
  }
}

const load = () => loadConfiguration([folder], { filters: folder });
const errorsOf = ({ diagnostics }: Loaded) => diagnostics.filter(({ severity }) => severity === 'error');
const codesOf = (loaded: Loaded) => errorsOf(loaded).map(({ code }) => code);

function key(name: string, publicKey: string, more = ''): string {
  return `---
apiVersion: policy.weir/v1alpha1
kind: TrustedKey
metadata: {name: ${name}, namespace: shop}
spec: {publicKey: ${JSON.stringify(publicKey)}${more}}
`;
}

function module(spec = ''): string {
  return `---
apiVersion: policy.weir/v1alpha1
kind: Module
metadata: {name: risk, namespace: shop}
spec:
  source: {file: risk.wasm}
${spec}`;
}

const SIGNED = module('  signedBy: [team]\n');
const KEYS = key('team', pem(team.publicKey)) + key('other', raw(other.publicKey));

describe('signedBy', () => {
  test.each([
    ['64 bytes', signatureOf(team.privateKey)],
    ['base64', Buffer.from(`${signatureOf(team.privateKey).toString('base64')}\n`)],
    [
      'several lines, one of them right',
      Buffer.from(
        [other, team].map(({ privateKey }) => signatureOf(privateKey).toString('base64')).join('\r\n'),
      ),
    ],
  ])('a signature by the key is accepted: %s', async (_, signature) => {
    await put({ 'weir.yaml': KEYS + SIGNED, 'risk.wasm': MODULE, 'risk.wasm.sig': signature });
    expect(codesOf(await load())).toEqual([]);
  });

  test('what openssl signs is accepted, over the digest in 32 bytes', async () => {
    await put({
      'weir.yaml': KEYS + SIGNED,
      'risk.wasm': MODULE,
      'key.pem': team.privateKey.export({ type: 'pkcs8', format: 'pem' }),
      digest: digestOf(MODULE),
    });
    const args = [
      'pkeyutl',
      '-sign',
      '-rawin',
      '-inkey',
      'key.pem',
      '-in',
      'digest',
      '-out',
      'risk.wasm.sig',
    ];
    execFileSync('openssl', args, { cwd: folder });
    expect(codesOf(await load())).toEqual([]);
  });

  test('any one of several keys is enough', async () => {
    const spec = module('  signedBy: [other, team]\n');
    await put({
      'weir.yaml': KEYS + spec,
      'risk.wasm': MODULE,
      'risk.wasm.sig': signatureOf(team.privateKey),
    });
    expect(codesOf(await load())).toEqual([]);
  });

  test('one flipped bit of the module is refused, naming the key and the digest', async () => {
    const flipped = Buffer.concat([MODULE, Buffer.from([0, 2, 1, 0x61])]);
    const signature = signatureOf(team.privateKey, flipped);
    flipped[11]! ^= 1;
    await put({ 'weir.yaml': KEYS + SIGNED, 'risk.wasm': flipped, 'risk.wasm.sig': signature });
    const loaded = await load();
    expect(codesOf(loaded)).toEqual(['WEIR1209']);
    const [error] = errorsOf(loaded);
    expect(error!.message).toContain('is one by the key team over sha256');
    expect(error!.message).toContain(digestOf(flipped).toString('hex'));
    expect(loaded.code.size).toBe(0);
  });

  test('every single flipped bit of a signature is refused', async () => {
    const signature = signatureOf(team.privateKey);
    for (let bit = 0; bit < 512; bit += 37) {
      const wrong = Buffer.from(signature);
      wrong[bit >> 3]! ^= 1 << (bit & 7);
      await put({ 'weir.yaml': KEYS + SIGNED, 'risk.wasm': MODULE, 'risk.wasm.sig': wrong });
      expect(codesOf(await load()), `bit ${bit}`).toEqual(['WEIR1209']);
    }
  });

  test('a signature of another key, and one over the bytes themselves, are refused', async () => {
    for (const signature of [signatureOf(other.privateKey), sign(null, MODULE, team.privateKey)]) {
      await put({ 'weir.yaml': KEYS + SIGNED, 'risk.wasm': MODULE, 'risk.wasm.sig': signature });
      expect(codesOf(await load())).toEqual(['WEIR1209']);
    }
  });

  test('a missing signature is refused, and its arrival is watched for', async () => {
    await put({ 'weir.yaml': KEYS + SIGNED, 'risk.wasm': MODULE });
    const loaded = await load();
    expect(codesOf(loaded)).toEqual(['WEIR1208']);
    expect(errorsOf(loaded)[0]!.message).toContain('must be signed by team');
    expect(loaded.files).toContain(join(folder, 'risk.wasm.sig'));
  });

  test('a key that is not declared is told with the nearest one', async () => {
    const spec = module('  signedBy: [taem]\n');
    await put({
      'weir.yaml': KEYS + spec,
      'risk.wasm': MODULE,
      'risk.wasm.sig': signatureOf(team.privateKey),
    });
    const loaded = await load();
    expect(codesOf(loaded)).toEqual(['WEIR2112']);
    expect(errorsOf(loaded)[0]!.hint).toBe('did you mean "team"?');
  });

  test('a key with a fault of its own verifies nothing', async () => {
    await put({
      'weir.yaml': key('team', 'no key') + SIGNED,
      'risk.wasm': MODULE,
      'risk.wasm.sig': signatureOf(team.privateKey),
    });
    expect(codesOf(await load())).toEqual(['WEIR1210', 'WEIR1209']);
  });

  test('another file may hold the signature, and the key', async () => {
    await put({
      'weir.yaml': `---
apiVersion: policy.weir/v1alpha1
kind: TrustedKey
metadata: {name: team, namespace: shop}
spec: {file: keys/team.pem}
${module('  signedBy: [team]\n  signature: {file: signatures/risk}\n')}`,
      'risk.wasm': MODULE,
      'keys/team.pem': pem(team.publicKey),
      'signatures/risk': signatureOf(team.privateKey),
    });
    expect(codesOf(await load())).toEqual([]);
  });
});

describe('an enforced key', () => {
  const enforced = key('team', pem(team.publicKey), ', enforced: true') + key('other', pem(other.publicKey));

  test('must have signed every module of its namespace', async () => {
    await put({ 'weir.yaml': enforced + module(), 'risk.wasm': MODULE });
    expect(codesOf(await load())).toEqual(['WEIR1208']);
    await put({ 'risk.wasm.sig': signatureOf(team.privateKey) });
    expect(codesOf(await load())).toEqual([]);
  });

  test('is not made up for by another key that the module names', async () => {
    const signature = signatureOf(other.privateKey);
    await put({
      'weir.yaml': enforced + module('  signedBy: [other]\n'),
      'risk.wasm': MODULE,
      'risk.wasm.sig': signature,
    });
    expect(codesOf(await load())).toEqual(['WEIR1209']);
    const both = [signature, signatureOf(team.privateKey)].map((each) => each.toString('base64')).join('\n');
    await put({ 'risk.wasm.sig': both });
    expect(codesOf(await load())).toEqual([]);
  });

  test('says nothing about other namespaces', async () => {
    await put({
      'weir.yaml': enforced + module().replace('namespace: shop', 'namespace: else'),
      'risk.wasm': MODULE,
    });
    expect(codesOf(await load())).toEqual([]);
  });
});

describe('a public key', () => {
  test.each([
    ['PEM', pem(team.publicKey)],
    ['base64', raw(team.publicKey)],
  ])('is read from %s', (_, text) => {
    expect((parsePublicKey(text) as KeyObject).asymmetricKeyType).toBe('ed25519');
  });

  test.each([
    ['a private key', team.privateKey.export({ type: 'pkcs8', format: 'pem' }) as string, 'private key'],
    ['another kind', pem(generateKeyPairSync('x25519').publicKey), 'type x25519'],
    ['too few bytes', Buffer.alloc(31).toString('base64'), '32 bytes'],
    ['broken PEM', '-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----', 'cannot be read'],
    ['no key', '', '32 bytes'],
  ])('is not %s', (_, text, why) => {
    expect(parsePublicKey(text)).toContain(why);
  });
});

test.each([
  ['nothing', ''],
  ['63 bytes', Buffer.alloc(63)],
  ['65 bytes', Buffer.alloc(65)],
  ['text', 'signed by me'],
  ['one right line and one wrong', `${Buffer.alloc(64).toString('base64')}\nAAAA`],
])('a signature file with %s is none', (_, content) => {
  expect(typeof parseSignatures(Buffer.from(content))).toBe('string');
});
