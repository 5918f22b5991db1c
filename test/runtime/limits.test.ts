import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test, vi } from 'vitest';
import { DEFAULT_LISTENER_LIMITS, type ListenerLimits } from '../../src/runtime/snapshot.ts';
import { DataPlane, type Part } from '../support/data-plane.ts';
import {
  type Behaviour,
  big,
  chunkedReply,
  delayed,
  early,
  type Echo,
  FakeUpstream,
  hang,
  reply,
} from '../support/fake-upstream.ts';
import { ClosedError } from '../support/message.ts';
import { bigHash, exchange, getRequest, postRequest, RawClient } from '../support/raw-client.ts';
import { TIMED } from '../support/timing.ts';

interface Bench {
  upstream: FakeUpstream;
  plane: DataPlane;
  client: RawClient;
}

async function start(
  limits: Partial<ListenerLimits> = {},
  behaviour?: Behaviour,
  part: Part = {},
): Promise<Bench> {
  const upstream = await FakeUpstream.start(behaviour === undefined ? {} : { behaviour });
  const plane = await DataPlane.start({ clusters: [{ ports: [upstream.port] }], limits, ...part });
  return { upstream, plane, client: await RawClient.connect({ port: plane.port }) };
}

/** All that a plane counts is back where it was before the first connection. */
async function expectAtRest(plane: DataPlane, connections = 0): Promise<void> {
  await expect
    .poll(() => {
      const { streams, connections, clusters } = plane.runtime.status();
      return [streams, connections, ...clusters.map(({ requests }) => requests)];
    })
    .toEqual([0, connections, ...plane.runtime.status().clusters.map(() => 0)]);
}

const POST_HEAD = 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n';

/** Moves the monotonic clock on. Whatever is due by then happens at the next tick. */
function jump(ms: number): void {
  const read = performance.now.bind(performance);
  vi.spyOn(performance, 'now').mockImplementation(() => read() + ms);
}

describe('limits of the head', () => {
  const limits = { headBytes: 2048, targetBytes: 256, fieldBytes: 512, fields: 10 };
  const cases: [what: string, request: string, status: number][] = [
    ['a target at the limit', getRequest('/'.padEnd(256, 'x')), 200],
    ['a target over the limit', getRequest('/'.padEnd(257, 'x')), 414],
    ['a field over the limit', getRequest('/', 'a', `X: ${'x'.repeat(600)}`), 431],
    ['as many fields as allowed', getRequest('/', 'a', ...Array<string>(9).fill('X: y')), 200],
    ['one field more', getRequest('/', 'a', ...Array<string>(10).fill('X: y')), 431],
    ['a head over the limit', getRequest('/', 'a', ...Array<string>(6).fill(`X: ${'y'.repeat(450)}`)), 431],
  ];

  test.each(cases)('%s', async (_what, request, status) => {
    const { client, upstream, plane } = await start(limits);
    expect((await client.exchange(request)).status).toBe(status);
    expect(upstream.total).toBe(status === 200 ? 1 : 0);
    if (status !== 200) expect(await client.closed()).toBe('ended');
    client.close();
    await expectAtRest(plane);
  });

  test.each(cases)('%s, in small pieces', async (_what, request, status) => {
    const { client } = await start(limits);
    await client.sendInPieces(request, 100).catch(() => undefined);
    expect((await client.read()).status).toBe(status);
  });

  test('a head without an end is refused when it is too large, not gathered', async () => {
    const { client } = await start(limits);
    await client.send(`GET / HTTP/1.1\r\nHost: a\r\nX: ${'x'.repeat(4096)}`);
    expect((await client.read()).status).toBe(431);
  });
});

describe('timers of the downstream connection', () => {
  test('the head has its time from its first byte on, however it dribbles in', TIMED, async () => {
    const { client, plane } = await start({ headTimeoutMs: 300 });
    const from = performance.now();
    const dribble = setInterval(() => client.socket.write('x'), 20);
    await client.send('GET / HTTP/1.1\r\nHost: a\r\nX: ');
    const answer = await client.read();
    clearInterval(dribble);
    expect(answer.status).toBe(408);
    expect(answer.keepAlive).toBe(false);
    expect(performance.now() - from).toBeLessThan(900);
    client.close();
    await expectAtRest(plane);
  });

  test('the time of the head is that of each request, not of the connection', TIMED, async () => {
    const { client } = await start({ headTimeoutMs: 300 });
    for (let i = 0; i < 5; i++) {
      await client.sendInPieces(getRequest(`/${i}`), 20);
      expect((await client.read()).status).toBe(200);
      await sleep(100);
    }
  });

  test('an idle connection is closed without a word', async () => {
    const { client, plane } = await start({ idleTimeoutMs: 200 });
    await client.exchange(getRequest('/'));
    const from = performance.now();
    expect(await client.closed()).toBe('ended');
    expect(performance.now() - from).toBeGreaterThan(90);
    client.close();
    await expectAtRest(plane);
  });

  test('a connection that never sends is closed without a word', async () => {
    const { client, plane } = await start({ idleTimeoutMs: 200 });
    expect(await client.closed()).toBe('ended');
    client.close();
    await expectAtRest(plane);
  });

  test('an answer that takes longer than the idle time is waited for', async () => {
    const { client } = await start({ idleTimeoutMs: 100 }, delayed(400, reply(200, [], 'late')));
    expect((await client.exchange(getRequest('/'))).text).toBe('late');
  });

  test('a body that stalls is 408, and the upstream sees that it is not whole', TIMED, async () => {
    const { client, upstream, plane } = await start({ bodyTimeoutMs: 300 });
    await client.send(POST_HEAD + 'abc');
    await upstream.waitForRequests(1);
    await sleep(150);
    await client.send('def');
    const from = performance.now();
    const answer = await client.read();
    expect(answer.status).toBe(408);
    expect(performance.now() - from).toBeGreaterThan(190);
    expect(performance.now() - from).toBeLessThan(900);
    expect(await client.closed()).toBe('ended');
    await expect.poll(() => upstream.connections).toBe(0);
    expect(upstream.requests[0]!.complete).toBe(false);
    client.close();
    await expectAtRest(plane);
  });

  test('a body that comes too slowly is 408 once its time of grace is over', async () => {
    const { client, upstream } = await start({ bodyTimeoutMs: 600_000, bodyMinBytesPerSecond: 10 });
    await client.send(POST_HEAD + 'x'.repeat(200));
    await upstream.waitForRequests(1);
    jump(31_000);
    const slow = await client.read();
    vi.restoreAllMocks();
    expect(slow.status).toBe(408);
  });

  test('a body that comes fast enough may take longer than its time of grace', async () => {
    const { client, upstream } = await start({ bodyTimeoutMs: 600_000, bodyMinBytesPerSecond: 10 });
    await client.send(POST_HEAD + 'x'.repeat(500));
    await upstream.waitForRequests(1);
    jump(31_000);
    await sleep(250);
    await client.send('x'.repeat(500));
    const answer = await client.read();
    vi.restoreAllMocks();
    expect(answer.json<Echo>().bodyLength).toBe(1000);
  });

  test('time that the upstream holds a body back does not count against the client', TIMED, async () => {
    const size = 16 * 1024 * 1024;
    const { client } = await start({ bodyTimeoutMs: 800 }, async (request, answer) => {
      await sleep(1600);
      await request.finish();
      await answer.send(200, [], request.sha256);
    });
    await client.send(`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${size}\r\n\r\n`);
    const sent = client.sendBig(size);
    const answer = await client.read();
    expect([answer.status, answer.text]).toEqual([200, await sent]);
  });

  test('a client that takes nothing of its answer is cut', async () => {
    const { client, upstream, plane } = await start({ writeTimeoutMs: 300 }, big(64 * 1024 * 1024));
    client.socket.pause();
    client.socket.write(getRequest('/'));
    await upstream.waitForRequests(1);
    await expectAtRest(plane);
    await expect.poll(() => upstream.connections).toBe(0);
  });

  test('a client that takes its answer slowly is not cut', TIMED, async () => {
    const size = 12 * 1024 * 1024;
    const { client } = await start({ writeTimeoutMs: 1000 }, big(size));
    const tick = setInterval(() => {
      client.socket.pause();
      setTimeout(() => client.socket.resume(), 300);
    }, 400);
    const answer = await client.exchange(getRequest('/'), { discard: true });
    clearInterval(tick);
    expect(answer.sha256).toBe(bigHash(size));
  });

  test('a client of a tunnel that takes nothing is cut', async () => {
    const { client, plane } = await start({ writeTimeoutMs: 300 }, async (_request, answer) => {
      answer.over = true;
      await answer.raw(
        answer.head(101, [
          ['Connection', 'Upgrade'],
          ['Upgrade', 'websocket'],
        ]),
      );
      const piece = Buffer.alloc(1 << 20);
      for (let i = 0; i < 64 && !answer.socket.destroyed; i++) await answer.raw(piece);
    });
    client.socket.pause();
    client.socket.write('GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n');
    await expect.poll(() => plane.runtime.status().streams).toBe(1);
    await expectAtRest(plane);
  });
});

describe('an answer on a connection that ends', () => {
  const size = 12 * 1024 * 1024;

  test('arrives whole where the client asked for the end and reads late', async () => {
    const { client } = await start({}, big(size));
    client.socket.pause();
    client.socket.write(getRequest('/', 'a', 'Connection: close'));
    // Longer than a connection lingers whose client has nothing left to take.
    await sleep(1500);
    client.socket.resume();
    const answer = await client.read({ discard: true });
    expect(answer.sha256).toBe(bigHash(size));
    expect(answer.keepAlive).toBe(false);
    expect(await client.closed()).toBe('ended');
  });

  test('and all pipelined ones before it arrive whole where the client reads late', async () => {
    const { client } = await start({}, reply(200, [], Buffer.alloc(32 * 1024)));
    client.socket.pause();
    client.socket.write(getRequest('/').repeat(399) + getRequest('/', 'a', 'Connection: close'));
    await sleep(1500);
    client.socket.resume();
    for (let i = 0; i < 400; i++) expect((await client.read()).bodyLength).toBe(32 * 1024);
    expect(await client.closed()).toBe('ended');
  });

  test('arrives whole where the client closed its side already', async () => {
    const { client } = await start({}, big(size));
    client.socket.pause();
    client.socket.end(getRequest('/'));
    await sleep(200);
    client.socket.resume();
    expect((await client.read({ discard: true })).sha256).toBe(bigHash(size));
    expect(await client.closed()).toBe('ended');
  });

  test('and every pipelined one before it, where the client closed its side already', async () => {
    const { client, plane } = await start({}, delayed(20, reply(200, [], 'ok')));
    client.socket.end(getRequest('/1') + getRequest('/2') + getRequest('/3'));
    expect((await client.read()).text).toBe('ok');
    expect((await client.read()).text).toBe('ok');
    expect((await client.read()).text).toBe('ok');
    expect(await client.closed()).toBe('ended');
    await expectAtRest(plane);
  });

  test('half a head and then the end: closed quietly', async () => {
    const { client, plane } = await start();
    client.socket.end('GET / HTT');
    expect(await client.closed()).toBe('ended');
    await expectAtRest(plane);
  });
});

describe('how many', () => {
  test('requests a connection may carry', async () => {
    const { client } = await start({ requestsPerConnection: 3 });
    expect((await client.exchange(getRequest('/'))).keepAlive).toBe(true);
    expect((await client.exchange(getRequest('/'))).keepAlive).toBe(true);
    expect((await client.exchange(getRequest('/'))).keepAlive).toBe(false);
    expect(await client.closed()).toBe('ended');
  });

  test.each(['connections', 'connectionsPerAddress'] as const)('%s there may be', async (limit) => {
    const { client, plane } = await start({ [limit]: 2 });
    const second = await RawClient.connect({ port: plane.port });
    expect((await second.exchange(getRequest('/'))).status).toBe(200);
    const third = await RawClient.connect({ port: plane.port });
    expect(['ended', 'reset']).toContain(await third.closed());
    expect((await client.exchange(getRequest('/'))).status).toBe(200);
    second.close();
    await expectAtRest(plane, 1);
    expect((await exchange({ port: plane.port }, getRequest('/'))).status).toBe(200);
  });

  test('connections of one address do not count for another', async () => {
    const { plane } = await start({ connectionsPerAddress: 1 });
    const other = await RawClient.connect({ port: plane.port, localAddress: '127.0.0.2' });
    expect((await other.exchange(getRequest('/'))).status).toBe(200);
  });
});

describe('pipelining', () => {
  test('50 requests in one piece are answered in order', async () => {
    const { client, upstream } = await start();
    await client.send(Array.from({ length: 50 }, (_, i) => getRequest(`/${i}`)).join(''));
    for (let i = 0; i < 50; i++) expect((await client.read()).json<Echo>().target).toBe(`/${i}`);
    expect(upstream.received.length).toBe(1);
  });

  test('with bodies of every framing, cut anywhere', async () => {
    const { client } = await start();
    const chunked =
      'POST /c HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX-T: 1\r\n\r\n';
    const round = getRequest('/g') + postRequest('/p', 'hello').toString('latin1') + chunked;
    const sent = client.sendInPieces(round.repeat(5), 37);
    for (let i = 0; i < 5; i++) {
      expect((await client.read()).json<Echo>()).toMatchObject({ target: '/g', bodyLength: 0 });
      expect((await client.read()).json<Echo>()).toMatchObject({ target: '/p', bodyLength: 5 });
      expect((await client.read()).json<Echo>()).toMatchObject({ target: '/c', bodyLength: 3 });
    }
    await sent;
  });

  test('the client is not read while its answer is under way', async () => {
    const { client } = await start({}, hang());
    const flood = getRequest('/').repeat(1000);
    let taken = 0;
    for (let i = 0; i < 400; i++) {
      const through = await Promise.race([
        new Promise<boolean>((resolve) => client.socket.write(flood, () => resolve(true))),
        sleep(200, false),
      ]);
      if (!through) break;
      taken += flood.length;
    }
    // What the kernel buffers on both sides, and one window.
    expect(taken).toBeLessThan(16 * 1024 * 1024);
  });

  test('a client that sends requests and takes no answers is held back, then cut', async () => {
    const { client, upstream, plane } = await start(
      { writeTimeoutMs: 400, requestsPerConnection: 1e9 },
      reply(200, [], Buffer.alloc(32 * 1024)),
    );
    client.socket.pause();
    client.socket.on('error', () => undefined);
    client.socket.write(getRequest('/').repeat(20_000));
    await expectAtRest(plane);
    // Sockets buffer some MiB; beyond that no request is taken up.
    expect(upstream.total).toBeLessThan(1000);
  });

  test('requests wait for a client that takes its answers late, and none is lost', async () => {
    const { client } = await start(
      { requestsPerConnection: 1e9 },
      reply(200, [], Buffer.alloc(32 * 1024, 'x')),
    );
    client.socket.pause();
    client.socket.write(getRequest('/').repeat(400));
    await sleep(300);
    client.socket.resume();
    for (let i = 0; i < 400; i++) expect((await client.read()).bodyLength).toBe(32 * 1024);
    expect((await client.exchange(getRequest('/'))).bodyLength).toBe(32 * 1024);
  });
});

describe('what is left of a body', () => {
  test('little is thrown away, and the connection goes on', async () => {
    const { client, upstream } = await start();
    upstream.script(early(403, [], 'no'));
    await client.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\nabc');
    expect((await client.read()).status).toBe(403);
    await client.send('x'.repeat(997) + getRequest('/next'));
    expect((await client.read()).json<Echo>().target).toBe('/next');
  });

  test('chunked, little is thrown away, and the connection goes on', async () => {
    const { client, upstream } = await start();
    upstream.script(early(403, [], 'no'));
    await client.send('POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n');
    expect((await client.read()).status).toBe(403);
    await client.send('2\r\nde\r\n0\r\nX-T: 1\r\n\r\n' + getRequest('/next'));
    expect((await client.read()).json<Echo>().target).toBe('/next');
  });

  test('much ends the connection', async () => {
    const { client } = await start({}, early(403, [], 'no'));
    await client.send('POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n');
    expect((await client.read()).status).toBe(403);
    await client
      .send(`40000\r\n${'x'.repeat(0x40000)}\r\n0\r\n\r\n${getRequest('/next')}`)
      .catch(() => undefined);
    expect(['ended', 'reset']).toContain(await client.closed());
  });

  test('that never comes ends the connection', async () => {
    const { client } = await start({}, early(403, [], 'no'));
    await client.send(POST_HEAD);
    expect((await client.read()).status).toBe(403);
    expect(await client.closed()).toBe('ended');
  });

  test.each([
    ['without a body', getRequest('/../up')],
    ['with an empty body', postRequest('/../up', '').toString('latin1')],
    ['with a body', postRequest('/../up', 'hello').toString('latin1')],
    [
      'with a chunked body',
      'POST /../up HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n',
    ],
  ])('a request %s that weir answers itself is followed by the next one', async (_what, request) => {
    const { client } = await start();
    for (const piecewise of [false, true]) {
      if (piecewise) await client.sendInPieces(request + getRequest('/next'), 1);
      else await client.send(request + getRequest('/next'));
      expect((await client.read()).status).toBe(400);
      expect((await client.read()).json<Echo>().target).toBe('/next');
    }
  });

  test('the client may ask for the end of the connection', async () => {
    const { client, upstream } = await start();
    await client.send(getRequest('/', 'a', 'Connection: close') + getRequest('/never'));
    const answer = await client.read();
    expect([answer.status, answer.keepAlive]).toEqual([200, false]);
    expect(await client.closed()).toBe('ended');
    expect(upstream.total).toBe(1);
  });
});

describe('limits of a cluster', () => {
  test('an idle connection is closed after its time', async () => {
    const { client, upstream } = await start({}, undefined, {});
    await client.exchange(getRequest('/'));
    expect(upstream.connections).toBe(1);
    const short = await FakeUpstream.start();
    const plane = await DataPlane.start({ clusters: [{ ports: [short.port], idleTimeoutMs: 200 }] });
    expect((await exchange({ port: plane.port }, getRequest('/'))).status).toBe(200);
    expect(short.connections).toBe(1);
    await expect.poll(() => short.connections).toBe(0);
    expect(upstream.connections).toBe(1);
  });

  test('connections: requests beyond them wait and are served in turn', async () => {
    const upstream = await FakeUpstream.start({ behaviour: delayed(30, reply(200, [], 'ok')) });
    const plane = await DataPlane.start({ clusters: [{ ports: [upstream.port], maxConnections: 2 }] });
    const order: number[] = [];
    const clients = await Promise.all(
      Array.from({ length: 10 }, () => RawClient.connect({ port: plane.port })),
    );
    const answers: Promise<void>[] = [];
    for (const [i, client] of clients.entries()) {
      answers.push(
        client.exchange(getRequest(`/${i}`)).then((answer) => {
          expect(answer.status).toBe(200);
          order.push(i);
        }),
      );
      await sleep(2);
    }
    await Promise.all(answers);
    expect(upstream.received.length).toBe(2);
    expect(upstream.requests.map(({ target }) => target)).toEqual(order.map((_, i) => `/${i}`));
    for (const client of clients) client.close();
    await expectAtRest(plane);
    expect(upstream.connections).toBe(2);
  });

  test.each([
    ['none at all', reply(204), 204, ''],
    ['of no length', reply(200), 200, ''],
    ['with a length', reply(200, [], 'ok'), 200, 'ok'],
    ['chunked', chunkedReply(['o', 'k']), 200, 'ok'],
    ['chunked, with trailers', chunkedReply(['o', 'k'], [['X-T', '1']]), 200, 'ok'],
  ])(
    'a waiting request gets the connection of an answer whose body is %s',
    async (_what, behaviour, status, text) => {
      const upstream = await FakeUpstream.start({ behaviour: delayed(50, behaviour) });
      const plane = await DataPlane.start({ clusters: [{ ports: [upstream.port], maxConnections: 1 }] });
      const answers = await Promise.all(
        Array.from({ length: 3 }, () => exchange({ port: plane.port }, getRequest('/'))),
      );
      for (const answer of answers) expect([answer.status, answer.text]).toEqual([status, text]);
      expect(upstream.received.length).toBe(1);
    },
  );

  test.each([0, 1, 3])('%i may wait for a connection, the next is refused', async (maxPending) => {
    const upstream = await FakeUpstream.start({ behaviour: delayed(200, reply(200, [], 'ok')) });
    const plane = await DataPlane.start({
      clusters: [{ ports: [upstream.port], maxConnections: 1, maxPending }],
    });
    const answers = await Promise.all(
      Array.from({ length: maxPending + 2 }, () => exchange({ port: plane.port }, getRequest('/'))),
    );
    const statuses = answers.map(({ status }) => status).sort();
    expect(statuses).toEqual([...Array<number>(maxPending + 1).fill(200), 503]);
    const refused = answers.find(({ status }) => status === 503)!;
    expect(refused.json<{ code: string }>().code).toBe('overloaded');
    expect(refused.header('retry-after')).toBe('1');
    await expectAtRest(plane);
  });

  test('requests in flight: one more is refused', async () => {
    const upstream = await FakeUpstream.start({ behaviour: delayed(200, reply(200, [], 'ok')) });
    const plane = await DataPlane.start({ clusters: [{ ports: [upstream.port], maxRequests: 2 }] });
    const answers = await Promise.all(
      Array.from({ length: 3 }, () => exchange({ port: plane.port }, getRequest('/'))),
    );
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 200, 503]);
    await expectAtRest(plane);
  });

  test('who has waited a second for a connection is refused', async () => {
    const upstream = await FakeUpstream.start({ behaviour: hang() });
    const plane = await DataPlane.start({ clusters: [{ ports: [upstream.port], maxConnections: 1 }] });
    const first = await RawClient.connect({ port: plane.port });
    await first.send(getRequest('/'));
    await upstream.waitForRequests(1);
    const from = performance.now();
    const answer = await exchange({ port: plane.port }, getRequest('/'));
    expect(answer.status).toBe(503);
    expect(performance.now() - from).toBeGreaterThan(990);
    first.reset();
    await expectAtRest(plane);
  });

  test('who went away while waiting does not get the connection', async () => {
    const upstream = await FakeUpstream.start({ behaviour: delayed(100, reply(200, [], 'ok')) });
    const plane = await DataPlane.start({ clusters: [{ ports: [upstream.port], maxConnections: 1 }] });
    const [first, second, third] = await Promise.all(
      [0, 1, 2].map(() => RawClient.connect({ port: plane.port })),
    );
    await first!.send(getRequest('/1'));
    await upstream.waitForRequests(1);
    await second!.send(getRequest('/2'));
    await expect.poll(() => plane.runtime.status().streams).toBe(2);
    await third!.send(getRequest('/3'));
    second!.reset();
    expect((await first!.read()).status).toBe(200);
    expect((await third!.read()).status).toBe(200);
    expect(upstream.requests.map(({ target }) => target)).toEqual(['/1', '/3']);
  });

  test('idle connections to one endpoint do not keep requests from another', async () => {
    const one = await FakeUpstream.start({ name: 'one' });
    const two = await FakeUpstream.start({ name: 'two' });
    const plane = await DataPlane.start({
      clusters: [{ ports: [one.port, two.port], maxConnections: 1 }],
    });
    const client = await RawClient.connect({ port: plane.port });
    const served = new Set<string>();
    for (let i = 0; i < 6; i++) {
      const answer = await client.exchange(getRequest('/'), { timeoutMs: 500 });
      expect(answer.status).toBe(200);
      served.add(answer.json<Echo>().upstream);
    }
    expect([...served].sort()).toEqual(['one', 'two']);
    expect(one.connections + two.connections).toBe(1);
  });

  test('an upstream that does not begin its answer in time: 504', async () => {
    const upstream = await FakeUpstream.start({ behaviour: hang() });
    const plane = await DataPlane.start({ clusters: [{ ports: [upstream.port], firstByteTimeoutMs: 200 }] });
    expect((await exchange({ port: plane.port }, getRequest('/'))).status).toBe(504);
    await expect.poll(() => upstream.connections).toBe(0);
  });

  test('the time to the first byte begins when the request is out', TIMED, async () => {
    const upstream = await FakeUpstream.start();
    const plane = await DataPlane.start({ clusters: [{ ports: [upstream.port], firstByteTimeoutMs: 200 }] });
    const client = await RawClient.connect({ port: plane.port });
    await client.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n');
    for (let i = 0; i < 10; i++) {
      await sleep(80);
      await client.send('x');
    }
    expect((await client.read()).json<Echo>().bodyLength).toBe(10);
  });

  test('an upstream that stops taking the request: 504', async () => {
    const upstream = await FakeUpstream.start({ behaviour: hang() });
    const plane = await DataPlane.start({ clusters: [{ ports: [upstream.port], firstByteTimeoutMs: 200 }] });
    const client = await RawClient.connect({ port: plane.port });
    client.socket.on('error', () => undefined);
    client.socket.write(`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${1 << 26}\r\n\r\n`);
    client.socket.write(Buffer.alloc(1 << 26));
    expect((await client.read()).status).toBe(504);
  });

  test('the time of one try counts from its start', TIMED, async () => {
    const upstream = await FakeUpstream.start({ behaviour: hang() });
    const plane = await DataPlane.start({
      clusters: [{ ports: [upstream.port], maxConnections: 1 }],
      rules: [{ timeouts: { requestMs: 0, perTryMs: 300, idleMs: 300_000 } }],
    });
    const from = performance.now();
    expect((await exchange({ port: plane.port }, getRequest('/'))).status).toBe(504);
    expect(performance.now() - from).toBeGreaterThan(299);
    expect(performance.now() - from).toBeLessThan(900);
  });

  test('a body whose answer stalls after its head is cut by the client, and nothing is left', async () => {
    const { client, upstream, plane } = await start({}, async (_request, answer) => {
      await answer.raw('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc');
      await hang()(_request, answer);
    });
    await client.send(getRequest('/'));
    await upstream.waitForRequests(1);
    client.reset();
    await expectAtRest(plane);
    await expect.poll(() => upstream.connections).toBe(0);
    await expect(client.read()).rejects.toThrow(ClosedError);
  });
});

test('the defaults are those of the security requirements', () => {
  expect(DEFAULT_LISTENER_LIMITS).toMatchObject({
    headBytes: 61440,
    targetBytes: 16384,
    fieldBytes: 16384,
    fields: 100,
    requestsPerConnection: 1000,
    connections: 10_000,
    connectionsPerAddress: 256,
    headTimeoutMs: 10_000,
    tlsHandshakeTimeoutMs: 10_000,
    idleTimeoutMs: 60_000,
    bodyTimeoutMs: 60_000,
    bodyMinBytesPerSecond: 1024,
    writeTimeoutMs: 60_000,
  });
});
