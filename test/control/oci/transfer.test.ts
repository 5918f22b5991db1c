import { createServer as createHttpServer, type RequestListener } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import { connect, type AddressInfo, type Server, type Socket } from 'node:net';
import { afterEach, expect, test, vi } from 'vitest';
import { Transfer, TransferError, type TransferOptions } from '../../../src/control/oci/transfer.ts';
import { makeCertificate } from '../../support/certificate.ts';
import { atEnd } from '../../support/cleanup.ts';

const authority = makeCertificate({ names: ['tests'], authority: true });
const CA = authority.certificatePem;

afterEach(() => vi.unstubAllEnvs());

/** @returns the port */
async function listen(server: Server): Promise<number> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket) => sockets.add(socket));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  atEnd(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  return (server.address() as AddressInfo).port;
}

const http = async (listener: RequestListener) =>
  `http://localhost:${await listen(createHttpServer(listener))}`;
const https = async (listener: RequestListener, name = 'localhost') => {
  const { certificatePem: cert, keyPem: key } = makeCertificate({ names: [name], issuer: authority });
  return `https://${name}:${await listen(createHttpsServer({ cert, key }, listener))}`;
};

async function get(url: string, options: TransferOptions = {}, headers: Record<string, string> = {}) {
  const transfer = new Transfer({ backoffMs: 1, ...options });
  try {
    return await transfer.send({ method: 'GET', url: new URL(url), headers, limit: 1000 });
  } finally {
    await transfer.close();
  }
}

async function faultOf(work: Promise<unknown>): Promise<TransferError> {
  return work.then(
    () => {
      throw new Error('expected a TransferError');
    },
    (error: unknown) => {
      if (error instanceof TransferError) return error;
      throw error;
    },
  );
}

test('credentials go along within an origin, and not to another', async () => {
  const seen: (string | undefined)[] = [];
  const other = await http((request, response) => {
    seen.push(request.headers.authorization);
    response.end('there');
  });
  const origin = await http((request, response) => {
    seen.push(request.headers.authorization);
    response.writeHead(307, { location: request.url === '/' ? '/next' : `${other}/blob` }).end();
  });
  const answer = await get(origin, {}, { authorization: 'Bearer x' });
  expect(answer.body.toString()).toBe('there');
  expect(seen).toEqual(['Bearer x', 'Bearer x', undefined]);
});

test('TLS is not left for plain text, nor for what is no web server', async () => {
  let asked = 0;
  const plain = await http((_, response) => {
    asked++;
    response.end('secret');
  });
  for (const [location, why] of [
    [`${plain}/x`, 'redirects from https to http'],
    ['file:///etc/passwd', 'no URL of http or https'],
  ] as const) {
    const secure = await https((_, response) => response.writeHead(302, { location }).end());
    const fault = await faultOf(get(secure, { ca: CA }));
    expect([fault.fault, fault.message]).toEqual(['wrong', expect.stringContaining(why)]);
  }
  expect(asked).toBe(0);
});

test('who never answers is given up in time, whoever says too much at once', async () => {
  const silent = await http(() => undefined);
  const started = performance.now();
  expect((await faultOf(get(silent, { totalMs: 150 }))).message).toContain('no answer in time');
  // Far below the time of one attempt.
  expect(performance.now() - started).toBeLessThan(10_000);
  const drip = await http((_, response) => {
    response.writeHead(200);
    const timer = setInterval(() => response.write('x'), 5);
    response.on('close', () => clearInterval(timer));
  });
  expect((await faultOf(get(drip, { totalMs: 150 }))).fault).toBe('unreachable');
  const much = await http((_, response) => response.end(Buffer.alloc(1001)));
  expect((await faultOf(get(much))).message).toContain('more than 1 KiB');
});

test('what passes by itself is tried three times, what does not once', async () => {
  let asked = 0;
  const busy = await http((request, response) => {
    asked++;
    response.writeHead(Number(request.url!.slice(1))).end();
  });
  expect((await get(`${busy}/503`)).status).toBe(503);
  expect(asked).toBe(3);
  expect((await get(`${busy}/404`)).status).toBe(404);
  expect(asked).toBe(4);
});

test('a proxy of the environment is used, with the authorities of the server, and not for this machine', async () => {
  const name = 'registry.test';
  const server = await https((_, response) => response.end('through'), name);
  const asked: string[] = [];
  const proxy = createHttpServer();
  proxy.on('connect', (request, socket: Socket, head) => {
    asked.push(request.url!);
    const upstream = connect(Number(new URL(server).port), '127.0.0.1', () => {
      socket.write('HTTP/1.1 200 Connected\r\n\r\n');
      upstream.write(head);
      socket.pipe(upstream).pipe(socket);
    });
    for (const each of [socket, upstream]) each.on('error', () => upstream.destroy());
  });
  vi.stubEnv('HTTPS_PROXY', `http://127.0.0.1:${await listen(proxy)}`);
  vi.stubEnv('HTTP_PROXY', `http://127.0.0.1:1`);
  vi.stubEnv('NO_PROXY', '');
  expect((await get(`https://${name}/x`, { ca: CA })).body.toString()).toBe('through');
  expect(asked).toEqual([`${name}:443`]);
  expect((await faultOf(get(`https://${name}/x`))).message).toContain('not trusted');
  expect((await get(await http((_, response) => response.end('near')))).body.toString()).toBe('near');
});
