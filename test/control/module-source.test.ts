import { createHash, generateKeyPairSync, sign } from 'node:crypto';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { loadConfiguration, type Loaded, type LoadOptions } from '../../src/control/load.ts';
import { ModuleCache } from '../../src/control/module-cache.ts';
import { parseReference, type Reference } from '../../src/control/oci/reference.ts';
import { Registry } from '../../src/control/oci/registry.ts';
import { pushWasm } from '../../src/control/oci/wasm-artifact.ts';
import { atEnd } from '../support/cleanup.ts';
import { PASSWORD, startRegistry, tarOf, USER, type TestRegistry } from '../support/registry.ts';

const EMPTY = [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0];
/** A module of its own for each letter. */
const moduleOf = (letter: string) => Buffer.from([...EMPTY, 0, 2, 1, letter.charCodeAt(0)]);
const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');
const team = generateKeyPairSync('ed25519');
const signatureOf = (bytes: Uint8Array) => sign(null, Buffer.from(sha256(bytes), 'hex'), team.privateKey);

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'weir-source-'));
});
afterEach(() => rm(folder, { recursive: true }));

const TEAM = `---
apiVersion: policy.weir/v1alpha1
kind: TrustedKey
metadata: {name: team, namespace: shop}
spec: {publicKey: ${JSON.stringify(team.publicKey.export({ type: 'spki', format: 'pem' }))}}
`;

async function load(source: string, more = '', options: LoadOptions = {}, rest = ''): Promise<Loaded> {
  await writeFile(
    join(folder, 'weir.yaml'),
    `apiVersion: policy.weir/v1alpha1
kind: Module
metadata: {name: risk, namespace: shop}
spec:
  source: ${source}
${more}---
apiVersion: policy.weir/v1alpha1
kind: FilterChain
metadata: {name: chain, namespace: shop}
spec:
  targetRefs: [{kind: Gateway, name: edge}]
  filters: [{name: risk, use: module/risk}]
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: edge, namespace: shop}
spec:
  listeners: [{name: http, port: 8080, protocol: HTTP}]
${rest}`,
  );
  return loadConfiguration([folder], { filters: folder, ...options });
}

const told = ({ diagnostics }: Loaded) =>
  diagnostics.filter(({ code }) => code !== 'WEIR3002').map(({ code, line }) => `${code}:${line}`);
const messages = ({ diagnostics }: Loaded) => diagnostics.map(({ message }) => message).join('\n');
/** Digest of the module that the configuration came to. */
const digestIn = (loaded: Loaded) => loaded.snapshot?.modules.map(({ digest }) => digest);

async function push(host: string, tag: string, bytes: Buffer, signatures: Buffer[] = []): Promise<string> {
  const reference = parseReference(`${host}/filters/risk:${tag}`) as Reference;
  const credentials = () => Promise.resolve({ username: USER, password: PASSWORD, isToken: false });
  const registry = new Registry(reference, { credentials });
  const artifact = { bytes, title: 'risk.wasm', signatures, schema: null, annotations: {}, created: 0 };
  const digest = await pushWasm(registry, tag, artifact);
  await registry.close();
  return digest;
}

describe('source.oci', () => {
  let server: TestRegistry;
  beforeAll(async () => {
    server = await startRegistry();
  }, 180_000);
  const oci = (tag: string, more = '') => `{oci: {ref: "${server.host}/filters/risk:${tag}"${more}}}`;

  test('is pulled, and the snapshot names its digest', async () => {
    await push(server.host, 'one', moduleOf('a'));
    const loaded = await load(oci('one'));
    expect(told(loaded)).toEqual([]);
    expect(digestIn(loaded)).toEqual([sha256(moduleOf('a'))]);
    expect(Buffer.from(loaded.code.get(sha256(moduleOf('a')))!)).toEqual(moduleOf('a'));
  });

  test('IfNotPresent keeps what was pulled, Always follows the tag, and so does latest', async () => {
    const cache = new ModuleCache(folder);
    await push(server.host, 'moving', moduleOf('a'));
    await push(server.host, 'latest', moduleOf('a'));
    const digests = async () => [
      digestIn(await load(oci('moving'), '', { cache })),
      digestIn(await load(oci('moving', ', pullPolicy: Always'), '', { cache })),
      digestIn(await load(oci('latest'), '', { cache })),
    ];
    const [a, b] = [[sha256(moduleOf('a'))], [sha256(moduleOf('b'))]];
    // The second of them asks again and puts what it finds where the first one looks.
    expect(await digests()).toEqual([a, a, a]);
    await push(server.host, 'moving', moduleOf('b'));
    await push(server.host, 'latest', moduleOf('b'));
    expect(await digests()).toEqual([a, b, b]);
  });

  test('a pin of sha256 that moved on is followed, whatever the policy', async () => {
    const cache = new ModuleCache(null);
    await push(server.host, 'pinned', moduleOf('a'));
    const pinned = (bytes: Buffer) => load(oci('pinned'), `  sha256: ${sha256(bytes)}\n`, { cache });
    expect(told(await pinned(moduleOf('a')))).toEqual([]);
    expect(told(await pinned(moduleOf('b')))).toEqual(['WEIR1202:6']);
    await push(server.host, 'pinned', moduleOf('b'));
    expect(digestIn(await pinned(moduleOf('b')))).toEqual([sha256(moduleOf('b'))]);
  });

  test('what is on disk serves where the registry is gone: silently by digest, with a warning where asked again', async () => {
    const own = await startRegistry();
    const digest = await push(own.host, 'one', moduleOf('a'));
    const ref = `${own.host}/filters/risk`;
    const always = `{oci: {ref: "${ref}:one", pullPolicy: Always}}`;
    const fixed = `{oci: {ref: "${ref}@${digest}", pullPolicy: Always}}`;
    await load(always, '', { cache: new ModuleCache(folder) });
    await load(fixed, '', { cache: new ModuleCache(folder) });
    await own.stop();

    const again = await load(always, '', { cache: new ModuleCache(folder) });
    expect(told(again)).toEqual(['WEIR3020:5']);
    expect(messages(again)).toContain(`sha256 ${sha256(moduleOf('a'))}) is used`);
    expect(digestIn(again)).toEqual([sha256(moduleOf('a'))]);
    expect(told(await load(fixed, '', { cache: new ModuleCache(folder) }))).toEqual([]);
    // Another one with nothing on disk.
    const gone = await load(always, '', { cache: new ModuleCache(null) });
    expect(told(gone)).toEqual(['WEIR1220:5']);
    expect(messages(gone)).toContain('nobody listens there');
  });

  test('a damaged file of the cache is pulled again', async () => {
    await push(server.host, 'damage', moduleOf('a'));
    await load(oci('damage'), '', { cache: new ModuleCache(folder) });
    const files = (await readdir(join(folder, 'pulled'))).filter((name) => name.endsWith('.wasm'));
    expect(files).toEqual([`${sha256(moduleOf('a'))}.wasm`]);
    await writeFile(join(folder, 'pulled', files[0]!), moduleOf('b'));
    expect(digestIn(await load(oci('damage'), '', { cache: new ModuleCache(folder) }))).toEqual([
      sha256(moduleOf('a')),
    ]);
  });

  test('a tag that is not there is told with its place and what to do', async () => {
    const loaded = await load(oci('nowhere'));
    expect(told(loaded)).toEqual(['WEIR1220:5']);
    expect(loaded.diagnostics[0]).toMatchObject({
      column: 23,
      hint: expect.stringContaining('weir filter push') as string,
    });
    expect(messages(loaded)).toContain(`${server.host}/filters/risk:nowhere`);
  });

  test('offline nothing is asked for, and the rest is checked', async () => {
    const loaded = await load(oci('one'), '', { offline: true });
    expect(told(loaded)).toEqual(['WEIR3021:5']);
    expect(loaded.snapshot).not.toBeNull();
    expect(messages(loaded)).not.toContain('Module shop/risk is not used');
  });

  test('signatures come with the artifact; one that is added later is found', async () => {
    const cache = new ModuleCache(null);
    const signed = () => load(oci('signed'), '  signedBy: [team]\n', { cache }, TEAM);
    await push(server.host, 'signed', moduleOf('a'));
    const first = await signed();
    expect(told(first)).toEqual(['WEIR1208:6']);
    expect(messages(first)).toContain(`(sha256 ${sha256(moduleOf('a'))}) must be signed by team`);
    await push(server.host, 'signed', moduleOf('a'), [signatureOf(moduleOf('b'))]);
    const other = await load(oci('signed'), '  signedBy: [team]\n', {}, TEAM);
    expect(told(other)).toEqual(['WEIR1209:6']);
    // One that was refused is not kept for the next time.
    expect(told(await signed())).toEqual(['WEIR1209:6']);
    await push(server.host, 'signed', moduleOf('a'), [signatureOf(moduleOf('a'))]);
    expect(told(await signed())).toEqual([]);
  });

  test('credentials come from a Secret of the namespace', async () => {
    const guarded = await startRegistry({ auth: 'password' });
    await push(guarded.host, '1', moduleOf('a'));
    const source = `{oci: {ref: "${guarded.host}/filters/risk:1", pullSecret: {name: login}}}`;
    const secret = (data: string) => `---
apiVersion: v1
kind: Secret
metadata: {name: login, namespace: shop}
stringData: ${data}
`;
    expect(told(await load(source))).toEqual(['WEIR2113:5']);
    expect(told(await load(source, '', {}, secret('{token: x}')))).toEqual(['WEIR2114:5']);
    const plain = secret(JSON.stringify({ username: USER, password: PASSWORD }));
    expect(told(await load(source, '', {}, plain))).toEqual([]);
    const auths = { [guarded.host]: { username: USER, password: PASSWORD } };
    const docker = secret(JSON.stringify({ '.dockerconfigjson': JSON.stringify({ auths }) }));
    expect(told(await load(source, '', {}, docker))).toEqual([]);
    const wrong = await load(
      source,
      '',
      {},
      secret(JSON.stringify({ username: USER, password: 'wrong-one' })),
    );
    expect(told(wrong)).toEqual(['WEIR1220:5']);
    expect(JSON.stringify(wrong.diagnostics)).not.toContain('wrong-one');
    await guarded.stop();
  });

  test('what one namespace pulled with its credentials is not lent to another', async () => {
    const guarded = await startRegistry({ auth: 'password' });
    await push(guarded.host, '1', moduleOf('a'));
    const cache = new ModuleCache(folder);
    const ref = `${guarded.host}/filters/risk:1`;
    const login = `---
apiVersion: v1
kind: Secret
metadata: {name: login, namespace: shop}
stringData: ${JSON.stringify({ username: USER, password: PASSWORD })}
`;
    const source = `{oci: {ref: "${ref}", pullSecret: {name: login}}}`;
    expect(told(await load(source, '', { cache }, login))).toEqual([]);
    const other = `---
apiVersion: policy.weir/v1alpha1
kind: Module
metadata: {name: theirs, namespace: elsewhere}
spec: {source: {oci: {ref: "${ref}"}}}
`;
    const loaded = await load(source, '', { cache }, login + other);
    expect(
      loaded.diagnostics.filter(({ code }) => code === 'WEIR1220').map(({ message }) => message),
    ).toEqual([expect.stringContaining('Module elsewhere/theirs cannot be pulled') as string]);
    await guarded.stop();
  });

  test.each([
    ['{oci: {ref: "Upper/x"}}', '', 'WEIR1044'],
    ['{oci: {ref: reg.example/x:1, insecure: true}}', '', 'WEIR1041'],
    ['{oci: {ref: reg.example/x:1}, file: x.wasm}', '', 'WEIR1046'],
    ['{oci: {ref: reg.example/x:1, pullPolicy: Never}}', '', 'WEIR1043'],
    ['{oci: {ref: reg.example/x:1, caBundle: {}}}', '', 'WEIR1046'],
    ['{}', '', 'WEIR1041'],
    ['{http: {url: "http://reg.example/x.wasm"}}', '', 'WEIR1041'],
    ['{http: {url: "https://u:p@reg.example/x.wasm"}}', '', 'WEIR1044'],
    ['{http: {url: "file:///etc/passwd"}}', '', 'WEIR1044'],
  ])('%s is refused before anything is asked', async (source, more, code) => {
    expect(told(await load(source, more, { offline: true }))).toEqual([`${code}:5`]);
  });
});

describe('source.http', () => {
  async function serve(listener: RequestListener): Promise<{ url: string; stop(): void }> {
    const server = createServer(listener);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const stop = (): void => {
      server.close();
      server.closeAllConnections();
    };
    atEnd(stop);
    return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, stop };
  }

  test('is downloaded plain or packed, and its signature stands beside it', async () => {
    const files: Record<string, Buffer> = {
      '/risk.wasm': moduleOf('a'),
      '/risk.wasm.sig': signatureOf(moduleOf('a')),
      '/risk.tar.gz': gzipSync(tarOf([['plugin.wasm', moduleOf('b')]])),
    };
    const { url } = await serve((request, response) => {
      const file = files[request.url!];
      response.writeHead(file === undefined ? 404 : 200).end(file);
    });
    const signed = await load(`{http: {url: "${url}/risk.wasm"}}`, '  signedBy: [team]\n', {}, TEAM);
    expect(told(signed)).toEqual([]);
    expect(digestIn(signed)).toEqual([sha256(moduleOf('a'))]);
    const packed = `{http: {url: "${url}/risk.tar.gz"}}`;
    expect(digestIn(await load(packed))).toEqual([sha256(moduleOf('b'))]);
    expect(told(await load(packed, '  signedBy: [team]\n', {}, TEAM))).toEqual(['WEIR1208:6']);
    expect(told(await load(`{http: {url: "${url}/none.wasm"}}`))).toEqual(['WEIR1220:5']);
  });

  test('Always asks whether it has changed, by its ETag', async () => {
    let current = moduleOf('a');
    const statuses: number[] = [];
    const { url } = await serve((request, response) => {
      const etag = `"${sha256(current)}"`;
      const status = request.headers['if-none-match'] === etag ? 304 : 200;
      statuses.push(status);
      response.writeHead(status, { etag }).end(status === 200 ? current : undefined);
    });
    const cache = new ModuleCache(null);
    const digest = async () =>
      digestIn(await load(`{http: {url: "${url}/m", pullPolicy: Always}}`, '', { cache }));
    expect(await digest()).toEqual([sha256(moduleOf('a'))]);
    expect(await digest()).toEqual([sha256(moduleOf('a'))]);
    current = moduleOf('b');
    expect(await digest()).toEqual([sha256(moduleOf('b'))]);
    expect(statuses).toEqual([200, 304, 200]);
  });

  test('a server that fails for a moment is asked again; one that never ends is left', async () => {
    let asked = 0;
    const { url } = await serve((request, response) => {
      if (request.url === '/endless') {
        response.writeHead(200);
        const send = (): void => {
          while (!response.destroyed && response.write(Buffer.alloc(1024 * 1024)));
        };
        response.on('drain', send);
        send();
      } else response.writeHead(++asked < 3 ? 503 : 200, { 'retry-after': '0' }).end(moduleOf('a'));
    });
    expect(told(await load(`{http: {url: "${url}/busy"}}`))).toEqual([]);
    expect(asked).toBe(3);
    const endless = await load(`{http: {url: "${url}/endless"}}`);
    expect(told(endless)).toEqual(['WEIR1220:5']);
    expect(messages(endless)).toContain('more than 8 MiB');
  });

  test('redirects are followed, and not in circles', async () => {
    const seen: (string | undefined)[] = [];
    const storage = await serve((request, response) => {
      seen.push(request.headers.authorization);
      response.end(moduleOf('a'));
    });
    const { url } = await serve((request, response) => {
      const location = request.url === '/circle' ? '/circle' : `${storage.url}/blob`;
      response.writeHead(302, { location }).end();
    });
    expect(told(await load(`{http: {url: "${url}/there"}}`))).toEqual([]);
    expect(messages(await load(`{http: {url: "${url}/circle"}}`))).toContain('redirects more than 5 times');
    expect(seen).toEqual([undefined]);
  });
});
