import { isIP } from 'node:net';
import type { Diagnostic } from './diagnostic.ts';
import { ConfigDocument } from './document.ts';
import { FileReader } from './files.ts';
import { loadDocuments, type Loaded, type LoadOptions } from './load.ts';

/** What `weir run --to URL --module F.wasm` says. */
export interface QuickOptions {
  /** `http://host:port` or `https://…`; a path in it is put before the path of requests. */
  readonly to: string;
  /** Wasm files, in the order of the chain. */
  readonly modules?: readonly string[];
  /** Default: 8080. */
  readonly port?: number;
  /** Default: 127.0.0.1. */
  readonly address?: string;
}

const ORIGIN = 'command line';
const NAMESPACE = 'default';

/**
 * A configuration without a file: one listener, one route, one upstream, and a chain of modules
 * without configuration. It goes the same way as a file does from its objects on.
 */
export async function quickConfiguration(quick: QuickOptions, options: LoadOptions = {}): Promise<Loaded> {
  const reader = new FileReader();
  const target = parseTarget(quick.to);
  if (typeof target === 'string')
    return loadDocuments([], reader, { diagnostics: [fault(target)], unread: [] }, options);
  const objects = [gateway(quick), route(target), upstream(target), ...chain(quick.modules ?? [])];
  const documents = objects.map((object) => ConfigDocument.made(ORIGIN, object));
  return loadDocuments(documents, reader, undefined, options);
}

interface Target {
  readonly secure: boolean;
  readonly host: string;
  readonly port: number;
  /** Empty, or without a slash at its end. */
  readonly path: string;
}

function parseTarget(to: string): Target | string {
  const url = URL.canParse(to) ? new URL(to) : null;
  if (url === null || (url.protocol !== 'http:' && url.protocol !== 'https:')) {
    return `--to must be a URL such as http://127.0.0.1:9000, got "${to}"`;
  }
  if (url.username !== '' || url.password !== '') return '--to must not hold a user name or password';
  if (url.search !== '' || url.hash !== '') return `--to must not hold a query or a fragment, got "${to}"`;
  const secure = url.protocol === 'https:';
  return {
    secure,
    host: url.hostname.replace(/^\[(.*)\]$/, '$1'),
    port: url.port === '' ? (secure ? 443 : 80) : Number(url.port),
    path: url.pathname.replace(/\/+$/, ''),
  };
}

function gateway(quick: QuickOptions) {
  return {
    apiVersion: 'gateway.networking.k8s.io/v1',
    kind: 'Gateway',
    metadata: { name: 'quick', namespace: NAMESPACE },
    spec: {
      addresses: [{ type: 'IPAddress', value: quick.address ?? '127.0.0.1' }],
      listeners: [{ name: 'http', port: quick.port ?? 8080, protocol: 'HTTP' }],
    },
  };
}

function route(target: Target) {
  const path = { type: 'ReplacePrefixMatch', replacePrefixMatch: target.path };
  return {
    apiVersion: 'gateway.networking.k8s.io/v1',
    kind: 'HTTPRoute',
    metadata: { name: 'quick', namespace: NAMESPACE },
    spec: {
      parentRefs: [{ name: 'quick' }],
      rules: [
        {
          name: 'all',
          matches: [{ path: { type: 'PathPrefix', value: '/' } }],
          filters: target.path === '' ? [] : [{ type: 'URLRewrite', urlRewrite: { path } }],
          backendRefs: [{ group: 'policy.weir', kind: 'Upstream', name: 'quick' }],
        },
      ],
    },
  };
}

function upstream({ host, port, secure }: Target) {
  const literal = isIP(host) !== 0;
  return {
    apiVersion: 'policy.weir/v1alpha1',
    kind: 'Upstream',
    metadata: { name: 'quick', namespace: NAMESPACE },
    spec: {
      endpoints: literal ? { static: [{ address: host, port }] } : { dns: { name: host, port } },
      ...(secure ? { tls: { serverName: host } } : {}),
    },
  };
}

function* chain(files: readonly string[]) {
  for (const [i, file] of files.entries()) {
    yield {
      apiVersion: 'policy.weir/v1alpha1',
      kind: 'Module',
      metadata: { name: `module-${i}`, namespace: NAMESPACE },
      spec: { source: { file } },
    };
  }
  if (files.length === 0) return;
  yield {
    apiVersion: 'policy.weir/v1alpha1',
    kind: 'FilterChain',
    metadata: { name: 'quick', namespace: NAMESPACE },
    spec: {
      targetRefs: [{ kind: 'Gateway', name: 'quick' }],
      filters: files.map((_, i) => ({ name: `module-${i}`, use: `module/module-${i}` })),
    },
  };
}

function fault(message: string): Diagnostic {
  return { code: 'WEIR1044', severity: 'error', file: ORIGIN, line: 0, column: 1, length: 1, message };
}
