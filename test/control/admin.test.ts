import { link, mkdtemp, rm, stat } from 'node:fs/promises';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { AdminServer, type AdminSource } from '../../src/control/admin.ts';
import { isLoopback, isTrustedHost, parseAdminAddress } from '../../src/control/admin-address.ts';
import { exchange } from '../support/raw-client.ts';

let server: AdminServer | null = null;
afterEach(() => {
  server?.close();
  server = null;
});

interface Faked extends AdminSource {
  now: 'LIVE' | 'INITIALIZING' | 'DRAINING';
}

function source(): Faked {
  let level = 'info';
  return {
    now: 'LIVE',
    state() {
      return this.now;
    },
    detail: () => Promise.resolve({ state: 'LIVE' }),
    metrics: () =>
      Promise.resolve({ type: 'text/plain; version=0.0.4; charset=utf-8', text: 'weir_ready 1\n' }),
    configDump: () => ({ number: 3 }),
    clusters: () => Promise.resolve('shop/a::127.0.0.1:9001::weight::1\n'),
    level: () => level,
    setLevel: (next) => {
      if (next !== 'debug' && next !== 'info') return false;
      level = next;
      return true;
    },
    quotas: {
      usage: () => Promise.resolve([]),
      adjustments: () => Promise.resolve([]),
      change: () => Promise.reject(new Error('no')),
    },
    tapRefusal: ({ spec }) =>
      spec.filters.includes('auth') ? null : 'no filter is named so; there are: auth',
    watchRefusal: () => null,
    explain: async ({ spec, limitMs }, sink) => {
      await sink.write(`${JSON.stringify({ count: spec.count, redact: spec.redact, limitMs })}\n`);
    },
    tap: async ({ spec }, sink) => {
      await sink.write(`${JSON.stringify({ count: spec.count, path: spec.path })}\n`);
    },
  };
}

async function start(from: AdminSource, token: string | null = null): Promise<number> {
  server = new AdminServer(from, { token });
  const url = await server.listen({ kind: 'tcp', host: '127.0.0.1', port: 0 });
  return Number(new URL(url).port);
}

async function ask(
  port: number,
  line: string,
  ...fields: string[]
): Promise<{ status: number; text: string; type: string }> {
  const hasHost = fields.some((field) => field.toLowerCase().startsWith('host:'));
  const head = [
    `${line} HTTP/1.1`,
    ...(hasHost ? [] : [`Host: 127.0.0.1:${port}`]),
    ...fields,
    'Connection: close',
  ];
  const answer = await exchange({ port }, `${head.join('\r\n')}\r\n\r\n`);
  return { status: answer.status, text: answer.text, type: answer.header('content-type') ?? '' };
}

describe('AdminServer', () => {
  test('/ready tells by its status', async () => {
    const from = source();
    const port = await start(from);
    expect(await ask(port, 'GET /ready')).toMatchObject({ status: 200, text: 'LIVE\n' });
    from.now = 'DRAINING';
    expect(await ask(port, 'GET /ready')).toMatchObject({ status: 503, text: 'DRAINING\n' });
    expect(await ask(port, 'GET /ready?verbose')).toMatchObject({ status: 503, type: 'application/json' });
  });

  test('serves metrics where Prometheus and Envoy look for them', async () => {
    const port = await start(source());
    for (const path of ['/metrics', '/stats/prometheus']) {
      const answer = await ask(port, `GET ${path}`);
      expect(answer).toMatchObject({ status: 200, text: 'weir_ready 1\n' });
      expect(answer.type).toContain('version=0.0.4');
    }
  });

  test('lists its pages', async () => {
    const port = await start(source());
    const { text } = await ask(port, 'GET /');
    for (const path of ['/ready', '/metrics', '/config_dump', '/clusters', '/logging'])
      expect(text).toContain(path);
    expect((await ask(port, 'GET /nowhere')).status).toBe(404);
  });

  test('changes the log level by POST alone', async () => {
    const port = await start(source());
    expect((await ask(port, 'GET /logging?level=debug')).status).toBe(405);
    expect(await ask(port, 'POST /logging?level=debug', 'Content-Length: 0')).toMatchObject({
      status: 200,
      text: 'level: debug\n',
    });
    expect((await ask(port, 'POST /logging?level=loud', 'Content-Length: 0')).status).toBe(400);
    for (const method of ['POST', 'PUT', 'DELETE']) {
      expect((await ask(port, `${method} /ready`, 'Content-Length: 0')).status).toBe(405);
    }
  });

  test('refuses names that somebody else pointed at it', async () => {
    const port = await start(source());
    expect((await ask(port, 'GET /config_dump', `Host: evil.example:${port}`)).status).toBe(403);
    expect((await ask(port, 'GET /config_dump', `Host: localhost:${port}`)).status).toBe(200);
    expect((await ask(port, 'GET /config_dump', 'Host: [::1]')).status).toBe(200);
  });

  test('refuses requests of pages of other origins', async () => {
    const port = await start(source());
    const post = (origin: string) =>
      ask(port, 'POST /logging?level=debug', 'Content-Length: 0', `Origin: ${origin}`);
    expect((await post('http://evil.example')).status).toBe(403);
    expect((await post(`http://127.0.0.1:${port}`)).status).toBe(200);
  });

  test('asks for its token everywhere but on /ready', async () => {
    const port = await start(source(), 'a-long-enough-token');
    expect((await ask(port, 'GET /ready')).status).toBe(200);
    expect((await ask(port, 'GET /ready?verbose')).status).toBe(401);
    expect((await ask(port, 'GET /metrics')).status).toBe(401);
    expect((await ask(port, 'GET /metrics', 'Authorization: Bearer a-wrong-one')).status).toBe(401);
    // With the token the name does not matter: a page of somebody else does not have it.
    const answer = await ask(
      port,
      'GET /metrics',
      'Host: gateway.internal',
      'Authorization: Bearer a-long-enough-token',
    );
    expect(answer.status).toBe(200);
  });

  test('listens on a Unix socket that is its owner’s alone, and takes over a stale one', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'weir-admin-'));
    const path = join(folder, 'admin.sock');
    try {
      for (let i = 0; i < 2; i++) {
        server = new AdminServer(source(), { token: null });
        expect(await server.listen({ kind: 'unix', path })).toBe(path);
        expect((await stat(path)).mode & 0o777).toBe(0o600);
        if (i === 0) {
          // As a killed process leaves it: the name stays.

          await link(path, `${path}.kept`);
          server.close();
          await link(`${path}.kept`, path).catch(() => undefined);
        }
      }
      const status = await new Promise((resolve, reject) => {
        request({ socketPath: path, path: '/ready', headers: { connection: 'close' } }, (answer) => {
          answer.resume();
          resolve(answer.statusCode);
        })
          .on('error', reject)
          .end();
      });
      expect(status).toBe(200);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });

  test('says so where the address is taken', async () => {
    const port = await start(source());
    const other = new AdminServer(source(), { token: null });
    await expect(other.listen({ kind: 'tcp', host: '127.0.0.1', port })).rejects.toMatchObject({
      code: 'EADDRINUSE',
    });
  });
});

test.each([
  ['127.0.0.1:9901', { kind: 'tcp', host: '127.0.0.1', port: 9901 }],
  ['[::1]:80', { kind: 'tcp', host: '::1', port: 80 }],
  ['9901', { kind: 'tcp', host: '127.0.0.1', port: 9901 }],
  ['gateway:0', { kind: 'tcp', host: 'gateway', port: 0 }],
  ['unix:/run/weir.sock', { kind: 'unix', path: '/run/weir.sock' }],
  ['off', { kind: 'off' }],
  ['', null],
  ['unix:', null],
  ['host', null],
  ['host:', null],
  ['host:99999', null],
  ['::1:80', null],
])('admin address %j is %j', (text, expected) => {
  expect(parseAdminAddress(text)).toEqual(expected);
});

test.each([
  ['127.0.0.1', true],
  ['127.8.8.8', true],
  ['::1', true],
  ['localhost', true],
  ['0.0.0.0', false],
  ['::', false],
  ['10.0.0.1', false],
  ['127.evil.example', false],
])('%s is loopback: %s', (host, expected) => {
  expect(isLoopback(host)).toBe(expected);
});

test.each([
  ['127.0.0.1:9901', true],
  ['[::1]:9901', true],
  ['localhost', true],
  ['LOCALHOST:1', true],
  ['gateway:9901', true],
  ['evil.example', false],
  ['localhost.evil.example', false],
  ['127.0.0.1.evil.example:80', false],
  ['', false],
  [undefined, false],
])('Host %j is trusted: %s', (host, expected) => {
  expect(isTrustedHost(host, 'gateway')).toBe(expected);
});
