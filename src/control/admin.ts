import { createHash, timingSafeEqual } from 'node:crypto';
import { chmod, lstat, unlink } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { send, sendJson, sendText, type Page } from './admin-page.ts';
import { isTrustedHost, type AdminAddress } from './admin-address.ts';
import { quotaPages, type QuotaSource } from './quota-pages.ts';
import { readExplainRequest, type ExplainRequest } from './explain-request.ts';
import { readTapRequest, type TapRequest } from './tap-request.ts';
import type { WatchSink } from './watch-sink.ts';

/** What the server answers with; it knows nothing else of weir. */
export interface AdminSource {
  /** `LIVE`, or why weir is not ready. */
  state(): 'LIVE' | 'INITIALIZING' | 'DRAINING';
  detail(): Promise<unknown>;
  metrics(): Promise<{ type: string; text: string }>;
  configDump(): unknown;
  clusters(): Promise<string>;
  level(): string;
  /** @returns false where there is no such level */
  setLevel(level: string): boolean;
  readonly quotas: QuotaSource;
  /** Why there cannot be such a tap; null where there can. */
  tapRefusal(request: TapRequest): string | null;
  /** Resolves when the tap is over. */
  tap(request: TapRequest, sink: WatchSink): Promise<void>;
  /** Why no more requests can be explained; null where they can. */
  watchRefusal(): string | null;
  /** Resolves when enough are explained. */
  explain(request: ExplainRequest, sink: WatchSink): Promise<void>;
}

export interface AdminOptions {
  /** Requests must carry it as a bearer token; null: whoever reaches the address may ask. */
  readonly token: string | null;
}

const MAX_CONNECTIONS = 256;

/** Admin and metrics over HTTP. It reads; what it changes is the log level and accounts of quotas. */
export class AdminServer {
  private readonly server: Server;
  private readonly pages: ReadonlyMap<string, Page>;
  private readonly token: string | null;
  private boundTo = '';

  constructor(source: AdminSource, options: AdminOptions) {
    this.token = options.token;
    this.pages = pagesOf(source);
    this.server = createServer({ requestTimeout: 10_000, headersTimeout: 10_000, keepAliveTimeout: 30_000 });
    this.server.maxConnections = MAX_CONNECTIONS;
    this.server.on('request', (request, response) => void this.serve(request, response));
  }

  /** @returns where it listens, as a URL or a path; rejects where the address cannot be bound */
  async listen(address: Exclude<AdminAddress, { kind: 'off' }>): Promise<string> {
    const { server } = this;
    // One that a process left behind; a path that is anything else but a socket stays and refuses.
    if (address.kind === 'unix') await removeStaleSocket(address.path);
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      const done = (): void => {
        server.off('error', reject);
        resolve();
      };
      if (address.kind === 'tcp') {
        server.listen({ host: address.host, port: address.port, exclusive: true }, done);
      } else {
        // The socket is nobody else's from its first moment.
        const mask = process.umask(0o177);
        server.listen(address.path, done);
        process.umask(mask);
      }
    });
    if (address.kind === 'unix') {
      await chmod(address.path, 0o600);
      return address.path;
    }
    this.boundTo = address.host;
    const bound = server.address();
    const port = typeof bound === 'object' && bound ? bound.port : address.port;
    return `http://${address.host.includes(':') ? `[${address.host}]` : address.host}:${port}`;
  }

  close(): void {
    this.server.close();
    this.server.closeAllConnections();
  }

  private async serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    response.setHeader('server', 'weir');
    response.setHeader('cache-control', 'no-store');
    response.setHeader('x-content-type-options', 'nosniff');
    try {
      const url = new URL(request.url ?? '/', 'http://admin');
      const page = this.pages.get(url.pathname);
      const isOpen = page?.open === true && !url.searchParams.has('verbose');
      const refusal = this.refusalOf(request, isOpen);
      if (refusal) return sendText(response, refusal.status, refusal.reason);
      if (!page) return sendText(response, 404, 'no such page; / lists them\n');
      const isRead = request.method === 'GET' || request.method === 'HEAD';
      if (page.method === 'GET' ? !isRead : request.method !== 'POST') {
        response.setHeader('allow', page.method === 'GET' ? 'GET, HEAD' : 'POST');
        return sendText(response, 405, `use ${page.method}\n`);
      }
      await page.answer(url.searchParams, response);
    } catch (error) {
      if (response.headersSent) response.destroy();
      else sendText(response, 500, `${error instanceof Error ? error.message : String(error)}\n`);
    }
  }

  private refusalOf(request: IncomingMessage, isOpen: boolean): { status: number; reason: string } | null {
    if (this.token !== null) {
      return isOpen || bearerIs(request, this.token)
        ? null
        : { status: 401, reason: 'a bearer token is required\n' };
    }
    const { host, origin } = request.headers;
    // Over a Unix socket no browser gets here.
    const isTrusted = this.boundTo === '' || isTrustedHost(host, this.boundTo);
    if (!isTrusted) return { status: 403, reason: 'this Host is not an address of the admin server\n' };
    if (origin !== undefined && origin !== `http://${host}`) {
      return { status: 403, reason: 'requests of other origins are refused\n' };
    }
    return null;
  }
}

function pagesOf(source: AdminSource): Map<string, Page> {
  const metrics: Page = {
    method: 'GET',
    about: 'metrics in Prometheus text format',
    answer: async (_query, response) => {
      const { type, text } = await source.metrics();
      send(response, 200, type, text);
    },
  };
  const pages = new Map<string, Page>();
  pages.set('/', {
    method: 'GET',
    about: 'this list',
    answer: (_query, response) => {
      const lines = [...pages].map(
        ([path, page]) => `${page.method.padEnd(4)} ${path.padEnd(20)} ${page.about}`,
      );
      sendText(response, 200, `${lines.join('\n')}\n`);
    },
  });
  pages.set('/ready', {
    method: 'GET',
    about:
      '200 when all workers serve the snapshot in force; ?verbose: workers, versions, the last refused configuration',
    open: true,
    answer: async (query, response) => {
      const state = source.state();
      const status = state === 'LIVE' ? 200 : 503;
      if (query.has('verbose')) sendJson(response, status, await source.detail());
      else sendText(response, status, `${state}\n`);
    },
  });
  pages.set('/metrics', metrics);
  pages.set('/stats/prometheus', metrics);
  pages.set('/config_dump', {
    method: 'GET',
    about: 'the snapshot in force, without its secrets',
    answer: (_query, response) => sendJson(response, 200, source.configDump()),
  });
  pages.set('/clusters', {
    method: 'GET',
    about: 'clusters and their endpoints',
    answer: async (_query, response) => sendText(response, 200, await source.clusters()),
  });
  pages.set('/logging', {
    method: 'POST',
    about: 'changes the log level: ?level=debug',
    answer: (query, response) => {
      const level = query.get('level');
      if (level !== null && !source.setLevel(level))
        return sendText(response, 400, `no log level ${JSON.stringify(level)}\n`);
      sendText(response, 200, `level: ${source.level()}\n`);
    },
  });
  pages.set('/tap', {
    method: 'GET',
    about: 'records what a filter does with its requests, in JSON Lines: ?filter=NAME&count=10&for=30s',
    answer: async (query, response) => {
      const request = readTapRequest(query);
      if (typeof request === 'string') return sendText(response, 400, `${request}\n`);
      const refusal = source.tapRefusal(request);
      if (refusal !== null) return sendText(response, 409, `${refusal}\n`);
      await stream(response, (sink) => source.tap(request, sink));
    },
  });
  pages.set('/explain', {
    method: 'GET',
    about: 'explains requests that carry the token of its first line, in JSON Lines: ?count=1&for=60s',
    answer: async (query, response) => {
      const request = readExplainRequest(query);
      if (typeof request === 'string') return sendText(response, 400, `${request}\n`);
      const refusal = source.watchRefusal();
      if (refusal !== null) return sendText(response, 409, `${refusal}\n`);
      await stream(response, (sink) => source.explain(request, sink));
    },
  });
  for (const [path, page] of quotaPages(source.quotas)) pages.set(path, page);
  return pages;
}

/** Answers with lines that come as they come. */
async function stream(response: ServerResponse, write: (sink: WatchSink) => Promise<void>): Promise<void> {
  response.writeHead(200, { 'content-type': 'application/jsonl; charset=utf-8' });
  if (response.req.method === 'HEAD') return void response.end();
  response.flushHeaders();
  await write(sinkOf(response));
  response.end();
}

/** A reader that is slow holds its writer back; one that is gone takes everything. */
function sinkOf(response: ServerResponse): WatchSink {
  const gone = new AbortController();
  response.on('close', () => gone.abort());
  return {
    signal: gone.signal,
    write: (lines) =>
      new Promise((resolve) => {
        if (response.destroyed) resolve();
        else response.write(lines, () => resolve());
      }),
  };
}

function bearerIs(request: IncomingMessage, token: string): boolean {
  const given = /^Bearer (.+)$/i.exec(request.headers.authorization ?? '')?.[1] ?? '';
  // Digests have one length, so that the comparison tells nothing by its time.
  const digest = (text: string): Buffer => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(given), digest(token));
}

async function removeStaleSocket(path: string): Promise<void> {
  const found = await lstat(path).catch(() => null);
  if (found?.isSocket()) await unlink(path);
}
