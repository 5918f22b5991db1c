// Filters that call gRPC services, on the whole data plane, with a server of grpc-node.
import { createHash } from 'node:crypto';
import { beforeAll, describe, expect, test } from 'vitest';
import { DataPlane, type Part } from '../support/data-plane.ts';
import { type Echo, FakeUpstream } from '../support/fake-upstream.ts';
import { GrpcServer } from '../support/grpc-server.ts';
import { makeCertificate } from '../support/certificate.ts';
import { pluginBytes } from '../support/plugin.ts';
import { exchange, getRequest, RawClient } from '../support/raw-client.ts';

let bytes: Uint8Array;
let digest: string;

beforeAll(() => {
  bytes = pluginBytes('sdk-grpc');
  digest = createHash('sha256').update(bytes).digest('hex');
}, 120_000);

const lines: string[] = [];

function part(upstream: FakeUpstream, server: GrpcServer, configuration = '', cluster = {}): Part {
  return {
    clusters: [{ ports: [upstream.port] }, { ports: [server.port], ...cluster }],
    modules: [{ name: 'test/grpc', digest, source: 'test.yaml:1:1', memoryBytes: 16 << 20 } as never],
    plugins: [{ name: 'test/chain#grpc', configuration, callouts: [['echo', 1]] }],
    chains: [[], [0]],
    rules: [{ chain: 1 }],
  };
}

async function start(configuration = '', cluster = {}, server?: GrpcServer) {
  lines.length = 0;
  const upstream = await FakeUpstream.start();
  const grpc = server ?? (await GrpcServer.start());
  const plane = await DataPlane.start(
    part(upstream, grpc, configuration, cluster),
    new Map([[digest, bytes]]),
    (_fields, message) => lines.push(message),
  );
  return { upstream, grpc, plane };
}

const field = (echo: Echo, name: string): string | undefined =>
  echo.headers.find(([key]) => key.toLowerCase() === name)?.[1];

describe('a filter', () => {
  test('holds the request until its call is answered, and uses the answer', async () => {
    const { plane, grpc } = await start();
    const echo = (await exchange({ port: plane.port }, getRequest('/unary'))).json<Echo>();
    expect([field(echo, 'x-reply'), field(echo, 'x-bytes'), field(echo, 'x-tail')]).toEqual([
      'echo:hello',
      '0 255 10',
      'last',
    ]);
    expect(grpc.metadata[0]).toMatchObject({
      'x-one': 'a',
      'x-data-bin': Buffer.from([251, 252, 253, 254, 255]),
    });
  });

  test('refuses the request where the server refuses', async () => {
    const { plane } = await start();
    const answer = await exchange({ port: plane.port }, getRequest('/fail'));
    expect([answer.status, answer.text]).toEqual([403, '16 nobody']);
  });

  test('is told of a deadline that passed, and the server too', async () => {
    const { plane, grpc } = await start();
    const answer = await exchange({ port: plane.port }, getRequest('/slow'));
    // Either side may be the first to say so.
    expect([answer.status, answer.text.toLowerCase()]).toEqual([403, '4 deadline exceeded']);
    await expect.poll(() => grpc.cancelled).toBe(1);
  });

  test('cannot call what it was not granted', async () => {
    const { plane } = await start();
    expect((await exchange({ port: plane.port }, getRequest('/nowhere'))).text).toBe('sent 0');
    expect(lines).toContain('proxy_grpc_call: no upstream is named "nobody"; this filter may call: echo');
  });

  test('talks with a server on a stream', async () => {
    const { plane, grpc } = await start();
    const echo = (await exchange({ port: plane.port }, getRequest('/chat'))).json<Echo>();
    expect(field(echo, 'x-chat')).toBe('head true you said one you said two heard 2');
    expect(grpc.metadata[0]).toMatchObject({ 'x-who': 'filter' });
  });

  test('gives a stream up, and the server hears of it', async () => {
    const { plane, grpc } = await start();
    const echo = (await exchange({ port: plane.port }, getRequest('/cancel'))).json<Echo>();
    expect(field(echo, 'x-cancelled')).toBe('truefalse');
    await expect.poll(() => grpc.cancelled).toBe(1);
  });

  test('calls for itself, without a stream', async () => {
    await start('tick');
    await expect.poll(() => lines).toContain('root got echo:from the root');
  });

  test('reaches a server with TLS by ALPN', async () => {
    const certificate = makeCertificate({ names: ['echo.test'] });
    const server = await GrpcServer.start(certificate);
    const tls = { serverName: 'echo.test', caPem: certificate.certificatePem, verify: true };
    const { plane } = await start('', { tls }, server);
    const echo = (await exchange({ port: plane.port }, getRequest('/unary'))).json<Echo>();
    expect(field(echo, 'x-reply')).toBe('echo:hello');
  });
});

test('many requests at a time share a connection, and each gets its own answer', async () => {
  const { plane, upstream } = await start();
  const clients = await Promise.all(
    Array.from({ length: 20 }, () => RawClient.connect({ port: plane.port })),
  );
  const answers = await Promise.all(
    clients.map(async (client, i) => {
      const echoes: string[] = [];
      for (let j = 0; j < 10; j++) {
        const echo = (
          await client.exchange(getRequest(`/${j % 2 === 0 ? 'unary' : 'chat'}/${i}/${j}`))
        ).json<Echo>();
        echoes.push(echo.target);
        expect(field(echo, j % 2 === 0 ? 'x-reply' : 'x-chat')).toBeDefined();
      }
      return echoes;
    }),
  );
  expect(new Set(answers.flat()).size).toBe(200);
  expect(upstream.total).toBe(200);
  expect(plane.runtime.status().clusters.map(({ requests }) => requests)).toEqual([0, 0]);
});

test('a call outlives the snapshot that it began with, and a plugin that is gone leaves none', async () => {
  const { plane, upstream, grpc } = await start();
  const client = await RawClient.connect({ port: plane.port });
  await client.send(getRequest('/slow'));
  await expect.poll(() => grpc.metadata.length).toBe(1);
  await plane.apply(part(upstream, grpc, 'tick'));
  expect((await client.read()).text.toLowerCase()).toBe('4 deadline exceeded');
  await expect.poll(() => plane.runtime.status().plugins.length).toBe(1);
});
