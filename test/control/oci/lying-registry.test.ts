// A registry that is not what it says, or that somebody on the way speaks for.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import type { AddressInfo, Server } from 'node:net';
import { expect, test } from 'vitest';
import type { CredentialSource } from '../../../src/control/oci/credentials.ts';
import { parseReference, type Reference } from '../../../src/control/oci/reference.ts';
import { MANIFEST_TYPES, Registry } from '../../../src/control/oci/registry.ts';
import { TransferError } from '../../../src/control/oci/transfer.ts';
import { pullWasm } from '../../../src/control/oci/wasm-image.ts';
import { makeCertificate } from '../../support/certificate.ts';
import { atEnd } from '../../support/cleanup.ts';
import { sha256Digest } from '../../support/registry.ts';

const MODULE = Buffer.from([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0]);
const authority = makeCertificate({ names: ['tests'], authority: true });
const ann: CredentialSource = () => Promise.resolve({ username: 'ann', password: 'hush', isToken: false });

type Answer = (request: IncomingMessage, response: ServerResponse, path: string) => void;

async function listen(server: Server): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  atEnd(() => void server.close());
  return `localhost:${(server.address() as AddressInfo).port}`;
}

async function lying(
  answer: Answer,
  secure = false,
): Promise<{ reference: Reference; registry: Registry; host: string }> {
  const listener = (request: IncomingMessage, response: ServerResponse): void =>
    answer(request, response, request.url!.replace('/v2/filters/risk/', ''));
  const { certificatePem: cert, keyPem: key } = makeCertificate({ names: ['localhost'], issuer: authority });
  const host = await listen(secure ? createHttpsServer({ cert, key }, listener) : createServer(listener));
  const reference = parseReference(`${host}/filters/risk:1`) as Reference;
  const ca = secure ? authority.certificatePem : null;
  const registry = new Registry(reference, { credentials: ann, ca, backoffMs: 1 });
  atEnd(() => registry.close());
  return { reference, registry, host };
}

async function faultOf(work: Promise<unknown>): Promise<string> {
  const error = await work.catch((fault: unknown) => fault);
  if (error instanceof TransferError) return `${error.fault}: ${error.message}`;
  throw new Error(`expected a TransferError, got ${String(error)}`);
}

function manifestOf(layer: object, more: object = {}): Buffer {
  const config = { mediaType: 'application/vnd.wasm.config.v0+json', digest: sha256Digest(MODULE), size: 8 };
  return Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: MANIFEST_TYPES.ociManifest,
      config,
      layers: [layer],
      ...more,
    }),
  );
}
const LAYER = { mediaType: 'application/wasm', digest: sha256Digest(MODULE), size: MODULE.length };

test('bytes that are not those of their digest are refused: of a module, and of a manifest', async () => {
  const flipped = Buffer.from(MODULE);
  flipped[7]! ^= 1;
  const manifest = manifestOf(LAYER);
  const { registry, reference } = await lying((_, response, path) =>
    response.end(path.startsWith('blobs/') ? flipped : manifest),
  );
  expect(await faultOf(pullWasm(registry, reference))).toContain(
    `blob ${sha256Digest(MODULE)} is not what the registry sends`,
  );
  const digest = sha256Digest(Buffer.from('another manifest'));
  expect(await faultOf(pullWasm(registry, { ...reference, digest }))).toContain(
    `manifest ${digest} is not what`,
  );
});

test('a layer that is longer than its manifest says ends there', async () => {
  const { registry, reference } = await lying((_, response, path) =>
    response.end(path.startsWith('blobs/') ? Buffer.alloc(100_000) : manifestOf(LAYER)),
  );
  expect(await faultOf(pullWasm(registry, reference))).toContain('sends more than 1 KiB');
});

test.each([
  ['no JSON', Buffer.from('<html>'), 'no JSON'],
  ['another version', manifestOf(LAYER, { schemaVersion: 1 }), 'another version'],
  ['a digest that is a path', manifestOf({ ...LAYER, digest: '../../../etc/passwd' }), 'descriptor'],
  ['a negative size', manifestOf({ ...LAYER, size: -1 }), 'descriptor'],
  ['no descriptor', manifestOf(null as unknown as object), 'descriptor'],
  [
    'layers of zstd',
    manifestOf({ ...LAYER, mediaType: 'application/vnd.oci.image.layer.v1.tar+zstd' }),
    'no layer holds a module: application/vnd.oci.image.layer.v1.tar+zstd',
  ],
  ['more than a manifest may have', Buffer.alloc(4 * 1024 * 1024 + 1, 0x20), 'more than 4 MiB'],
])('a manifest with %s is refused', async (_, manifest, why) => {
  const { registry, reference } = await lying((__, response) => response.end(manifest));
  expect(await faultOf(pullWasm(registry, reference))).toContain(why);
});

test('an index in an index leads nowhere', async () => {
  const inner = {
    mediaType: MANIFEST_TYPES.ociIndex,
    digest: '',
    size: 1,
    platform: { os: 'wasip1', architecture: 'wasm' },
  };
  const second = Buffer.from(
    JSON.stringify({ schemaVersion: 2, mediaType: MANIFEST_TYPES.ociIndex, manifests: [] }),
  );
  inner.digest = sha256Digest(second);
  const first = Buffer.from(
    JSON.stringify({ schemaVersion: 2, mediaType: MANIFEST_TYPES.ociIndex, manifests: [inner] }),
  );
  const { registry, reference } = await lying((_, response, path) =>
    response.end(path === 'manifests/1' ? first : second),
  );
  expect(await faultOf(pullWasm(registry, reference))).toContain('no layer holds a module');
});

test('a password goes to no place for tokens that is not https, unless the registry itself is plain', async () => {
  const asked: (string | undefined)[] = [];
  const thief = await listen(
    createServer((request, response) => {
      asked.push(request.headers.authorization);
      response.end('{"token": "x"}');
    }),
  );
  const challenge = { 'www-authenticate': `Bearer realm="http://${thief}/token",service="s"` };
  const { registry } = await lying((_, response) => response.writeHead(401, challenge).end(), true);
  expect(await faultOf(registry.manifest('1'))).toContain('names no https place to ask for a token');
  expect(asked).toEqual([]);
});

test('a token that would break a header is none; what a registry says is printed without control characters', async () => {
  const { registry, host } = await lying((request, response, path) => {
    if (path.startsWith('/token')) response.end('{"token": "a\\r\\nx-evil: 1"}');
    else if (request.headers.authorization === undefined && path !== 'manifests/2')
      response
        .writeHead(401, { 'www-authenticate': `Bearer realm="http://${request.headers.host}/token"` })
        .end();
    else response.writeHead(400).end('{"errors": [{"code": "BAD", "message": "\\u001b[31mred"}]}');
  });
  expect(await faultOf(registry.manifest('1'))).toContain(`${host} answers none`);
  expect(await faultOf(registry.manifest('2'))).toContain('answers 400 (BAD ?[31mred)');
});

test('a module is not uploaded to another server than the registry', async () => {
  const uploaded: string[] = [];
  const thief = await listen(
    createServer((request, response) => {
      uploaded.push(request.url!);
      response.writeHead(201).end();
    }),
  );
  const { registry } = await lying((request, response) => {
    if (request.method === 'HEAD') response.writeHead(404).end();
    else response.writeHead(202, { location: `http://${thief}/upload` }).end();
  });
  expect(await faultOf(registry.putBlob(MODULE))).toContain(`names a place at http://${thief}`);
  expect(uploaded).toEqual([]);
});
