import { connect } from 'node:net';
import { describe, expect, test } from 'vitest';
import {
  big,
  chunkedReply,
  cutAfter,
  type Echo,
  early,
  FakeUpstream,
  hang,
  rawReply,
  reply,
  upgradeEcho,
} from './fake-upstream.ts';
import { load } from './load.ts';
import { ClosedError, MessageError } from './message.ts';
import { freePort } from './ports.ts';
import { Program } from './process.ts';
import { bigHash, exchange, getRequest, postRequest, RawClient } from './raw-client.ts';

describe('raw client and fake upstream', () => {
  test('exchange requests on one connection, byte for byte', async () => {
    const upstream = await FakeUpstream.start({ name: 'one' });
    const client = await RawClient.connect(upstream);
    const request = getRequest('/a?b', 'x.test', 'X-Odd:  kept ');
    const first = await client.exchange(request);
    const second = await client.exchange(postRequest('/c', 'body'));
    expect(first.status).toBe(200);
    expect(first.json<Echo>()).toMatchObject({
      upstream: 'one',
      method: 'GET',
      target: '/a?b',
      connection: 0,
      sequence: 0,
    });
    expect(second.json<Echo>()).toMatchObject({ method: 'POST', bodyLength: 4, connection: 0, sequence: 1 });
    expect(upstream.requests[1]!.text).toBe('body');
    expect(Buffer.concat(upstream.received[0]!).toString()).toBe(
      request + postRequest('/c', 'body').toString(),
    );
  });

  test('read requests and answers in any pieces', async () => {
    const answer =
      'HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX-T: 1\r\n\r\n';
    const upstream = await FakeUpstream.start({ behaviour: rawReply(...answer) });
    const client = await RawClient.connect(upstream);
    await client.sendInPieces(
      'POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nT: u\r\n\r\n',
    );
    const got = await client.read();
    expect([got.interim[0]!.status, got.status, got.text, got.trailers]).toEqual([
      103,
      200,
      'abc',
      [['X-T', '1']],
    ]);
    expect([upstream.requests[0]!.text, upstream.requests[0]!.trailers]).toEqual(['hi', [['T', 'u']]]);
  });

  test('answer pipelined requests in order, scripted ones first', async () => {
    const upstream = await FakeUpstream.start();
    upstream.script(reply(503, [['X-N', '1']]), chunkedReply(['a', 'b']), early(404));
    const client = await RawClient.connect(upstream);
    await client.send(
      getRequest('/1') + getRequest('/2') + postRequest('/3', 'x').toString() + getRequest('/4'),
    );
    const answers = [await client.read(), await client.read(), await client.read(), await client.read()];
    expect(answers.map((a) => a.status)).toEqual([503, 200, 404, 200]);
    expect(answers[1]!.text).toBe('ab');
  });

  test('move big bodies both ways', async () => {
    const size = 3_000_001;
    const upstream = await FakeUpstream.start({
      behaviour: big(size, { seed: 7, chunked: true }),
      discard: true,
    });
    const client = await RawClient.connect(upstream);
    const down = await client.exchange(getRequest('/'), { discard: true });
    expect([down.bodyLength, down.sha256]).toEqual([size, bigHash(size, 7)]);
    upstream.script(async (request, answer) => answer.send(200, [], (await request.finish()).sha256));
    await client.send(`POST / HTTP/1.1\r\nHost: x\r\nContent-Length: ${size}\r\n\r\n`);
    const sent = await client.sendBig(size, 9);
    expect((await client.read()).text).toBe(sent);
    expect(sent).toBe(bigHash(size, 9));
  });

  test('tell a reset, a close and a silence apart', async () => {
    const whole = 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello';
    const upstream = await FakeUpstream.start();
    upstream.script(cutAfter(40, whole), cutAfter(40, whole, 'close'), cutAfter(0, whole, 'close'), hang());
    const reset = await exchange(upstream, getRequest('/')).catch((e: unknown) => e);
    expect([reset instanceof ClosedError, (reset as ClosedError).reset]).toEqual([true, true]);
    await expect(exchange(upstream, getRequest('/'))).rejects.toThrow(
      'closed 3 bytes before the end of a body',
    );
    await expect(exchange(upstream, getRequest('/'))).rejects.toThrow('closed before an answer');
    await expect(exchange(upstream, getRequest('/'), { timeoutMs: 50 })).rejects.toThrow(
      'nothing within 50 ms',
    );
  });

  test.each([
    ['HTTP/1.1 200 OK\nContent-Length: 0\r\n\r\n', 'bare CR or LF'],
    ['HTTP/1.1 200 OK\r\nContent-Length: 0\r\nContent-Length: 0\r\n\r\n', 'appears 2 times'],
    ['HTTP/1.1 200 OK\r\nContent-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n', 'both'],
    ['HTTP/1.1 200 OK\r\nX y: 1\r\n\r\n', 'bad field line'],
    ['HTTP/1.1 200 OK\r\n folded: 1\r\n\r\n', 'bad field line'],
    ['HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;x\r\nabc\r\n0\r\n\r\n', 'bad chunk size'],
  ])('refuse %j', async (bytes, reason) => {
    const upstream = await FakeUpstream.start({ behaviour: rawReply(bytes) });
    const fault = await exchange(upstream, getRequest('/')).catch((e: unknown) => e);
    expect(fault).toBeInstanceOf(MessageError);
    expect((fault as Error).message).toContain(reason);
  });

  test('carry anything after an Upgrade', async () => {
    const upstream = await FakeUpstream.start({ behaviour: upgradeEcho() });
    const client = await RawClient.connect(upstream);
    const answer = await client.exchange(getRequest('/', 'x', 'Connection: Upgrade', 'Upgrade: websocket'));
    expect([answer.status, answer.header('upgrade')]).toEqual([101, 'websocket']);
    await client.send('\x00\xffbytes');
    expect((await client.source.exactly(7)).toString('latin1')).toBe('\x00\xffbytes');
    client.end();
    expect(await client.closed()).toBe('ended');
  });
});

test('load counts answers, failures and their reasons', async () => {
  const upstream = await FakeUpstream.start({ discard: true });
  upstream.script(reply(500), (_request, answer) => answer.close());
  const result = await load({
    port: upstream.port,
    connections: 4,
    requests: 100,
    request: (n) => getRequest(`/${n}`),
    check: (answer) => (answer.status === 200 ? null : `status ${answer.status}`),
  });
  expect([result.ok, result.failed]).toEqual([98, 2]);
  expect([...result.failures].sort()).toEqual([
    ['closed before an answer', 1],
    ['status 500', 1],
  ]);
  expect(upstream.total).toBe(100);
});

test('free ports are different and free', async () => {
  const ports = await Promise.all(Array.from({ length: 20 }, freePort));
  expect(new Set(ports).size).toBe(20);
});

test('processes that run at the same time get ports of different blocks', async () => {
  const url = JSON.stringify(new URL('ports.ts', import.meta.url).href);
  const script = `const { freePort } = await import(${url}); console.log(await freePort()); setInterval(() => 0, 1e6);`;
  const others = Array.from({ length: 3 }, () => {
    return new Program(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', script]);
  });
  const ports = await Promise.all(others.map((other) => other.waitFor(/^\d+$/m)));
  const blocks = [await freePort(), ...ports.map(Number)].map((port) => Math.floor(port / 250));
  expect(new Set(blocks).size).toBe(4);
});

describe('programs', () => {
  test('are waited for and stopped', async () => {
    const script = `
      process.on('SIGTERM', () => { console.error('{"level":30}'); process.exit(3); });
      setInterval(() => 0, 1e6);
      console.log('up');`;
    const program = new Program(process.execPath, ['-e', script]);
    await program.waitFor(/^up$/m);
    expect(await program.stop()).toEqual({ code: 3, signal: null });
    expect(program.log).toEqual([{ level: 30 }]);
  });

  test('that end early fail the wait with what they said', async () => {
    const program = new Program(process.execPath, ['-e', 'console.error("no way"); process.exit(2)']);
    await expect(program.waitFor('up')).rejects.toThrow(/ended \(2\)[^]*no way/);
  });

  test('take their children with them', async () => {
    const port = await freePort();
    const inner = `require('net').createServer().listen(${port}, '127.0.0.1', () => console.log('up'))`;
    const outer = `require('child_process').spawn(process.execPath, ['-e', ${JSON.stringify(inner)}], { stdio: 'inherit' })`;
    const program = new Program(process.execPath, ['-e', outer]);
    await program.waitFor('up');
    await program.kill();
    const refused = await new Promise((resolve) =>
      connect(port, '127.0.0.1').once('error', (e: NodeJS.ErrnoException) => resolve(e.code)),
    );
    expect(refused).toBe('ECONNREFUSED');
  });
});
