// A head that its filter holds while it sees the body, and bodies that are too large to be held (ADR 0050).
import { createHash } from 'node:crypto';
import { beforeAll, describe, expect, test } from 'vitest';
import { DataPlane } from '../support/data-plane.ts';
import { chunkedReply, type Echo, FakeUpstream } from '../support/fake-upstream.ts';
import { exchange, getRequest, postRequest, RawClient } from '../support/raw-client.ts';
import { scriptedGuest } from '../support/scripted-guest.ts';

let bytes: Uint8Array;
let digest: string;

beforeAll(async () => {
  bytes = await scriptedGuest();
  digest = createHash('sha256').update(bytes).digest('hex');
});

interface Filter {
  readonly steps: string;
  readonly bodyWhileHeld?: boolean;
  readonly onBodyOverflow?: 'reject' | 'stream';
  readonly buffer?: number;
}

const lines: string[] = [];

async function start(upstream: FakeUpstream, ...filters: Filter[]): Promise<DataPlane> {
  lines.length = 0;
  const part = {
    clusters: [{ ports: [upstream.port] }],
    modules: [{ name: 'test/scripted', digest, source: 'test.yaml:1:1', memoryBytes: 16 << 20 }],
    plugins: filters.map(
      ({ steps, bodyWhileHeld = true, onBodyOverflow = 'reject', buffer = 1 << 20 }, i) => ({
        name: `test/chain#${i}`,
        configuration: steps,
        bodyWhileHeld,
        onBodyOverflow,
        bodyBufferBytes: buffer,
        callouts: [['check', 0]] as const,
      }),
    ),
    chains: [[], filters.map((_, i) => i)],
    rules: [{ chain: 1 }],
  };
  return DataPlane.start(part, new Map([[digest, bytes]]), (_fields, message) => lines.push(message));
}

function field(echo: Echo, name: string): string | undefined {
  return echo.headers.find(([key]) => key.toLowerCase() === name)?.[1];
}

const post = (body: string): string =>
  `POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${body.length}\r\n\r\n${body}`;

describe('StopIteration for a head, where the filter takes the body meanwhile', () => {
  test('the head can be changed after all of the body was seen, and reaches later filters so', async () => {
    const upstream = await FakeUpstream.start();
    const plane = await start(
      upstream,
      { steps: 'reqh return 1;reqb buffer;reqb size' },
      { steps: 'reqh append x-size -seen' },
    );
    const client = await RawClient.connect({ port: plane.port });
    await client.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n\r\nabc');
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(upstream.total).toBe(0);
    await client.send('def');
    const echo = (await client.read()).json<Echo>();
    expect([field(echo, 'x-size'), upstream.requests[0]!.text]).toEqual(['6-seen', 'abcdef']);
  });

  test('the same for an answer', async () => {
    const upstream = await FakeUpstream.start({ behaviour: chunkedReply(['abc', 'def']) });
    const plane = await start(
      upstream,
      { steps: 'resh append x-size -seen' },
      { steps: 'resh return 1;resb buffer;resb size' },
    );
    const answer = await exchange({ port: plane.port }, getRequest('/'));
    expect([answer.text, answer.header('x-size')]).toEqual(['abcdef', '6-seen']);
  });

  test('a body can still be refused with a reply of its own', async () => {
    const upstream = await FakeUpstream.start();
    const plane = await start(upstream, { steps: 'reqh return 1;reqb reply 422 no' });
    const answer = await exchange({ port: plane.port }, postRequest('/', 'bad'));
    expect([answer.status, answer.text, upstream.total]).toEqual([422, 'no', 0]);
  });

  test('Continue for a part of the body lets go of the head, and the rest streams', async () => {
    const upstream = await FakeUpstream.start();
    const plane = await start(upstream, { steps: 'reqh return 1;reqb log' });
    const client = await RawClient.connect({ port: plane.port });
    await client.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n\r\nabc');
    await upstream.waitForRequests(1);
    expect(lines).toEqual(['reqb 3 more']);
    await client.send('def');
    expect((await client.read()).json<Echo>().bodyLength).toBe(6);
    expect(lines).toEqual(['reqb 3 more', 'reqb 3 ended']);
  });

  test('resuming lets go of head and body, and shows neither again', async () => {
    const upstream = await FakeUpstream.start();
    const plane = await start(upstream, { steps: 'reqh log;reqh return 1;reqb log;reqb call check' });
    const echo = (await exchange({ port: plane.port }, post('abcdef'))).json<Echo>();
    expect([echo.bodyLength, field(echo, 'x-checked')]).toEqual([6, 'yes']);
    expect(lines).toEqual(['reqh 0 more', 'reqb 6 ended']);
  });

  test('a client that waits for 100 is told to send, once', async () => {
    const upstream = await FakeUpstream.start();
    const plane = await start(upstream, { steps: 'reqh return 1;reqb buffer' });
    const client = await RawClient.connect({ port: plane.port });
    await client.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n');
    await client.send('abc');
    const answer = await client.read();
    expect([answer.interim.map(({ status }) => status), answer.json<Echo>().bodyLength]).toEqual([[100], 3]);
  });

  test('trailers are shown too, and Continue for them lets go of all', async () => {
    const upstream = await FakeUpstream.start();
    const plane = await start(upstream, {
      steps: 'reqh return 1;reqb return 1;reqt log;reqt append x-sum b',
    });
    const chunks =
      'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX-Sum: a\r\n\r\n';
    expect((await exchange({ port: plane.port }, chunks)).json<Echo>().bodyLength).toBe(3);
    expect(lines).toEqual(['reqt 1 ended']);
    expect(upstream.requests[0]!.trailers).toEqual([['X-Sum', 'ab']]);
  });

  test('too much of it is 413 for a filter that gathers', async () => {
    const upstream = await FakeUpstream.start();
    const plane = await start(upstream, { steps: 'reqh return 1;reqb buffer', buffer: 1000 });
    const client = await RawClient.connect({ port: plane.port });
    await client.send(`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n${'x'.repeat(5000)}`);
    expect([(await client.read()).status, upstream.total]).toEqual([413, 0]);
  });

  test('a trap while the head is held denies the request', async () => {
    const upstream = await FakeUpstream.start();
    const plane = await start(upstream, { steps: 'reqh return 1;reqb trap' });
    expect((await exchange({ port: plane.port }, post('abc'))).status).toBe(500);
    expect(upstream.total).toBe(0);
  });
});

test('by default StopIteration holds the body back as well, as Envoy does', async () => {
  const upstream = await FakeUpstream.start();
  const plane = await start(upstream, { steps: 'reqh call check;reqb log', bodyWhileHeld: false });
  const echo = (await exchange({ port: plane.port }, post('abc'))).json<Echo>();
  expect([echo.bodyLength, field(echo, 'x-checked')]).toEqual([3, 'yes']);
  expect(lines).toEqual(['reqb 3 ended']);
});

test.each([3, 4])('with %i a head holds the body back, whatever the filter says it takes', async (action) => {
  const upstream = await FakeUpstream.start();
  const plane = await start(upstream, { steps: `reqh call check;reqh return ${action};reqb log` });
  expect((await exchange({ port: plane.port }, post('abc'))).json<Echo>().bodyLength).toBe(3);
  expect(lines).toEqual(['reqb 3 ended']);
});

describe('a body beyond the buffer, where it may stream', () => {
  test('goes on, and its filter sees the rest in parts', async () => {
    const upstream = await FakeUpstream.start();
    const plane = await start(upstream, {
      steps: 'reqb log;reqb buffer',
      onBodyOverflow: 'stream',
      buffer: 1000,
    });
    const echo = (await exchange({ port: plane.port }, post('x'.repeat(300_000)))).json<Echo>();
    expect(echo.bodyLength).toBe(300_000);
    const sizes = lines.map((line) => Number(line.split(' ')[1]));
    // Each byte once: what went on is not shown again.
    expect(sizes.reduce((sum, size) => sum + size)).toBe(300_000);
    expect(sizes.length).toBeGreaterThan(1);
  });

  test('is gathered as long as it fits', async () => {
    const upstream = await FakeUpstream.start();
    const plane = await start(upstream, {
      steps: 'reqb buffer;reqb size;reqb write small',
      onBodyOverflow: 'stream',
    });
    const echo = (await exchange({ port: plane.port }, post('abc'))).json<Echo>();
    expect([echo.bodyLength, upstream.requests[0]!.text]).toEqual([5, 'small']);
  });

  test('of an answer goes on as well', async () => {
    const upstream = await FakeUpstream.start({ behaviour: chunkedReply(['x'.repeat(200_000), 'y']) });
    const plane = await start(upstream, { steps: 'resb buffer', onBodyOverflow: 'stream', buffer: 10 });
    expect((await exchange({ port: plane.port }, getRequest('/'))).bodyLength).toBe(200_001);
  });

  test('does not let go of a head that waits for a decision: the client is not read meanwhile', async () => {
    const upstream = await FakeUpstream.start();
    let decide: () => void = () => undefined;
    upstream.script(async (_request, answer) => {
      await new Promise<void>((resolve) => (decide = resolve));
      await answer.send(403);
    });
    const plane = await start(upstream, {
      steps: 'reqh call check;reqh return 3',
      onBodyOverflow: 'stream',
      buffer: 1000,
      bodyWhileHeld: false,
    });
    const client = await RawClient.connect({ port: plane.port });
    await client.send(`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n${'x'.repeat(5000)}`);
    await upstream.waitForRequests(1);
    await expect.poll(() => upstream.requests[0]!.target).toBe('/check');
    decide();
    const answer = await client.read();
    expect([answer.status, answer.text, upstream.total]).toEqual([403, 'refused', 1]);
  });
});
