import { randomBytes, timingSafeEqual } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { packageRoot } from '../../package-root.ts';
import type { Board } from './board.ts';

const TYPES: Record<string, string> = {
  html: 'text/html; charset=utf-8',
  js: 'text/javascript; charset=utf-8',
  css: 'text/css; charset=utf-8',
};
const FILES: Record<string, string> = {
  '/': 'page.html',
  '/page.js': 'page.js',
  '/page.css': 'page.css',
  '/overlay.js': 'overlay.js',
};
/** The page itself runs no script but its own, whatever a message contains. */
const POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'";

/**
 * The page of `weir dev`, on this machine alone. It shows sources, so another site in the same browser must not read it:
 * the address that was asked for must be this machine's, and whoever asks from another origin, as the overlay
 * in pages of the proxy does, needs the key.
 */
export class PageServer {
  readonly #board: Board;
  readonly #server: Server;
  readonly #key = randomBytes(16).toString('hex');

  constructor(board: Board) {
    this.#board = board;
    this.#server = createServer((request, response) => this.#serve(request, response));
  }

  /** @returns where it listens; another port where this one is taken */
  async listen(port: number): Promise<string> {
    await this.#bind(port).catch(() => this.#bind(0));
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** What pages of the proxy load to show faults. */
  get overlayUrl(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/overlay.js?key=${this.#key}`;
  }

  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }

  #bind(port: number): Promise<void> {
    return new Promise((done, failed) => {
      this.#server.once('error', failed);
      this.#server.listen(port, '127.0.0.1', () => {
        this.#server.off('error', failed);
        done();
      });
    });
  }

  #serve(request: IncomingMessage, response: ServerResponse): void {
    response.setHeader('cache-control', 'no-store');
    response.setHeader('x-content-type-options', 'nosniff');
    response.setHeader('referrer-policy', 'no-referrer');
    const url = new URL(request.url ?? '/', 'http://dev');
    const status = this.#refuses(request, url);
    if (status !== 0) return end(response, status);
    const file = FILES[url.pathname];
    if (url.pathname === '/events') this.#stream(request, response);
    else if (url.pathname === '/state') {
      response.setHeader('content-type', 'application/json');
      response.end(JSON.stringify(this.#board.state));
    } else if (file === undefined) end(response, 404);
    else {
      response.setHeader('content-type', TYPES[file.slice(file.lastIndexOf('.') + 1)]!);
      response.setHeader('content-security-policy', POLICY);
      response.end(readFileSync(join(packageRoot(), 'dist/dev', file)));
    }
  }

  #refuses({ method, headers }: IncomingMessage, url: URL): number {
    if (method !== 'GET') return 405;
    const name = headers.host?.replace(/:\d+$/, '');
    if (name !== '127.0.0.1' && name !== 'localhost') return 403;
    const { origin } = headers;
    const isOwn = origin === undefined || origin === `http://${headers.host}`;
    return isOwn || this.#isKey(url.searchParams.get('key') ?? '') ? 0 : 403;
  }

  #isKey(given: string): boolean {
    return given.length === this.#key.length && timingSafeEqual(Buffer.from(given), Buffer.from(this.#key));
  }

  /** Server-sent events: the state now, and whenever it changes. */
  #stream(request: IncomingMessage, response: ServerResponse): void {
    const { origin } = request.headers;
    response.writeHead(200, {
      'content-type': 'text/event-stream',
      ...(origin === undefined ? {} : { 'access-control-allow-origin': origin, vary: 'origin' }),
    });
    const send = (event: string, data: unknown): void => {
      response.write(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`);
    };
    const leave = this.#board.watch((event, data) => {
      if (event === 'state' || origin === undefined) send(event, data);
    });
    response.once('close', leave);
    send('state', this.#board.state);
    // The overlay has no use for them, and the page they lie over may be anybody's.
    if (origin === undefined) for (const each of this.#board.requests) send('request', each);
  }
}

function end(response: ServerResponse, status: number): void {
  response.statusCode = status;
  response.end();
}
