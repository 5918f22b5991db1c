import { execFileSync } from 'node:child_process';
import { gzipSync } from 'node:zlib';
import { beforeAll, describe, expect, test } from 'vitest';
import {
  NO_CREDENTIALS,
  storedCredentials,
  type CredentialSource,
} from '../../../src/control/oci/credentials.ts';
import { parseReference, type Reference } from '../../../src/control/oci/reference.ts';
import { MANIFEST_TYPES, Registry } from '../../../src/control/oci/registry.ts';
import { TransferError } from '../../../src/control/oci/transfer.ts';
import {
  ANNOTATION,
  pushWasm,
  signaturesOf,
  type WasmArtifact,
} from '../../../src/control/oci/wasm-artifact.ts';
import { pullWasm, WASM_CONFIG, type WasmImage } from '../../../src/control/oci/wasm-image.ts';
import { makeCertificate } from '../../support/certificate.ts';
import {
  IDENTITY_TOKEN,
  PASSWORD,
  sha256Digest,
  startRegistry,
  tarOf,
  USER,
  type TestRegistry,
} from '../../support/registry.ts';

const MODULE = Buffer.from([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0]);
const ann: CredentialSource = () => Promise.resolve({ username: USER, password: PASSWORD, isToken: false });

let server: TestRegistry;
beforeAll(async () => {
  server = await startRegistry();
}, 180_000);

const at = (path: string, host = server.host) => parseReference(`${host}/${path}`) as Reference;
const artifact = (more: Partial<WasmArtifact> = {}): WasmArtifact => ({
  bytes: MODULE,
  title: 'risk.wasm',
  signatures: [],
  schema: null,
  annotations: {},
  created: 0,
  ...more,
});

async function withRegistry<T>(
  reference: Reference,
  work: (registry: Registry) => Promise<T>,
  options: Partial<ConstructorParameters<typeof Registry>[1]> = {},
): Promise<T> {
  const registry = new Registry(reference, { credentials: NO_CREDENTIALS, backoffMs: 1, ...options });
  try {
    return await work(registry);
  } finally {
    await registry.close();
  }
}

const pull = (reference: Reference, options = {}): Promise<WasmImage> =>
  withRegistry(reference, (registry) => pullWasm(registry, reference), options);

/** An image as another tool would have pushed it. */
async function pushImage(
  reference: Reference,
  layers: readonly (readonly [type: string, bytes: Uint8Array])[],
  configType = 'application/vnd.oci.image.config.v1+json',
  mediaType: string = MANIFEST_TYPES.ociManifest,
): Promise<string> {
  return withRegistry(reference, async (registry) => {
    const config = Buffer.from('{}');
    const descriptors = [];
    for (const [type, bytes] of layers) {
      descriptors.push({ mediaType: type, size: bytes.length, digest: await registry.putBlob(bytes) });
    }
    const manifest = {
      schemaVersion: 2,
      mediaType,
      config: { mediaType: configType, size: config.length, digest: await registry.putBlob(config) },
      layers: descriptors,
    };
    return registry.putManifest(reference.tag!, mediaType, Buffer.from(JSON.stringify(manifest)));
  });
}

async function faultOf(work: Promise<unknown>): Promise<TransferError> {
  const error = await work.then(
    () => null,
    (fault: unknown) => fault,
  );
  if (error instanceof TransferError) return error;
  throw new Error(`expected a TransferError, got ${String(error)}`);
}

describe('what weir pushes', () => {
  test('is the artifact of the CNCF, and comes back byte for byte', async () => {
    const reference = at('filters/risk:1.0');
    const signature = Buffer.alloc(64, 7);
    const digest = await withRegistry(reference, (registry) =>
      pushWasm(registry, '1.0', artifact({ signatures: [signature], schema: '{"type":"object"}' })),
    );
    const image = await pull(reference);
    expect(image.bytes).toEqual(MODULE);
    expect(image).toMatchObject({ digest, manifestDigest: digest, layout: 'wasm artifact' });
    expect(image.annotations).toMatchObject({
      [ANNOTATION.digest]: sha256Digest(MODULE).slice(7),
      [ANNOTATION.schema]: '{"type":"object"}',
      'org.opencontainers.image.title': 'risk.wasm',
    });
    expect(signaturesOf(image.annotations)).toEqual([signature.toString('base64')]);

    const manifest = await withRegistry(reference, async (registry) => {
      const { bytes } = await registry.manifest(digest);
      return JSON.parse(bytes.toString()) as {
        config: { mediaType: string; digest: string; size: number };
        layers: { mediaType: string; digest: string }[];
      };
    });
    expect(manifest.config.mediaType).toBe(WASM_CONFIG);
    expect(manifest.layers).toMatchObject([{ mediaType: 'application/wasm', digest: sha256Digest(MODULE) }]);
    const config = await withRegistry(reference, (registry) =>
      registry.blob(manifest.config.digest, manifest.config.size),
    );
    expect(JSON.parse(config.toString())).toEqual({
      created: '1970-01-01T00:00:00.000Z',
      architecture: 'wasm',
      os: 'wasip1',
      layerDigests: [sha256Digest(MODULE)],
    });
  });

  test('is an image with plugin.wasm where that is asked for, which tar and gzip read', async () => {
    const reference = at('filters/image:1');
    const signature = Buffer.alloc(64, 7);
    const push = () =>
      withRegistry(reference, (registry) =>
        pushWasm(registry, '1', artifact({ signatures: [signature] }), 'image'),
      );
    const digest = await push();
    expect(await push()).toBe(digest);
    const image = await pull(reference);
    expect(image).toMatchObject({ bytes: MODULE, layout: 'image', digest });
    expect(signaturesOf(image.annotations)).toEqual([signature.toString('base64')]);
    await withRegistry(reference, async (registry) => {
      const manifest = JSON.parse((await registry.manifest('1')).bytes.toString()) as {
        config: { mediaType: string };
        layers: { mediaType: string; digest: string; size: number }[];
        annotations: Record<string, string>;
      };
      expect(manifest.config.mediaType).toBe('application/vnd.oci.image.config.v1+json');
      expect(manifest.annotations['module.wasm.image/variant']).toBe('compat');
      const [layer] = manifest.layers;
      expect(layer!.mediaType).toBe('application/vnd.oci.image.layer.v1.tar+gzip');
      const archive = await registry.blob(layer!.digest, layer!.size);
      expect(execFileSync('tar', ['-xzOf', '-', 'plugin.wasm'], { input: archive })).toEqual(MODULE);
      expect(execFileSync('tar', ['-tzf', '-'], { input: archive, encoding: 'utf8' })).toBe('plugin.wasm\n');
    });
  });

  test('has the same digest each time, and is read by it', async () => {
    const reference = at('filters/same:a');
    const push = (tag: string | null) =>
      withRegistry(reference, (registry) => pushWasm(registry, tag, artifact()));
    const digest = await push('a');
    expect(await push('b')).toBe(digest);
    expect(await push(null)).toBe(digest);
    expect((await pull({ ...reference, tag: null, digest })).bytes).toEqual(MODULE);
    expect(await withRegistry(reference, (registry) => registry.resolve('b'))).toBe(digest);
  });
});

describe('what others push is read', () => {
  const files = (name: string): Buffer =>
    tarOf([
      ['etc/notes', Buffer.from('hello')],
      [name, MODULE],
    ]);

  test.each([
    ['Envoy’s first artifact', 'application/vnd.module.wasm.content.layer.v1+wasm', MODULE],
    ['wasm-to-oci', 'application/vnd.wasm.content.layer.v1+wasm', MODULE],
    ['an OCI image', 'application/vnd.oci.image.layer.v1.tar+gzip', gzipSync(files('plugin.wasm'))],
    ['a Docker image', 'application/vnd.docker.image.rootfs.diff.tar.gzip', gzipSync(files('./plugin.wasm'))],
    [
      'an image with another name of the file',
      'application/vnd.oci.image.layer.v1.tar',
      files('usr/lib/my.wasm'),
    ],
  ])('%s', async (name, type, layer) => {
    const reference = at(`others/x:${name.replace(/[^a-z]/gi, '').toLowerCase()}`);
    const mediaType = name.startsWith('a Docker')
      ? MANIFEST_TYPES.dockerManifest
      : MANIFEST_TYPES.ociManifest;
    const configType =
      mediaType === MANIFEST_TYPES.dockerManifest
        ? 'application/vnd.docker.container.image.v1+json'
        : undefined;
    await pushImage(reference, [[type, layer]], configType, mediaType);
    expect((await pull(reference)).bytes).toEqual(MODULE);
  });

  test('Envoy’s first artifact as its tools write it, with a layer for its configuration before the module', async () => {
    const type = 'application/vnd.module.wasm.content.layer.v1+wasm';
    await pushImage(at('others/two:1'), [
      ['application/vnd.module.wasm.config.v1+json', Buffer.from('{}')],
      [type, MODULE],
    ]);
    expect((await pull(at('others/two:1'))).bytes).toEqual(MODULE);
  });

  test('an image whose last layer replaces the module', async () => {
    const newer = Buffer.concat([MODULE, Buffer.from([0, 2, 1, 0x61])]);
    const type = 'application/vnd.oci.image.layer.v1.tar+gzip';
    const layer = (content: Buffer) => gzipSync(tarOf([['plugin.wasm', content]]));
    await pushImage(at('others/layers:1'), [
      [type, layer(MODULE)],
      [type, layer(newer)],
    ]);
    expect((await pull(at('others/layers:1'))).bytes).toEqual(newer);
  });

  test('an index: the platform of WebAssembly is taken, not an attestation and not Linux', async () => {
    const reference = at('others/index:wasm');
    const wasm = await withRegistry(reference, (registry) => pushWasm(registry, 'wasm-only', artifact()));
    const linux = await pushImage(at('others/index:linux'), [['application/wasm', Buffer.from('other')]]);
    const index = {
      schemaVersion: 2,
      mediaType: MANIFEST_TYPES.ociIndex,
      manifests: [
        {
          mediaType: MANIFEST_TYPES.ociManifest,
          digest: linux,
          size: 1,
          platform: { os: 'linux', architecture: 'amd64' },
        },
        {
          mediaType: MANIFEST_TYPES.ociManifest,
          digest: linux,
          size: 1,
          platform: { os: 'unknown', architecture: 'unknown' },
        },
        {
          mediaType: MANIFEST_TYPES.ociManifest,
          digest: wasm,
          size: 1,
          platform: { os: 'wasip1', architecture: 'wasm' },
        },
      ],
    };
    const put = (tag: string, value: object) =>
      withRegistry(reference, (registry) =>
        registry.putManifest(tag, MANIFEST_TYPES.ociIndex, Buffer.from(JSON.stringify(value))),
      );
    await put('wasm', index);
    expect(await pull(reference)).toMatchObject({ bytes: MODULE, manifestDigest: wasm });

    const linuxTwice = [
      index.manifests[0]!,
      { ...index.manifests[0]!, platform: { os: 'linux', architecture: 'arm64' } },
    ];
    await put('none', { ...index, manifests: linuxTwice });
    expect((await faultOf(pull(at('others/index:none')))).message).toContain('linux/amd64, linux/arm64');
  });
});

describe('what would do harm is refused', () => {
  const gzip = 'application/vnd.oci.image.layer.v1.tar+gzip';

  test('a layer that unpacks to far more than it is', async () => {
    const bomb = gzipSync(tarOf([['plugin.wasm', Buffer.alloc(64 * 1024 * 1024)]]));
    await pushImage(at('bad/bomb:1'), [[gzip, bomb]]);
    const fault = await faultOf(pull(at('bad/bomb:1')));
    expect(fault.fault).toBe('wrong');
    expect(fault.message).toContain('unpacks to more than 32 MiB');
  });

  test('a module that is larger than modules may be, before it is read', async () => {
    await pushImage(at('bad/large:1'), [['application/wasm', Buffer.alloc(8 * 1024 * 1024 + 1)]]);
    expect((await faultOf(pull(at('bad/large:1')))).message).toContain('at most 8 MiB are read');
  });

  test('two modules, none, and an archive that ends too early', async () => {
    await pushImage(at('bad/two:1'), [
      ['application/wasm', MODULE],
      ['application/wasm', Buffer.from('x')],
    ]);
    expect((await faultOf(pull(at('bad/two:1')))).message).toContain('2 modules');
    await pushImage(at('bad/none:1'), [[gzip, gzipSync(tarOf([['readme', MODULE]]))]]);
    expect((await faultOf(pull(at('bad/none:1')))).message).toContain(
      'no layer of the image has a file plugin.wasm',
    );
    await pushImage(at('bad/cut:1'), [
      [gzip, gzipSync(tarOf([['plugin.wasm', Buffer.alloc(4096)]]).subarray(0, 1024))],
    ]);
    expect((await faultOf(pull(at('bad/cut:1')))).message).toContain('ends within a file');
  });

  test('a tag that does not exist is missing; a registry that is not there is unreachable', async () => {
    expect((await faultOf(pull(at('bad/none:nowhere')))).fault).toBe('missing');
    expect((await faultOf(pull(at('bad/none:1', 'localhost:1')))).fault).toBe('unreachable');
  });
});

describe('who may', () => {
  test.each([
    ['password', ann],
    ['token', ann],
    [
      'token',
      (() => Promise.resolve({ username: '', password: IDENTITY_TOKEN, isToken: true })) as CredentialSource,
    ],
  ] as const)('by %s: pushes and pulls with credentials, and not without', async (auth, credentials) => {
    const guarded = await startRegistry({ auth });
    const reference = at('filters/risk:1', guarded.host);
    await withRegistry(reference, (registry) => pushWasm(registry, '1', artifact()), { credentials });
    expect((await pull(reference, { credentials })).bytes).toEqual(MODULE);
    // In which order it asks is left to the registry.
    if (auth === 'token')
      expect(guarded.scopes.join('\n')).toMatch(/^repository:filters\/risk:(pull,push|push,pull)$/m);

    const nobody = await faultOf(pull(reference));
    expect(nobody.fault).toBe('denied');
    const wrong: CredentialSource = () => Promise.resolve({ username: 'eve', password: 'x', isToken: false });
    const fault = await faultOf(pull(reference, { credentials: wrong }));
    expect(fault.fault).toBe('denied');
    expect(fault.message).not.toContain('Basic');
    await guarded.stop();
  });

  test('credentials of a Secret are found by host, with and without a scheme', async () => {
    const auth = Buffer.from(`${USER}:${PASSWORD}`).toString('base64');
    for (const key of ['reg.example:5000', 'https://reg.example:5000', 'https://reg.example:5000/v2/']) {
      const source = storedCredentials(JSON.stringify({ auths: { [key]: { auth } } })) as CredentialSource;
      expect(await source('reg.example:5000')).toEqual({
        username: USER,
        password: PASSWORD,
        isToken: false,
      });
      expect(await source('reg.example')).toBeNull();
    }
    expect(storedCredentials('{"auths": ')).toBe('is not a config.json of Docker');
  });
});

test('TLS: only with an authority that is trusted', async () => {
  const authority = makeCertificate({ names: ['tests'], authority: true });
  const certificate = makeCertificate({ names: ['localhost'], issuer: authority });
  const secure = await startRegistry({ certificate });
  const reference = at('filters/risk:1', secure.host);
  const ca = authority.certificatePem;
  await withRegistry(reference, (registry) => pushWasm(registry, '1', artifact()), { ca });
  expect((await pull(reference, { ca })).bytes).toEqual(MODULE);
  const fault = await faultOf(pull(reference, { insecure: false }));
  expect(fault.fault).toBe('wrong');
  expect(fault.message).toContain('its certificate is not trusted');
  await secure.stop();
});

test.each([
  ['reg.example/a/b:1', { registry: 'reg.example', repository: 'a/b', tag: '1', digest: null }],
  ['oci://localhost:5000/a', { registry: 'localhost:5000', repository: 'a', tag: 'latest', digest: null }],
  ['[::1]:5000/a', { registry: '[::1]:5000', repository: 'a', tag: 'latest', digest: null }],
  ['filter', { registry: 'docker.io', repository: 'library/filter', tag: 'latest', digest: null }],
  ['shop/filter:2', { registry: 'docker.io', repository: 'shop/filter', tag: '2', digest: null }],
  [
    `reg.example/a@sha256:${'0'.repeat(64)}`,
    { registry: 'reg.example', repository: 'a', tag: null, digest: `sha256:${'0'.repeat(64)}` },
  ],
])('%s is a reference', (text, expected) => {
  expect(parseReference(text)).toEqual(expected);
});

test.each([
  '',
  'reg.example/',
  'reg.example/A',
  'reg.example/../etc',
  'reg.example/a:',
  'reg.example/a:b c',
  'https://reg.example/a',
  'reg.example/a@sha256:12',
  'user@reg.example/a',
  'reg.example/a?x',
  'reg.exa mple/a',
])('"%s" is none', (text) => {
  expect(typeof parseReference(text)).toBe('string');
});
