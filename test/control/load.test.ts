import { createHash } from 'node:crypto';
import { chmod, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { loadConfiguration } from '../../src/control/load.ts';
import { quickConfiguration } from '../../src/control/quick.ts';
import { makeCertificate } from '../support/certificate.ts';

const EMPTY_MODULE = Buffer.from([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0]);
const DIGEST = createHash('sha256').update(EMPTY_MODULE).digest('hex');
const now = Date.UTC(2026, 5, 1);

const GATEWAY = `
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: edge}
spec: {listeners: [{name: http, port: 8080, protocol: HTTP}]}
`;
const ROUTE = `
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: app}
spec:
  parentRefs: [{name: edge}]
  rules: [{backendRefs: [{group: policy.weir, kind: Upstream, name: up}]}]
`;
const UPSTREAM = `
apiVersion: policy.weir/v1alpha1
kind: Upstream
metadata: {name: up}
spec: {endpoints: {static: [{address: 127.0.0.1, port: 9001}]}}
`;
const CHAIN = `
apiVersion: policy.weir/v1alpha1
kind: FilterChain
metadata: {name: chain}
spec:
  targetRefs: [{kind: Gateway, name: edge}]
  filters: [{name: own, use: module/own, config: {level: 2}}]
`;
const MODULE = (more = '') => `
apiVersion: policy.weir/v1alpha1
kind: Module
metadata: {name: own}
spec:
  source: {file: ../wasm/own.wasm}
${more}
`;

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'weir-load-'));
});
afterEach(() => rm(folder, { recursive: true }));

async function put(files: Record<string, string | Buffer>): Promise<void> {
  for (const [name, content] of Object.entries(files)) {
    await mkdir(dirname(join(folder, name)), { recursive: true });
    await writeFile(join(folder, name), content, { mode: 0o600 });
  }
}

const load = (...paths: string[]) =>
  loadConfiguration(paths.length > 0 ? paths.map((path) => join(folder, path)) : [folder], {
    now,
    filters: join(folder, 'none'),
  });

const codesOf = (loaded: { diagnostics: readonly { code: string }[] }) =>
  loaded.diagnostics.map(({ code }) => code);

describe('files and folders', () => {
  test('a folder is read with its sub-folders; hidden ones and other files are not', async () => {
    await put({
      'a.yaml': GATEWAY,
      'sub/b.yml': ROUTE,
      'sub/deep/c.YAML': UPSTREAM,
      '.git/d.yaml': 'broken: [',
      'node_modules/x/e.yaml': 'broken: [',
      'notes.txt': 'broken: [',
    });
    const { snapshot, diagnostics, files } = await load();
    expect(diagnostics).toEqual([]);
    expect(snapshot?.rules).toHaveLength(1);
    expect(files.map((file) => file.slice(folder.length + 1))).toEqual([
      'a.yaml',
      'sub/b.yml',
      'sub/deep/c.YAML',
    ]);
  });

  test('a folder that is linked to itself ends', async () => {
    await put({ 'a.yaml': GATEWAY });
    await symlink(folder, join(folder, 'loop'));
    expect(codesOf(await load())).toEqual([]);
  });

  test('a file that is named twice is read once', async () => {
    await put({ 'a.yaml': GATEWAY });
    expect(codesOf(await load('a.yaml', '', 'a.yaml'))).toEqual([]);
  });

  test.each([
    ['nothing', {}, ['WEIR3033']],
    ['a file of another kind', { 'a.yam': GATEWAY }, ['WEIR3033']],
    ['empty files', { 'a.yaml': '', 'b.yaml': '# nothing\n---\n' }, []],
  ])('%s is a configuration without ports', async (_what, files, warnings) => {
    await put(files);
    const loaded = await load();
    expect(codesOf(loaded)).toEqual(warnings);
    expect(loaded.snapshot?.ports).toEqual([]);
  });

  test('what cannot be read is reported, and the rest is still checked', async () => {
    await put({ 'a.yaml': Buffer.from([0x61, 0xff, 0xfe]), 'b.yaml': 'kind: Gatewy' });
    const loaded = await load('missing.yaml', 'a.yaml', 'b.yaml');
    expect(codesOf(loaded).sort()).toEqual(['WEIR1003', 'WEIR1003', 'WEIR1010']);
    expect(loaded.snapshot).toBeNull();
  });
});

describe('version', () => {
  test('does not depend on files, order and comments', async () => {
    await put({
      'one/all.yaml': [GATEWAY, ROUTE, UPSTREAM].join('---'),
      'two/x.yaml': `# a comment\n${UPSTREAM}`,
      'two/y.yaml': [ROUTE, GATEWAY].join('---'),
    });
    const one = await load('one');
    const two = await load('two');
    expect(one.snapshot!.version).toMatch(/^[0-9a-f]{64}$/);
    expect(two.snapshot!.version).toBe(one.snapshot!.version);
    expect(two.snapshot!.rules[0]!.source).not.toBe(one.snapshot!.rules[0]!.source);
  });

  test('depends on what the runtime would do differently, and on the bytes of modules', async () => {
    const files = [GATEWAY, ROUTE, UPSTREAM, CHAIN, MODULE()];
    await put({ 'a/a.yaml': files.join('---'), 'wasm/own.wasm': EMPTY_MODULE });
    const first = (await load('a')).snapshot!.version;
    await put({ 'wasm/own.wasm': Buffer.concat([EMPTY_MODULE, Buffer.from([0, 1, 0])]) });
    const second = (await load('a')).snapshot!.version;
    await put({ 'a/a.yaml': files.join('---').replace('level: 2', 'level: 3') });
    const third = (await load('a')).snapshot!.version;
    expect(new Set([first, second, third]).size).toBe(3);
  });

  test('a snapshot is frozen to its leaves', async () => {
    await put({ 'a.yaml': [GATEWAY, ROUTE, UPSTREAM].join('---') });
    const { snapshot } = await load();
    expect(Object.isFrozen(snapshot!.ports[0]!.listeners[0]!.virtualHosts)).toBe(true);
    expect(structuredClone(snapshot)).toEqual(snapshot);
  });
});

describe('modules', () => {
  const all = (module: string) => [GATEWAY, ROUTE, UPSTREAM, CHAIN, module].join('---');

  test('are read beside the YAML file and handed on by digest', async () => {
    await put({
      'a/a.yaml': all(MODULE(`  sha256: ${DIGEST}\n  limits: {memory: 1Mi}`)),
      'wasm/own.wasm': EMPTY_MODULE,
    });
    const { snapshot, code, diagnostics, files } = await load('a');
    expect(diagnostics).toEqual([]);
    expect([...code.keys()]).toEqual([DIGEST]);
    expect(snapshot!.modules).toMatchObject([
      { name: 'default/own', digest: DIGEST, memoryBytes: 1_048_576 },
    ]);
    expect(snapshot!.plugins).toMatchObject([
      { name: 'default/chain#own', filter: 'own', configuration: '{"level":2}' },
    ]);
    expect(files).toContain(join(folder, 'wasm/own.wasm'));
  });

  test('bytes that are not the pinned ones are refused, with the digest that they have', async () => {
    await put({ 'a/a.yaml': all(MODULE(`  sha256: ${'f'.repeat(64)}`)), 'wasm/own.wasm': EMPTY_MODULE });
    const loaded = await load('a');
    expect(codesOf(loaded)).toEqual(['WEIR1202']);
    expect(loaded.diagnostics[0]!.notes![0]).toContain(DIGEST);
    expect(loaded.code.size).toBe(0);
  });

  test('a missing file is watched, so that its arrival is noticed', async () => {
    await put({ 'a/a.yaml': all(MODULE()) });
    const loaded = await load('a');
    expect(codesOf(loaded)).toEqual(['WEIR1201']);
    expect(loaded.files).toContain(join(folder, 'wasm/own.wasm'));
  });

  test('a file that is no module is refused', async () => {
    await put({ 'a/a.yaml': all(MODULE()), 'wasm/own.wasm': Buffer.from('(module)') });
    expect(codesOf(await load('a'))).toEqual(['WEIR1203']);
  });

  test('a plain string is handed to the filter as it is', async () => {
    await put({ 'a/a.yaml': all(MODULE()).replace('{level: 2}', 'Bearer x'), 'wasm/own.wasm': EMPTY_MODULE });
    expect((await load('a')).snapshot!.plugins[0]!.configuration).toBe('Bearer x');
  });
});

describe('certificates', () => {
  const { certificatePem, keyPem } = makeCertificate({
    names: ['shop.example.com', '*.Example.org'],
    notBefore: new Date(Date.UTC(2026, 0, 1)),
    notAfter: new Date(Date.UTC(2027, 0, 1)),
  });
  const gateway = (reference: string) =>
    GATEWAY.replace('protocol: HTTP}', `protocol: HTTPS, tls: {certificateRefs: [${reference}]}}`);
  const files = `
apiVersion: policy.weir/v1alpha1
kind: Certificate
metadata: {name: shop}
spec: {certificate: {file: tls/shop.crt}, privateKey: {file: tls/shop.key}}
`;
  const reference = '{group: policy.weir, kind: Certificate, name: shop}';

  test('come from files', async () => {
    await put({
      'a.yaml': [gateway(reference), files].join('---'),
      'tls/shop.crt': certificatePem,
      'tls/shop.key': keyPem,
    });
    const { snapshot, diagnostics, files: read } = await load();
    expect(diagnostics).toEqual([]);
    expect(snapshot!.ports[0]!.protocol).toBe('https');
    expect(snapshot!.ports[0]!.listeners[0]!.certificates).toEqual([
      { chainPem: certificatePem, keyPem, names: ['shop.example.com', '*.example.org'] },
    ]);
    expect(read).toContain(join(folder, 'tls/shop.key'));
  });

  test('come from a Secret, plain or in base64', async () => {
    const plain = JSON.stringify({ 'tls.crt': certificatePem, 'tls.key': keyPem });
    const base64 = JSON.stringify({
      'tls.crt': Buffer.from(certificatePem).toString('base64'),
      'tls.key': Buffer.from(keyPem).toString('base64'),
    });
    for (const data of [`stringData: ${plain}`, `data: ${base64}`]) {
      const secret = `\napiVersion: v1\nkind: Secret\nmetadata: {name: shop}\ntype: kubernetes.io/tls\n${data}\n`;
      await put({ 'a.yaml': [gateway('{name: shop}'), secret].join('---') });
      const { snapshot, diagnostics } = await load();
      expect(diagnostics).toEqual([]);
      expect(snapshot!.ports[0]!.listeners[0]!.certificates).toHaveLength(1);
    }
  });

  test('a key that every user can read is refused', async () => {
    await put({
      'a.yaml': [gateway(reference), files].join('---'),
      'tls/shop.crt': certificatePem,
      'tls/shop.key': keyPem,
    });
    await chmod(join(folder, 'tls/shop.key'), 0o644);
    expect(codesOf(await load())).toEqual(['WEIR1303']);
    await chmod(join(folder, 'tls/shop.key'), 0o640);
    expect(codesOf(await load())).toEqual([]);
  });

  test('a key of another certificate is refused', async () => {
    const other = makeCertificate({ names: ['other'] });
    await put({
      'a.yaml': [gateway(reference), files].join('---'),
      'tls/shop.crt': certificatePem,
      'tls/shop.key': other.keyPem,
    });
    expect(codesOf(await load())).toEqual(['WEIR1302']);
  });

  test('outside of their period they are a warning', async () => {
    await put({
      'a.yaml': [gateway(reference), files].join('---'),
      'tls/shop.crt': certificatePem,
      'tls/shop.key': keyPem,
    });
    const late = await loadConfiguration([folder], {
      now: Date.UTC(2028, 0, 1),
      filters: join(folder, 'none'),
    });
    expect(codesOf(late)).toEqual(['WEIR3008']);
    expect(late.snapshot).not.toBeNull();
  });

  test('no message shows what is in a Secret', async () => {
    const secret = `\napiVersion: v1\nkind: Secret\nmetadata: {name: shop}\nstringData: {tls.crt: hush-a, tls.key: hush-b}\ndata: {x: "hush-c?"}\nextra: hush-d\nimmutable: hush-e\n`;
    await put({ 'a.yaml': [gateway('{name: shop}'), secret].join('---') });
    const { diagnostics } = await load();
    expect(codesOf({ diagnostics })).toContain('WEIR1301');
    expect(JSON.stringify(diagnostics)).not.toContain('hush');
  });

  test('authorities of an upstream come from a file, a Secret or a ConfigMap', async () => {
    const upstream = (ca: string) =>
      UPSTREAM.replace('}]}}', `}]}, tls: {serverName: up.example.com, ca: ${ca}}}`);
    const data = JSON.stringify({ 'ca.crt': certificatePem });
    const stored = `\napiVersion: v1\nkind: Secret\nmetadata: {name: ca}\nstringData: ${data}\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: ca}\ndata: ${data}\n`;
    for (const ca of ['{file: ca.pem}', '{secret: {name: ca}}', '{configMap: {name: ca}}']) {
      await put({ 'a.yaml': [GATEWAY, ROUTE, upstream(ca), stored].join('---'), 'ca.pem': certificatePem });
      const { snapshot, diagnostics } = await load();
      expect(diagnostics).toEqual([]);
      expect(snapshot!.clusters[0]!.tls).toEqual({
        serverName: 'up.example.com',
        caPem: certificatePem,
        verify: true,
      });
    }
    await put({ 'a.yaml': [GATEWAY, ROUTE, upstream('{secret: {name: nix}}')].join('---') });
    expect(codesOf(await load())).toEqual(['WEIR2108']);
  });
});

describe('quickConfiguration', () => {
  const options = () => ({ filters: join(folder, 'none') });

  test('serves everything from one upstream', async () => {
    const { snapshot, diagnostics } = await quickConfiguration(
      { to: 'http://127.0.0.1:9000', port: 8081 },
      options(),
    );
    expect(diagnostics).toEqual([]);
    expect(snapshot).toMatchObject({
      ports: [{ address: '127.0.0.1', port: 8081, protocol: 'http' }],
      rules: [{ name: 'default/quick#all', rewrite: null, backends: [{ cluster: 0 }] }],
      clusters: [{ endpoints: [{ address: '127.0.0.1', port: 9000 }], dns: null, tls: null }],
    });
  });

  test('https verifies the name, and a path is put before that of requests', async () => {
    const { snapshot } = await quickConfiguration({ to: 'https://api.example.com/v2/' }, options());
    expect(snapshot).toMatchObject({
      rules: [{ rewrite: { path: { type: 'prefix', value: '/v2' } } }],
      clusters: [
        { dns: { name: 'api.example.com', port: 443 }, tls: { serverName: 'api.example.com', verify: true } },
      ],
    });
  });

  test('modules run in the order that they are given in', async () => {
    await put({ 'a.wasm': EMPTY_MODULE, 'b.wasm': Buffer.concat([EMPTY_MODULE, Buffer.from([0, 1, 0])]) });
    const modules = [join(folder, 'b.wasm'), join(folder, 'a.wasm')];
    const { snapshot, code, files } = await quickConfiguration(
      { to: 'http://[::1]:9000', modules },
      options(),
    );
    expect(snapshot!.chains[snapshot!.rules[0]!.chain]).toEqual([0, 1]);
    expect(snapshot!.modules[1]!.digest).toBe(DIGEST);
    expect(code.size).toBe(2);
    expect(files).toEqual(expect.arrayContaining(modules));
  });

  test.each(['localhost:9000', 'ftp://x', 'http://u:p@x', 'http://x/?q=1', ''])(
    '%j is refused',
    async (to) => {
      const loaded = await quickConfiguration({ to }, options());
      expect(codesOf(loaded)).toEqual(['WEIR1044']);
      expect(loaded.snapshot).toBeNull();
      expect(JSON.stringify(loaded.diagnostics)).not.toContain('u:p');
    },
  );
});
