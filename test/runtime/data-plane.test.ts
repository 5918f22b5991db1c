import { describe, expect, test } from 'vitest';
import { DataPlane } from '../support/data-plane.ts';
import {
  big,
  chunkedReply,
  cutAfter,
  delayed,
  early,
  type Echo,
  FakeUpstream,
  hang,
  rawReply,
  reply,
  resetOnRequest,
  upgradeEcho,
} from '../support/fake-upstream.ts';
import { freePort } from '../support/ports.ts';
import { bigHash, exchange, getRequest, postRequest, RawClient } from '../support/raw-client.ts';

async function planeWith(
  upstream: FakeUpstream,
  part: Parameters<typeof DataPlane.start>[0] = {},
): Promise<DataPlane> {
  return DataPlane.start({ clusters: [{ ports: [upstream.port] }], ...part });
}

describe('one request', () => {
  test('goes to the upstream with its own fields and comes back', async () => {
    const upstream = await FakeUpstream.start();
    const plane = await planeWith(upstream);
    const answer = await exchange(
      { port: plane.port },
      getRequest(
        '/a/b?c=d',
        'Example.COM',
        'X-One: 1',
        'X-Two:2',
        'Connection: x-gone',
        'X-Gone: 1',
        'X-Forwarded-For: 6.6.6.6',
      ),
    );
    expect(answer.status).toBe(200);
    const echo = answer.json<Echo>();
    expect(echo.method).toBe('GET');
    expect(echo.target).toBe('/a/b?c=d');
    const fields = new Map(echo.headers.map(([name, value]) => [name.toLowerCase(), value]));
    expect(fields.get('host')).toBe('example.com');
    expect(fields.get('x-one')).toBe('1');
    expect(fields.get('x-two')).toBe('2');
    expect(fields.has('x-gone')).toBe(false);
    expect(fields.get('x-forwarded-for')).toBe('127.0.0.1');
    expect(fields.get('x-forwarded-proto')).toBe('http');
    expect(fields.get('x-request-id')).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4/);
  });

  test('for a hostname that no listener has is answered 404, and the next one is served', async () => {
    const upstream = await FakeUpstream.start();
    const plane = await planeWith(upstream, { listeners: [{ hostname: 'a.test' }] });
    const client = await RawClient.connect({ port: plane.port });
    await client.send(getRequest('/', 'b.test'));
    expect((await client.read()).status).toBe(404);
    await client.send(getRequest('/', 'a.test'));
    expect((await client.read()).status).toBe(200);
    expect((await exchange({ port: plane.port }, getRequest('/', 'a.test'))).status).toBe(200);
  });

  test('may come one byte at a time', async () => {
    const upstream = await FakeUpstream.start();
    const plane = await planeWith(upstream);
    const client = await RawClient.connect({ port: plane.port });
    await client.sendInPieces(postRequest('/', 'hello'), 1);
    expect((await client.read()).json<Echo>().bodyLength).toBe(5);
  });

  test('keeps the connections of both sides', async () => {
    const upstream = await FakeUpstream.start();
    const plane = await planeWith(upstream);
    const client = await RawClient.connect({ port: plane.port });
    for (let i = 0; i < 5; i++) {
      const echo = (await client.exchange(getRequest(`/${i}`))).json<Echo>();
      expect(echo.target).toBe(`/${i}`);
      expect(echo.connection).toBe(0);
    }
  });

  test('may be pipelined; answers come in order', async () => {
    const upstream = await FakeUpstream.start();
    const plane = await planeWith(upstream);
    const client = await RawClient.connect({ port: plane.port });
    upstream.script(delayed(50, reply(200, [], 'first')));
    await client.send(getRequest('/1') + getRequest('/2') + getRequest('/3'));
    expect((await client.read()).text).toBe('first');
    expect((await client.read()).json<Echo>().target).toBe('/2');
    expect((await client.read()).json<Echo>().target).toBe('/3');
  });

  test('HEAD keeps the length and has no body', async () => {
    const upstream = await FakeUpstream.start({ behaviour: reply(200, [], 'hello') });
    const plane = await planeWith(upstream);
    const client = await RawClient.connect({ port: plane.port });
    const head = await client.exchange('HEAD / HTTP/1.1\r\nHost: a\r\n\r\n', { method: 'HEAD' });
    expect(head.header('content-length')).toBe('5');
    expect((await client.exchange(getRequest('/'))).text).toBe('hello');
  });

  test.each([204, 304])('an answer %i has no body', async (status) => {
    const upstream = await FakeUpstream.start({ behaviour: reply(status) });
    const plane = await planeWith(upstream);
    const client = await RawClient.connect({ port: plane.port });
    expect((await client.exchange(getRequest('/'))).status).toBe(status);
    expect((await client.exchange(getRequest('/'))).status).toBe(status);
  });

  test('an HTTP/1.0 client gets an answer that ends with the connection', async () => {
    const upstream = await FakeUpstream.start({ behaviour: chunkedReply(['ab', 'cd']) });
    const plane = await planeWith(upstream);
    const client = await RawClient.connect({ port: plane.port });
    const answer = await client.exchange('GET / HTTP/1.0\r\n\r\n');
    expect(answer.text).toBe('abcd');
    expect(answer.framing).toBe('until-close');
  });

  test('a client that has sent its request may close its side and still gets the answer', async () => {
    const upstream = await FakeUpstream.start({ behaviour: delayed(50, reply(200, [], 'late')) });
    const plane = await planeWith(upstream);
    const client = await RawClient.connect({ port: plane.port });
    await client.send(getRequest('/'));
    client.end();
    expect((await client.read()).text).toBe('late');
    expect(await client.closed()).toBe('ended');
  });
});

describe('bodies', () => {
  test('with a length and chunked go both ways', async () => {
    const upstream = await FakeUpstream.start();
    const plane = await planeWith(upstream);
    const client = await RawClient.connect({ port: plane.port });
    const big = 'x'.repeat(100_000);
    const chunked = `POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n186a0;x=y\r\n${big}\r\n0\r\n\r\n`;
    expect((await client.exchange(postRequest('/', big))).json<Echo>().bodyLength).toBe(100_000);
    expect((await client.exchange(chunked)).json<Echo>().bodyLength).toBe(100_003);
    upstream.script(chunkedReply(['one', 'two', 'x'.repeat(70_000)]));
    expect((await client.exchange(getRequest('/'))).bodyLength).toBe(70_006);
  });

  test('of an answer that ends with the connection become chunked', async () => {
    const upstream = await FakeUpstream.start({
      behaviour: async (request, answer) => {
        await request.finish();
        await answer.raw('HTTP/1.1 200 OK\r\n\r\nuntil close');
        answer.over = true;
        answer.socket.end();
      },
    });
    const plane = await planeWith(upstream);
    const client = await RawClient.connect({ port: plane.port });
    const answer = await client.exchange(getRequest('/'));
    expect(answer.framing).toBe('chunked');
    expect(answer.text).toBe('until close');
    expect((await client.exchange(getRequest('/'))).text).toBe('until close');
  });

  test('of 64 MiB arrive whole, both ways', async () => {
    const size = 64 * 1024 * 1024;
    const upstream = await FakeUpstream.start({ discard: true, behaviour: big(size, { seed: 3 }) });
    const plane = await planeWith(upstream);
    const client = await RawClient.connect({ port: plane.port });
    const down = await client.exchange(getRequest('/'), { discard: true });
    expect(down.sha256).toBe(bigHash(size, 3));
    upstream.behaviour = async (request, answer) => {
      await request.finish();
      await answer.send(200, [], request.sha256);
    };
    await client.send(`PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: ${size}\r\n\r\n`);
    await client.sendBig(size, 5);
    expect((await client.read()).text).toBe(bigHash(size, 5));
  });

  test('a slow reader holds the upstream back', async () => {
    const size = 64 * 1024 * 1024;
    let sent = 0;
    const upstream = await FakeUpstream.start({
      behaviour: async (_request, answer) => {
        await answer.raw(answer.head(200, [['Content-Length', String(size)]]));
        const piece = Buffer.alloc(64 * 1024);
        while (sent < size && !answer.socket.destroyed) {
          await answer.raw(piece);
          sent += piece.length;
        }
      },
    });
    const plane = await planeWith(upstream);
    const client = await RawClient.connect({ port: plane.port });
    client.socket.pause();
    client.socket.write(getRequest('/'));
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect(sent).toBeLessThan(40 * 1024 * 1024);
    client.reset();
  });

  test('Expect: 100-continue is answered once, before the body is sent', async () => {
    const upstream = await FakeUpstream.start();
    const plane = await planeWith(upstream);
    const client = await RawClient.connect({ port: plane.port });
    await client.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n');
    await upstream.waitForRequests(1);
    await client.send('hello');
    const answer = await client.read();
    expect(answer.interim.map(({ status }) => status)).toEqual([100]);
    const echo = answer.json<Echo>();
    expect(echo.bodyLength).toBe(5);
    expect(echo.headers.some(([name]) => name.toLowerCase() === 'expect')).toBe(false);
  });

  test('an early answer is relayed, and the connection ends when the body was not read', async () => {
    const upstream = await FakeUpstream.start({ behaviour: early(413, [], 'too much') });
    const plane = await planeWith(upstream);
    const client = await RawClient.connect({ port: plane.port });
    await client.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\nx');
    expect((await client.read()).status).toBe(413);
    expect(await client.closed()).toBe('ended');
  });
});

describe('a listener behind trusted proxies', () => {
  test('believes what they say about the client, and adds the peer', async () => {
    const upstream = await FakeUpstream.start();
    const plane = await planeWith(upstream, { limits: { trustedHops: 1 } });
    const fields = ['X-Forwarded-For: 6.6.6.6', 'X-Forwarded-For: 1.1.1.1, 2.2.2.2', 'X-Request-Id: theirs'];
    const echo = (await exchange({ port: plane.port }, getRequest('/', 'a', ...fields))).json<Echo>();
    const seen = new Map(echo.headers.map(([name, value]) => [name.toLowerCase(), value]));
    expect(seen.get('x-forwarded-for')).toBe('6.6.6.6, 1.1.1.1, 2.2.2.2, 127.0.0.1');
    expect(seen.get('x-request-id')).toBe('theirs');
  });

  test('puts its own server name into answers where one is set', async () => {
    const upstream = await FakeUpstream.start({ behaviour: reply(200, [['Server', 'theirs']]) });
    const plane = await planeWith(upstream, { limits: { serverName: 'ours' } });
    expect((await exchange({ port: plane.port }, getRequest('/'))).headers('server')).toEqual(['ours']);
  });
});

test('without a limit on the whole request, only idleness ends it', async () => {
  const upstream = await FakeUpstream.start({
    behaviour: async (_request, answer) => {
      await answer.raw('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n');
      for (let i = 0; i < 5; i++) {
        await new Promise((resolve) => setTimeout(resolve, 150));
        await answer.raw('x');
      }
    },
  });
  const plane = await planeWith(upstream, {
    rules: [{ timeouts: { requestMs: 0, perTryMs: 0, idleMs: 300 } }],
  });
  const client = await RawClient.connect({ port: plane.port });
  const begun = performance.now();
  await expect(client.exchange(getRequest('/'))).rejects.toThrow();
  // Five bytes 150 ms apart went through before the silence that ended it.
  expect(performance.now() - begun).toBeGreaterThan(900);
});

describe('what breaks the rules', () => {
  test.each([
    ['a bare LF', 'GET / HTTP/1.1\nHost: a\n\n', 400],
    ['two Hosts', 'GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n', 400],
    [
      'length and chunked',
      'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n',
      400,
    ],
    ['a version of its own', 'GET / HTTP/2.0\r\nHost: a\r\n\r\n', 505],
    ['a climb above the root', 'GET /../etc HTTP/1.1\r\nHost: a\r\n\r\n', 400],
  ])('%s is refused and never reaches the upstream', async (_what, bytes, status) => {
    const upstream = await FakeUpstream.start();
    const plane = await planeWith(upstream);
    const client = await RawClient.connect({ port: plane.port });
    expect((await client.exchange(bytes)).status).toBe(status);
    expect(upstream.total).toBe(0);
  });

  test('a bad chunk after the head went up destroys the upstream connection', async () => {
    const upstream = await FakeUpstream.start({ behaviour: hang() });
    const plane = await planeWith(upstream);
    const client = await RawClient.connect({ port: plane.port });
    await client.send('POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n');
    await upstream.waitForRequests(1);
    await client.send('zz\r\n');
    expect((await client.read()).status).toBe(400);
    expect(await client.closed()).toBe('ended');
    await expect.poll(() => upstream.connections).toBe(0);
    expect(upstream.requests[0]!.complete).toBe(false);
  });

  test('a bad answer is 502', async () => {
    const upstream = await FakeUpstream.start({ behaviour: rawReply('HTTP/1.1 200 OK\nBad: 1\n\n') });
    const plane = await planeWith(upstream);
    expect((await exchange({ port: plane.port }, getRequest('/'))).status).toBe(502);
  });

  test('an answer cut short is not passed off as whole', async () => {
    const upstream = await FakeUpstream.start({
      behaviour: cutAfter(60, 'HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nabcdefghijklmnopqrstuvwxyz'),
    });
    const plane = await planeWith(upstream);
    await expect(exchange({ port: plane.port }, getRequest('/'))).rejects.toThrow();
  });
});

describe('upstreams that fail', () => {
  test('nobody listens: 503', async () => {
    const plane = await DataPlane.start({ clusters: [{ ports: [await freePort()] }] });
    const answer = await exchange({ port: plane.port }, getRequest('/'));
    expect(answer.status).toBe(503);
    expect(answer.json<{ code: string }>().code).toBe('upstream_connect_failure');
  });

  test('reset before the answer: 503', async () => {
    const upstream = await FakeUpstream.start({ behaviour: resetOnRequest() });
    const plane = await planeWith(upstream);
    expect((await exchange({ port: plane.port }, getRequest('/'))).status).toBe(503);
    expect(upstream.total).toBe(1);
  });

  test('no endpoint: 503; no backend: 500; no route: 404', async () => {
    const plane = await DataPlane.start({
      clusters: [{ ports: [] }],
      rules: [
        { match: { path: { type: 'exact', value: '/empty' } } },
        { match: { path: { type: 'exact', value: '/none' } }, backends: [] },
      ],
    });
    const client = await RawClient.connect({ port: plane.port });
    expect((await client.exchange(getRequest('/empty'))).status).toBe(503);
    expect((await client.exchange(getRequest('/none'))).status).toBe(500);
    expect((await client.exchange(getRequest('/else'))).status).toBe(404);
  });

  test('an idle connection that the upstream closed is replaced without a failure', async () => {
    const upstream = await FakeUpstream.start();
    const plane = await planeWith(upstream);
    const client = await RawClient.connect({ port: plane.port });
    for (let i = 0; i < 5; i++) {
      expect((await client.exchange(getRequest('/'))).status).toBe(200);
      upstream.closeConnections('reset');
      if (i % 2 === 0) await new Promise((resolve) => setTimeout(resolve, 10));
    }
  });

  test('a request that takes too long is 504', async () => {
    const upstream = await FakeUpstream.start({ behaviour: hang() });
    const plane = await planeWith(upstream, {
      rules: [{ timeouts: { requestMs: 200, perTryMs: 0, idleMs: 1000 } }],
    });
    expect((await exchange({ port: plane.port }, getRequest('/'))).status).toBe(504);
    await expect.poll(() => upstream.connections).toBe(0);
  });

  test('a retriable status is tried again, as often as allowed', async () => {
    const upstream = await FakeUpstream.start();
    const plane = await planeWith(upstream, {
      rules: [
        {
          retry: {
            on: 1 << 4,
            statuses: [503],
            maxAttempts: 3,
            backoffBaseMs: 1,
            backoffMaxMs: 2,
            honorRetryAfter: true,
            budgetPercent: 100,
            budgetMinPerSecond: 10,
            budgetWindowMs: 10_000,
            replayBytes: 65536,
            onlyIdempotent: false,
            avoidPreviousEndpoint: false,
          },
        },
      ],
    });
    upstream.script(reply(503), reply(503), reply(200, [], 'third'));
    const client = await RawClient.connect({ port: plane.port });
    expect((await client.exchange(postRequest('/', 'body'))).text).toBe('third');
    expect(upstream.requests.map((request) => request.text)).toEqual(['body', 'body', 'body']);
    const retries = plane.runtime.dump().find(({ name }) => name === 'weir_retries_total');
    expect(retries!.series[0]!.values).toEqual([2]);
    upstream.script(reply(503, [], 'a'), reply(503, [], 'b'), reply(503, [], 'c'));
    const last = await client.exchange(getRequest('/'));
    expect([last.status, last.text]).toEqual([503, 'c']);
  });

  test('a client that goes away ends its request upstream', async () => {
    const upstream = await FakeUpstream.start({ behaviour: hang() });
    const plane = await planeWith(upstream);
    const client = await RawClient.connect({ port: plane.port });
    await client.send(getRequest('/'));
    await upstream.waitForRequests(1);
    client.reset();
    await expect.poll(() => upstream.connections).toBe(0);
    await expect.poll(() => plane.runtime.status().streams).toBe(0);
  });
});

describe('upgrades', () => {
  const UPGRADE = 'GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n';

  test('become a tunnel in both directions', async () => {
    const upstream = await FakeUpstream.start({ behaviour: upgradeEcho() });
    const plane = await planeWith(upstream);
    const client = await RawClient.connect({ port: plane.port });
    const answer = await client.exchange(UPGRADE);
    expect(answer.status).toBe(101);
    expect(answer.header('upgrade')).toBe('websocket');
    await client.send('ping');
    expect((await client.source.some())!.toString()).toBe('ping');
    client.end();
    expect(await client.closed()).toBe('ended');
    await expect.poll(() => plane.runtime.status().streams).toBe(0);
  });

  test('a protocol that the rule does not name stays an ordinary request', async () => {
    const upstream = await FakeUpstream.start();
    const plane = await planeWith(upstream);
    const answer = await exchange({ port: plane.port }, UPGRADE.replace('websocket', 'other'));
    const echo = answer.json<Echo>();
    expect(echo.headers.some(([name]) => name.toLowerCase() === 'upgrade')).toBe(false);
  });
});

describe('a swap', () => {
  test('changes what new requests see, and streams end on what they began with', async () => {
    const old = await FakeUpstream.start({ name: 'old', behaviour: delayed(100, reply(200, [], 'old')) });
    const next = await FakeUpstream.start({ name: 'next', behaviour: reply(200, [], 'next') });
    const plane = await planeWith(old);
    const client = await RawClient.connect({ port: plane.port });
    await client.send(getRequest('/'));
    await old.waitForRequests(1);
    await plane.apply({ clusters: [{ ports: [next.port] }] });
    expect(plane.runtime.status().snapshots).toBe(2);
    expect((await client.read()).text).toBe('old');
    expect((await client.exchange(getRequest('/'))).text).toBe('next');
    expect(plane.runtime.status().snapshots).toBe(1);
  });

  test('that cannot be staged leaves everything as it was', async () => {
    const upstream = await FakeUpstream.start();
    const plane = await planeWith(upstream);
    const bad = {
      plugins: [{ name: 'p' }],
      modules: [{ name: 'm', digest: 'f'.repeat(64), source: 'm.yaml:1:1', memoryBytes: 1 << 24 }],
      chains: [[], [0]],
    };
    await expect(plane.apply({ clusters: [{ ports: [upstream.port] }], ...bad })).rejects.toThrow(
      /code of module/,
    );
    expect((await exchange({ port: plane.port }, getRequest('/'))).status).toBe(200);
  });

  test('drain finishes what runs and takes nothing new', async () => {
    const upstream = await FakeUpstream.start({ behaviour: delayed(200, reply(200, [], 'done')) });
    const plane = await planeWith(upstream);
    const busy = await RawClient.connect({ port: plane.port });
    const idle = await RawClient.connect({ port: plane.port });
    await busy.send(getRequest('/'));
    await upstream.waitForRequests(1);
    const drained = plane.runtime.drain(5000);
    expect(await idle.closed()).toBe('ended');
    const answer = await busy.read();
    expect(answer.text).toBe('done');
    expect(answer.keepAlive).toBe(false);
    await drained;
    await expect(RawClient.connect({ port: plane.port })).rejects.toThrow();
  });
});
