import { mkdtemp, writeFile } from 'node:fs/promises';
import { isIP } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { stringify } from 'yaml';

export interface QuickStart {
  /** Where requests go: `http://HOST[:PORT]` or `https://…`. */
  readonly to: string;
  /** A Wasm filter for all of them. */
  readonly module: string | null;
  readonly port: number;
}

/**
 * Writes the configuration of a proxy that was described on the command line, so that it takes
 * the same way as any other: it is checked, watched and reloaded, and its module with it.
 *
 * @throws Error where the URL is none that can be proxied to
 */
export async function writeQuickStart(quick: QuickStart): Promise<{ file: string; folder: string }> {
  const text = quickStartConfiguration(quick);
  const folder = await mkdtemp(join(tmpdir(), 'weir-quick-'));
  const file = join(folder, 'quick-start.yaml');
  await writeFile(file, text);
  return { file, folder };
}

export function quickStartConfiguration({ to, module, port }: QuickStart): string {
  if (!URL.canParse(to)) throw new Error(`--to ${to} is not a URL`);
  const url = new URL(to);
  if (url.protocol !== 'http:' && url.protocol !== 'https:')
    throw new Error(`--to ${to}: expected http:// or https://`);
  if (url.pathname !== '/' || url.search !== '' || url.hash !== '' || url.username !== '') {
    throw new Error(`--to ${to}: give scheme, host and port alone, ${url.protocol}//${url.host}`);
  }
  const isTls = url.protocol === 'https:';
  const address = url.hostname.replace(/^\[|\]$/g, '');
  const upstreamPort = url.port === '' ? (isTls ? 443 : 80) : Number(url.port);
  const endpoints = isIP(address)
    ? { static: [{ address, port: upstreamPort }] }
    : { dns: { name: address, port: upstreamPort } };
  const objects: object[] = [
    {
      apiVersion: 'gateway.networking.k8s.io/v1',
      kind: 'Gateway',
      metadata: { name: 'quick' },
      spec: { gatewayClassName: 'weir', listeners: [{ name: 'http', port, protocol: 'HTTP' }] },
    },
    {
      apiVersion: 'gateway.networking.k8s.io/v1',
      kind: 'HTTPRoute',
      metadata: { name: 'quick' },
      spec: {
        parentRefs: [{ name: 'quick' }],
        rules: [{ backendRefs: [{ group: 'policy.weir', kind: 'Upstream', name: 'quick' }] }],
      },
    },
    {
      apiVersion: 'policy.weir/v1alpha1',
      kind: 'Upstream',
      metadata: { name: 'quick' },
      spec: { endpoints, ...(isTls ? { tls: isIP(address) ? { serverName: address } : {} } : {}) },
    },
  ];
  if (module !== null) {
    objects.push(
      {
        apiVersion: 'policy.weir/v1alpha1',
        kind: 'Module',
        metadata: { name: 'quick' },
        spec: { source: { file: resolve(module) } },
      },
      {
        apiVersion: 'policy.weir/v1alpha1',
        kind: 'FilterChain',
        metadata: { name: 'quick' },
        spec: {
          targetRefs: [{ kind: 'Gateway', name: 'quick' }],
          filters: [{ name: 'module', use: 'module/quick' }],
        },
      },
    );
  }
  return objects.map((object) => stringify(object)).join('---\n');
}
