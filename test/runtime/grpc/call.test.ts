// Against @grpc/grpc-js, which has nothing in common with weir's client but HTTP/2 below it.
import { describe, expect, test } from 'vitest';
import { GrpcStatus } from '../../../src/runtime/grpc/status.ts';
import { makeCertificate } from '../../support/certificate.ts';
import { TestGrpcClient } from '../../support/grpc-client.ts';
import { GrpcServer } from '../../support/grpc-server.ts';
import { TIMED } from '../../support/timing.ts';

const field = (fields: readonly [string, string][], name: string): string | undefined =>
  fields.find(([key]) => key === name)?.[1];

describe('a unary call', () => {
  test('brings head, message, trailers and status, in this order', async () => {
    const server = await GrpcServer.start();
    const heard = new TestGrpcClient([server.port]).call('Unary', { messages: ['hello'] });
    expect(await heard.closed).toBe(GrpcStatus.Ok);
    expect(heard.events).toEqual(['initial', 'message', 'trailing', 'close']);
    expect(heard.texts).toEqual(['echo:hello']);
    expect(field(heard.initial, 'x-head')).toBe('first');
    expect(heard.initial[0]).toEqual([':status', '200']);
    expect(field(heard.trailing, 'x-tail')).toBe('last');
  });

  test('carries metadata both ways, binary ones as base64', async () => {
    const server = await GrpcServer.start();
    const heard = new TestGrpcClient([server.port]).call('Unary', {
      messages: [''],
      metadata: [
        ['x-one', 'a'],
        ['x-data-bin', Buffer.from([1, 0, 255]).toString('base64')],
        ['content-type', 'text/html'],
        ['grpc-timeout', '1n'],
        ['te', 'gzip'],
        ['connection', 'close'],
      ],
    });
    expect(await heard.closed).toBe(GrpcStatus.Ok);
    expect(server.metadata[0]).toMatchObject({ 'x-one': 'a', 'x-data-bin': Buffer.from([1, 0, 255]) });
    expect(server.metadata[0]).not.toHaveProperty('connection');
    expect(server.left[0]).toBeGreaterThan(4000);
    expect(server.hosts).toEqual(['echo']);
    expect(Buffer.from(field(heard.initial, 'x-bytes-bin')!, 'base64')).toEqual(Buffer.from([0, 255, 10]));
  });

  test.each([
    [3, 'bad'],
    [16, 'who'],
  ])('fails with the status %i of the server and its message', async (code, details) => {
    const server = await GrpcServer.start();
    const heard = new TestGrpcClient([server.port]).call('Fail', { messages: [`${code} ${details}`] });
    expect(await heard.closed).toBe(code);
    expect(heard.statusText).toBe(details);
    expect(field(heard.trailing, 'x-why')).toBe('because');
  });

  test('of a method that the server does not have is Unimplemented', async () => {
    const server = await GrpcServer.start();
    expect(await new TestGrpcClient([server.port]).call('Nothing', { messages: [''] }).closed).toBe(
      GrpcStatus.Unimplemented,
    );
  });

  test('of 4 MiB goes there and comes back', async () => {
    const server = await GrpcServer.start();
    const message = Buffer.alloc(4 * 1024 * 1024 - 5, 'x');
    const heard = new TestGrpcClient([server.port]).call('Unary', { messages: [message] });
    expect(await heard.closed).toBe(GrpcStatus.Ok);
    expect(heard.messages[0]!.length).toBe(4 * 1024 * 1024);
  });

  test('with more is refused, on the way there and on the way back', async () => {
    const server = await GrpcServer.start();
    const client = new TestGrpcClient([server.port]);
    const message = Buffer.alloc(4 * 1024 * 1024, 'x');
    const back = client.call('Unary', { messages: [message] });
    expect(await back.closed).toBe(GrpcStatus.ResourceExhausted);
    const there = client.call('Chat', { open: true });
    expect(there.exchange.send(Buffer.concat([message, message.subarray(0, 1)]))).toBe(false);
    there.exchange.cancel();
  });
});

describe('a stream', () => {
  test('of the server brings its messages one by one', async () => {
    const server = await GrpcServer.start();
    const heard = new TestGrpcClient([server.port]).call('Split', { messages: ['a bc def'] });
    expect(await heard.closed).toBe(GrpcStatus.Ok);
    expect(heard.texts).toEqual(['a', 'bc', 'def']);
    expect(field(heard.trailing, 'x-parts')).toBe('all');
  });

  test('of the client ends with end', async () => {
    const server = await GrpcServer.start();
    const heard = new TestGrpcClient([server.port]).call('Join', { messages: ['a', 'b', 'c'] });
    expect(await heard.closed).toBe(GrpcStatus.Ok);
    expect(heard.texts).toEqual(['abc']);
  });

  test('in both directions goes back and forth', async () => {
    const server = await GrpcServer.start();
    const heard = new TestGrpcClient([server.port]).call('Chat', { open: true });
    for (let i = 1; i <= 5; i++) {
      expect(heard.exchange.send(Buffer.from(String(i)))).toBe(true);
      await heard.waitForMessages(i);
    }
    heard.exchange.end();
    expect(heard.exchange.send(Buffer.from('late'))).toBe(false);
    expect(await heard.closed).toBe(GrpcStatus.Ok);
    expect(heard.texts).toEqual([1, 2, 3, 4, 5].map((i) => `you said ${i}`));
    expect(field(heard.trailing, 'x-heard')).toBe('5');
  });

  test('may be ended by the server while the client still sends', async () => {
    const server = await GrpcServer.start();
    const heard = new TestGrpcClient([server.port]).call('Chat', { open: true, messages: ['fail'] });
    expect(await heard.closed).toBe(GrpcStatus.Aborted);
    expect(heard.statusText).toBe('as you wish: ü%');
    expect(heard.exchange.send(Buffer.from('more'))).toBe(false);
  });

  test('that the server refuses at once has an empty head', async () => {
    const server = await GrpcServer.start();
    const heard = new TestGrpcClient([server.port]).call('Refuse', { open: true });
    expect(await heard.closed).toBe(GrpcStatus.PermissionDenied);
    expect([heard.events, heard.initial]).toEqual([['initial', 'trailing', 'close'], []]);
    expect(heard.statusText).toBe('not you');
  });

  test('that is cancelled is told to the server, and brings nothing more', async () => {
    const server = await GrpcServer.start();
    const client = new TestGrpcClient([server.port]);
    const heard = client.call('Chat', { open: true, messages: ['a'] });
    await heard.waitForMessages(1);
    heard.exchange.cancel();
    await expect.poll(() => server.cancelled).toBe(1);
    expect(heard.events).toEqual(['initial', 'message']);
    expect([client.client.size, client.cluster.activeRequests, client.cluster.endpoints[0]!.active]).toEqual([
      0, 0, 0,
    ]);
  });

  test('that is cancelled before it began never goes out', async () => {
    const server = await GrpcServer.start();
    const client = new TestGrpcClient([server.port]);
    const heard = client.call('Chat', { open: true });
    heard.exchange.cancel();
    expect(await client.call('Unary', { messages: [''] }).closed).toBe(GrpcStatus.Ok);
    expect(server.metadata).toHaveLength(1);
    expect(heard.events).toEqual([]);
  });

  test('may be cancelled by who gets a message, and gets none of those behind it', async () => {
    const server = await GrpcServer.start();
    const client = new TestGrpcClient([server.port]);
    const heard = client.call('Split', { messages: ['a b c d'] });
    heard.onEach = () => heard.exchange.cancel();
    await heard.waitForMessages(1);
    expect(await client.call('Unary', { messages: [''] }).closed).toBe(GrpcStatus.Ok);
    expect(heard.events).toEqual(['initial', 'message']);
  });

  test('without a message for its time ends', async () => {
    const server = await GrpcServer.start();
    const heard = new TestGrpcClient([server.port]).call('Chat', { open: true, timeoutMs: 0, idleMs: 300 });
    expect(await heard.closed).toBe(GrpcStatus.DeadlineExceeded);
    expect(server.left[0]).toBe(Infinity);
    await expect.poll(() => server.cancelled).toBe(1);
  });

  test('takes no more than it can send, and goes on when that is gone', async () => {
    const server = await GrpcServer.start();
    const heard = new TestGrpcClient([server.port]).call('Join', { open: true });
    const part = Buffer.alloc(1024 * 1024, 'x');
    let sent = 0;
    while (heard.exchange.send(part)) sent++;
    expect(sent).toBe(7);
    await expect.poll(() => heard.exchange.send(Buffer.from('y'))).toBe(true);
    heard.exchange.end();
    // The answer is too large for this client; all of it got there.
    expect(await heard.closed).toBe(GrpcStatus.ResourceExhausted);
  });
});

test('a call has its time and no more, and the server knows', TIMED, async () => {
  const server = await GrpcServer.start();
  const client = new TestGrpcClient([server.port]);
  const begun = performance.now();
  const heard = client.call('Hang', { messages: [''], timeoutMs: 200 });
  expect(await heard.closed).toBe(GrpcStatus.DeadlineExceeded);
  expect(performance.now() - begun).toBeLessThan(1000);
  expect(server.left[0]).toBeLessThanOrEqual(200);
  await expect.poll(() => server.cancelled).toBe(1);
});

describe('over TLS', () => {
  const certificate = makeCertificate({ names: ['echo.test'] });
  const tls = { serverName: 'echo.test', caPem: certificate.certificatePem, verify: true };

  test('the certificate is checked, and its name is the authority', async () => {
    const server = await GrpcServer.start(certificate);
    const heard = new TestGrpcClient([server.port], { tls }).call('Unary', { messages: ['x'] });
    expect(await heard.closed).toBe(GrpcStatus.Ok);
    expect(server.hosts).toEqual(['echo.test']);
  });

  test('one for another name is Unavailable', async () => {
    const server = await GrpcServer.start(certificate);
    const heard = new TestGrpcClient([server.port], { tls: { ...tls, serverName: 'other.test' } }).call(
      'Unary',
      { messages: ['x'] },
    );
    expect(await heard.closed).toBe(GrpcStatus.Unavailable);
    expect(server.metadata).toEqual([]);
  });
});
