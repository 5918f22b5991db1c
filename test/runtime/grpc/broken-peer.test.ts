// Servers and networks that misbehave: what a call comes to, and whether it is tried again.
import { createServer } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import type { AddressInfo, Socket } from 'node:net';
import { constants } from 'node:http2';
import { describe, expect, test } from 'vitest';
import { GrpcStatus } from '../../../src/runtime/grpc/status.ts';
import { makeCertificate } from '../../support/certificate.ts';
import { atEnd } from '../../support/cleanup.ts';
import { TestGrpcClient } from '../../support/grpc-client.ts';
import {
  answerGrpc,
  frame,
  GrpcServer,
  http2Peer,
  wire,
  wirePeer,
  type StreamBehaviour,
} from '../../support/grpc-server.ts';
import { freePort } from '../../support/ports.ts';

async function outcome(
  behaviour: StreamBehaviour,
): Promise<{ status: number; text: string; events: string[] }> {
  const peer = await http2Peer(behaviour);
  const heard = new TestGrpcClient([peer.port]).call('Any', { messages: ['x'] });
  const status = await heard.closed;
  return { status, text: heard.statusText, events: heard.events };
}

const HEAD = { 'content-type': 'application/grpc' };
const GRPC = { ':status': 200, 'content-type': 'application/grpc' };

describe('an answer that is not gRPC', () => {
  test.each([
    [400, GrpcStatus.Internal],
    [401, GrpcStatus.Unauthenticated],
    [403, GrpcStatus.PermissionDenied],
    [404, GrpcStatus.Unimplemented],
    [429, GrpcStatus.Unavailable],
    [500, GrpcStatus.Unknown],
    [502, GrpcStatus.Unavailable],
    [503, GrpcStatus.Unavailable],
    [504, GrpcStatus.Unavailable],
  ])('HTTP status %i is gRPC status %i', async (http, grpc) => {
    const { status, text, events } = await outcome((stream) => {
      stream.respond({ ':status': http, 'content-type': 'text/plain' });
      stream.end('no');
    });
    expect([status, text, events]).toEqual([grpc, `the upstream answered HTTP status ${http}`, ['close']]);
  });

  test('a grpc-status in it counts before the HTTP status', async () => {
    const { status, text } = await outcome((stream) =>
      stream.respond(
        { ':status': 503, 'grpc-status': '8', 'grpc-message': 'too%20much' },
        { endStream: true },
      ),
    );
    expect([status, text]).toEqual([GrpcStatus.ResourceExhausted, 'too much']);
  });

  test('another content type is Unknown', async () => {
    const { status, events } = await outcome((stream) => {
      stream.respond({ ':status': 200, 'content-type': 'text/html' });
      stream.end('<html>');
    });
    expect([status, events]).toEqual([GrpcStatus.Unknown, ['close']]);
  });
});

describe('the end of a stream', () => {
  test('without trailers is Unknown', async () => {
    const { status, text } = await outcome((stream) => {
      stream.respond(GRPC);
      stream.end(frame('a'));
    });
    expect([status, text]).toEqual([GrpcStatus.Unknown, 'the upstream ended the call without a status']);
  });

  test.each([['none'], ['-1'], ['17'], ['1.0']])('with the status %j is Unknown', async (text) => {
    const { status } = await outcome((stream) =>
      answerGrpc(stream, frame('a'), text === 'none' ? { 'x-other': '1' } : { 'grpc-status': text }),
    );
    expect(status).toBe(GrpcStatus.Unknown);
  });

  test.each([
    [constants.NGHTTP2_CANCEL, GrpcStatus.Cancelled],
    [constants.NGHTTP2_ENHANCE_YOUR_CALM, GrpcStatus.ResourceExhausted],
    [constants.NGHTTP2_INADEQUATE_SECURITY, GrpcStatus.PermissionDenied],
    [constants.NGHTTP2_INTERNAL_ERROR, GrpcStatus.Internal],
    [constants.NGHTTP2_PROTOCOL_ERROR, GrpcStatus.Internal],
  ])('by reset %i is gRPC status %i, after the messages that came', async (code, grpc) => {
    const peer = await wirePeer((send, stream) =>
      send(wire.head(stream, HEAD), wire.data(stream, frame('a')), wire.reset(stream, code)),
    );
    const heard = new TestGrpcClient([peer.port]).call('Any', { messages: ['x'] });
    expect([await heard.closed, heard.statusText]).toEqual([
      grpc,
      `the upstream reset the call with error ${code}`,
    ]);
  });

  test('in the middle of a message is Internal', async () => {
    const { status, text } = await outcome((stream) => answerGrpc(stream, frame('abc').subarray(0, 6)));
    expect([status, text]).toEqual([GrpcStatus.Internal, 'the last message is cut off']);
  });
});

describe('a message', () => {
  test('may come in any pieces', async () => {
    const peer = await http2Peer((stream) => {
      stream.respond(GRPC, { waitForTrailers: true });
      stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
      const all = Buffer.concat([frame('first'), frame(''), frame('third')]);
      const step = (at: number): void => {
        if (at === all.length) stream.end();
        else stream.write(all.subarray(at, at + 1), () => step(at + 1));
      };
      step(0);
    });
    const heard = new TestGrpcClient([peer.port]).call('Any', { messages: ['x'] });
    expect(await heard.closed).toBe(GrpcStatus.Ok);
    expect(heard.texts).toEqual(['first', '', 'third']);
  });

  test('that is compressed is Internal: it was not offered', async () => {
    const { status, events } = await outcome((stream) =>
      answerGrpc(stream, Buffer.concat([frame('a'), frame('b', 1)])),
    );
    expect([status, events]).toEqual([GrpcStatus.Internal, ['initial', 'message', 'close']]);
  });

  test('with an unknown flag is Internal', async () => {
    expect((await outcome((stream) => answerGrpc(stream, frame('b', 2)))).status).toBe(GrpcStatus.Internal);
  });

  test('that says it has 4 GiB ends the call at once', async () => {
    const { status } = await outcome((stream) => {
      stream.respond(GRPC);
      stream.write(Buffer.from([0, 255, 255, 255, 255]));
    });
    expect(status).toBe(GrpcStatus.ResourceExhausted);
  });
});

describe('tried again', () => {
  test('is a call that the server refused, once', async () => {
    let count = 0;
    const peer = await http2Peer((stream) => {
      if (++count === 1) stream.close(constants.NGHTTP2_REFUSED_STREAM);
      else answerGrpc(stream, frame('second'));
    });
    const client = new TestGrpcClient([peer.port]);
    const heard = client.call('Any', { messages: ['x'] });
    expect(await heard.closed).toBe(GrpcStatus.Ok);
    expect([heard.texts, count]).toEqual([['second'], 2]);
  });

  test('but not a second time', async () => {
    let count = 0;
    const { status, text } = await outcome((stream) => {
      count++;
      stream.close(constants.NGHTTP2_REFUSED_STREAM);
    });
    expect([status, text, count]).toEqual([GrpcStatus.Unavailable, 'the upstream refused the call', 2]);
  });

  test('nor one that may have been looked at', async () => {
    let count = 0;
    const { status } = await outcome((stream) => {
      count++;
      stream.close(constants.NGHTTP2_INTERNAL_ERROR);
    });
    expect([status, count]).toEqual([GrpcStatus.Internal, 1]);
  });

  test.each([constants.NGHTTP2_NO_ERROR, constants.NGHTTP2_ENHANCE_YOUR_CALM])(
    'is one above the last stream of GOAWAY with error %i, on another connection',
    async (code) => {
      const peer = await wirePeer((send, stream, connection) => {
        if (connection === 0) send(wire.goaway(0, code));
        else
          send(
            wire.head(stream, HEAD),
            wire.data(stream, frame('second')),
            wire.trailers(stream, { 'grpc-status': '0' }),
          );
      });
      const heard = new TestGrpcClient([peer.port]).call('Any', { messages: ['x'] });
      expect(await heard.closed).toBe(GrpcStatus.Ok);
      expect([heard.texts, peer.sockets.length]).toEqual([['second'], 2]);
    },
  );

  test('is not one that GOAWAY lets finish', async () => {
    const peer = await wirePeer((send, stream) =>
      send(
        wire.goaway(stream, constants.NGHTTP2_NO_ERROR),
        wire.head(stream, HEAD),
        wire.data(stream, frame('first')),
        wire.trailers(stream, { 'grpc-status': '0' }),
      ),
    );
    const client = new TestGrpcClient([peer.port]);
    const heard = client.call('Any', { messages: ['x'] });
    expect([await heard.closed, heard.texts, peer.sockets.length]).toEqual([GrpcStatus.Ok, ['first'], 1]);
    await expect.poll(() => client.connections).toBe(0);
  });

  test('is one whose endpoint cannot be reached, at another', async () => {
    const server = await GrpcServer.start();
    const client = new TestGrpcClient([await freePort(), server.port]);
    for (let i = 0; i < 4; i++)
      expect(await client.call('Unary', { messages: [''] }).closed).toBe(GrpcStatus.Ok);
  });
});

describe('a connection', () => {
  test('carries many calls at a time', async () => {
    const server = await GrpcServer.start();
    const client = new TestGrpcClient([server.port]);
    const calls = Array.from({ length: 50 }, (_, i) => client.call('Unary', { messages: [String(i)] }));
    expect(await Promise.all(calls.map(({ closed }) => closed))).toEqual(Array(50).fill(0));
    expect(calls.map(({ texts }) => texts[0])).toEqual(calls.map((_, i) => `echo:${i}`));
    expect([client.connections, client.cluster.connections]).toEqual([1, 1]);
  });

  test('has no more of them than the server allows: others get another', async () => {
    const held: (() => void)[] = [];
    const peer = await http2Peer((stream) => held.push(() => answerGrpc(stream, frame('x'))), 2);
    const client = new TestGrpcClient([peer.port], { maxConnections: 2 });
    const first = client.call('Any', { messages: ['x'] });
    await expect.poll(() => held.length).toBe(1);
    const others = Array.from({ length: 3 }, () => client.call('Any', { messages: ['x'] }));
    await expect.poll(() => held.length).toBe(4);
    expect(peer.sessions).toHaveLength(2);
    for (const answer of held) answer();
    expect(await Promise.all([first, ...others].map(({ closed }) => closed))).toEqual([0, 0, 0, 0]);
  });

  test('is not opened beyond those that the cluster may have, nor a call beyond its requests', async () => {
    const peer = await http2Peer(() => undefined, 1);
    const narrow = new TestGrpcClient([peer.port], { maxConnections: 1 });
    narrow.call('Any', { messages: ['x'] });
    await expect.poll(() => peer.heads.length).toBe(1);
    const second = narrow.call('Any', { messages: ['x'] });
    expect([await second.closed, second.statusText]).toEqual([
      GrpcStatus.Unavailable,
      'as many connections as may be are in use',
    ]);
    const few = new TestGrpcClient([peer.port], { maxRequests: 0 });
    expect(await few.call('Any', { messages: ['x'] }).closed).toBe(GrpcStatus.Unavailable);
    expect(few.cluster.activeRequests).toBe(0);
  });

  test('that nobody uses is closed, and the next call opens another', async () => {
    const server = await GrpcServer.start();
    const client = new TestGrpcClient([server.port], { idleTimeoutMs: 100 });
    expect(await client.call('Unary', { messages: [''] }).closed).toBe(GrpcStatus.Ok);
    await expect.poll(() => client.connections).toBe(0);
    expect(client.cluster.connections).toBe(0);
    expect(await client.call('Unary', { messages: [''] }).closed).toBe(GrpcStatus.Ok);
  });

  test('of an endpoint that is given up finishes its calls and closes', async () => {
    const server = await GrpcServer.start();
    const client = new TestGrpcClient([server.port]);
    const heard = client.call('Chat', { open: true, messages: ['a'] });
    await heard.waitForMessages(1);
    client.cluster.dispose();
    heard.exchange.send(Buffer.from('b'));
    heard.exchange.end();
    expect([await heard.closed, heard.texts]).toEqual([GrpcStatus.Ok, ['you said a', 'you said b']]);
    await expect.poll(() => client.cluster.connections).toBe(0);
    expect(await client.call('Unary', { messages: [''] }).closed).toBe(GrpcStatus.Unavailable);
  });

  test('that a server drains finishes its calls, and new ones go elsewhere', async () => {
    const server = await GrpcServer.start();
    const client = new TestGrpcClient([server.port]);
    const heard = client.call('Chat', { open: true, messages: ['a'] });
    await heard.waitForMessages(1);
    const drained = server.drain();
    const next = client.call('Unary', { messages: [''] });
    expect(await next.closed).toBe(GrpcStatus.Unavailable);
    heard.exchange.send(Buffer.from('b'));
    await heard.waitForMessages(2);
    heard.exchange.end();
    expect(await heard.closed).toBe(GrpcStatus.Ok);
    await drained;
  });

  test('that breaks off fails its calls as Unavailable', async () => {
    const sockets: Socket[] = [];
    const peer = await http2Peer((stream) => {
      stream.respond(GRPC);
      stream.write(frame('a'));
    });
    peer.server.on('connection', (socket: Socket) => sockets.push(socket));
    const client = new TestGrpcClient([peer.port]);
    const heard = client.call('Any', { open: true });
    await heard.waitForMessages(1);
    for (const socket of sockets) socket.resetAndDestroy();
    expect(await heard.closed).toBe(GrpcStatus.Unavailable);
    expect(client.cluster.connections).toBe(0);
  });
});

/** A server on bare sockets. */
async function bare(serve: (socket: Socket) => void): Promise<number> {
  const sockets: Socket[] = [];
  const server = createServer((socket) => {
    sockets.push(socket);
    socket.on('error', () => undefined);
    serve(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  atEnd(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

/** HEADERS without END_HEADERS, and CONTINUATION that never has it. */
const endless = (stream: number): Buffer =>
  Buffer.concat([
    wire.head(stream, HEAD, 0),
    ...Array.from({ length: 9 }, () => wire.frame(9, 0, stream, Buffer.from([0x88]))),
  ]);

describe('frames that break the rules of HTTP/2', () => {
  test.each<[string, (stream: number) => Buffer]>([
    ['data before the head', (stream) => wire.data(stream, frame('a'))],
    ['a frame of a size that its type has not', (stream) => wire.frame(3, 0, stream, Buffer.alloc(3))],
    ['a frame beyond 16 KiB', (stream) => wire.data(stream, Buffer.alloc(20_000))],
    [
      'a head that is no HPACK',
      (stream) => wire.frame(1, 4, stream, Buffer.from([0xff, 0xff, 0xff, 0xff, 0xff])),
    ],
    ['a head without end', (stream) => endless(stream)],
    ['settings again and again', () => Buffer.concat(Array.from({ length: 11 }, () => wire.settings()))],
    [
      'pings again and again',
      () => Buffer.concat(Array.from({ length: 11 }, () => wire.frame(6, 0, 0, Buffer.alloc(8)))),
    ],
    [
      'data without bytes',
      (stream) =>
        Buffer.concat([
          wire.head(stream, HEAD),
          ...Array.from({ length: 101 }, () => wire.data(stream, Buffer.alloc(0))),
        ]),
    ],
    [
      'frames that nobody knows',
      (stream) => Buffer.concat(Array.from({ length: 101 }, () => wire.frame(77, 0, stream))),
    ],
    ['a promise', (stream) => wire.frame(5, 4, stream, Buffer.from([0, 0, 0, 2, 0x82]))],
    ['a name in upper case', (stream) => wire.head(stream, { 'Content-Type': 'application/grpc' })],
    ['settings on a stream', (stream) => wire.frame(4, 0, stream)],
  ])('%s fails the call, and the next one gets a new connection', async (_name, bad) => {
    let broken = true;
    const peer = await wirePeer((send, stream) => {
      if (broken) send(bad(stream));
      else
        send(
          wire.head(stream, HEAD),
          wire.data(stream, frame('ok')),
          wire.trailers(stream, { 'grpc-status': '0' }),
        );
    });
    const client = new TestGrpcClient([peer.port]);
    const heard = client.call('Any', { messages: ['x'] });
    expect(await heard.closed).toBeOneOf([GrpcStatus.Unavailable, GrpcStatus.Internal, GrpcStatus.Unknown]);
    expect(heard.statusText).not.toMatch(/deadline/);
    expect(heard.messages).toEqual([]);
    broken = false;
    const next = client.call('Any', { messages: ['x'] });
    expect([await next.closed, next.texts]).toEqual([GrpcStatus.Ok, ['ok']]);
    expect(client.cluster.activeRequests).toBe(0);
  });

  test('end the connection, though the peer stays after it was told so', async () => {
    const peer = await wirePeer((send, stream) => send(wire.frame(3, 0, stream, Buffer.alloc(3))), true);
    const client = new TestGrpcClient([peer.port]);
    const heard = client.call('Any', { messages: ['x'] });
    expect([await heard.closed, heard.statusText]).toEqual([
      GrpcStatus.Unavailable,
      'the upstream broke the rules of HTTP/2: HTTP/2 error 6',
    ]);
    await expect.poll(() => client.connections).toBe(0);
  });

  test('more fields than a head may have end the call', async () => {
    const peer = await wirePeer((send, stream) => {
      const fields = Object.fromEntries(Array.from({ length: 200 }, (_, i) => [`x-${i}`, 'y']));
      send(wire.head(stream, { ...HEAD, ...fields }));
    });
    const heard = new TestGrpcClient([peer.port]).call('Any', { messages: ['x'] });
    expect(await heard.closed).not.toBe(GrpcStatus.Ok);
    expect(heard.events).toEqual(['close']);
  });
});

describe('a peer that is no HTTP/2 server', () => {
  test('but speaks HTTP/1.1 is Unavailable', async () => {
    const port = await bare((socket) => socket.end('HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n'));
    const heard = new TestGrpcClient([port]).call('Any', { messages: ['x'] });
    expect(await heard.closed).toBe(GrpcStatus.Unavailable);
  });

  test('but closes is Unavailable, and leaves nothing behind', async () => {
    const client = new TestGrpcClient([await bare((socket) => socket.destroy())]);
    expect(await client.call('Any', { messages: ['x'] }).closed).toBe(GrpcStatus.Unavailable);
    await expect.poll(() => client.cluster.connections).toBe(0);
    expect([client.cluster.activeRequests, client.cluster.endpoints[0]!.active, client.client.size]).toEqual([
      0, 0, 0,
    ]);
  });

  test('but says nothing ends by the deadline; the connection is given up when a ping stays unanswered', async () => {
    const port = await bare(() => undefined);
    const client = new TestGrpcClient([port]);
    expect(await client.call('Any', { messages: ['x'], timeoutMs: 100 }).closed).toBe(
      GrpcStatus.DeadlineExceeded,
    );
    expect(client.connections).toBe(1);
    await expect.poll(() => client.connections).toBe(0);
  }, 15_000);

  test('where nobody listens is Unavailable with the reason', async () => {
    const heard = new TestGrpcClient([await freePort()]).call('Any', { messages: ['x'] });
    expect([await heard.closed, heard.statusText]).toEqual([GrpcStatus.Unavailable, 'ECONNREFUSED']);
  });

  test('without endpoints at all', async () => {
    const heard = new TestGrpcClient([]).call('Any', { messages: ['x'] });
    expect([await heard.closed, heard.statusText]).toEqual([
      GrpcStatus.Unavailable,
      'the upstream has no endpoint',
    ]);
  });

  test('that has TLS without h2 is Unavailable', async () => {
    const certificate = makeCertificate({ names: ['echo.test'] });
    const server = createTlsServer({
      cert: certificate.certificatePem,
      key: certificate.keyPem,
      ALPNProtocols: ['http/1.1'],
    });
    server.on('tlsClientError', () => undefined);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    atEnd(() => void server.close());
    const { port } = server.address() as AddressInfo;
    const tls = { serverName: 'echo.test', caPem: certificate.certificatePem, verify: true };
    const heard = new TestGrpcClient([port], { tls }).call('Any', { messages: ['x'] });
    expect(await heard.closed).toBe(GrpcStatus.Unavailable);
  });

  test('that takes too long to connect to', async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    atEnd(() => void server.close());
    const { port } = server.address() as AddressInfo;
    const tls = { serverName: 'echo.test', caPem: null, verify: false };
    const heard = new TestGrpcClient([port], { tls, connectTimeoutMs: 100 }).call('Any', { messages: ['x'] });
    expect([await heard.closed, heard.statusText]).toEqual([
      GrpcStatus.Unavailable,
      'connecting took too long',
    ]);
  });
});
