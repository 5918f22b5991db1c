import { describe, expect, test } from 'vitest';
import type { RuleLimitSpec } from '../../src/runtime/snapshot.ts';
import { DataPlane } from '../support/data-plane.ts';
import {
  type Behaviour,
  big,
  chunkedReply,
  rawReply,
  type Echo,
  FakeUpstream,
  hang,
} from '../support/fake-upstream.ts';
import { ClosedError } from '../support/message.ts';
import { bigHash, getRequest, postRequest, RawClient } from '../support/raw-client.ts';

interface Bench {
  readonly upstream: FakeUpstream;
  readonly plane: DataPlane;
  readonly client: RawClient;
}

async function start(limits: RuleLimitSpec, behaviour?: Behaviour): Promise<Bench> {
  const upstream = await FakeUpstream.start(behaviour === undefined ? {} : { behaviour });
  const plane = await DataPlane.start({
    clusters: [{ ports: [upstream.port] }],
    rules: [{ match: { path: { type: 'prefix', value: '/open' } } }, { limits }],
  });
  return { upstream, plane, client: await RawClient.connect({ port: plane.port }) };
}

const codeOf = (answer: { body: Buffer }): string =>
  (JSON.parse(answer.body.toString()) as { code: string }).code;

/** The body in chunks of 100 bytes. */
function chunked(bytes: number): string {
  const chunks = Array.from({ length: bytes / 100 }, () => `64\r\n${'x'.repeat(100)}\r\n`).join('');
  return `POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n${chunks}0\r\n\r\n`;
}

describe('the head of a request, under limits of its rule', () => {
  const limits = { target: 100, head: 400, fields: 5 };
  const padded = 400 - getRequest('/', 'a', 'X: ').length;
  test.each<[what: string, request: string, status: number, code: string]>([
    ['a target at the limit', getRequest('/'.padEnd(100, 'x'), 'a'), 200, ''],
    ['a target over the limit', getRequest('/'.padEnd(101, 'x'), 'a'), 414, 'target_too_long'],
    ['a query counts as well', getRequest('/?'.padEnd(101, 'x'), 'a'), 414, 'target_too_long'],
    [
      'what it was before it was normalised counts',
      getRequest('/%41'.repeat(30), 'a'),
      414,
      'target_too_long',
    ],
    ['a head at the limit', getRequest('/', 'a', `X: ${'y'.repeat(padded)}`), 200, ''],
    ['a head over the limit', getRequest('/', 'a', `X: ${'y'.repeat(padded + 1)}`), 431, 'head_too_large'],
    ['as many fields as allowed', getRequest('/', 'a', ...Array<string>(4).fill('X: y')), 200, ''],
    ['one field more', getRequest('/', 'a', ...Array<string>(5).fill('X: y')), 431, 'too_many_fields'],
    [
      'fields of the connection count too',
      getRequest('/', 'a', 'Connection: x', ...Array<string>(4).fill('X: y')),
      431,
      'too_many_fields',
    ],
  ])('%s', async (_what, request, status, code) => {
    const { client, upstream } = await start(limits);
    const answer = await client.exchange(request);
    expect(answer.status).toBe(status);
    if (status === 200) return;
    expect(codeOf(answer)).toBe(code);
    expect(upstream.total).toBe(0);
    // What is refused for its size is well formed: the connection goes on.
    expect((await client.exchange(getRequest('/', 'a'))).status).toBe(200);
  });

  test('another rule of the listener has none of them', async () => {
    const { client } = await start(limits);
    expect((await client.exchange(getRequest('/open/'.padEnd(500, 'x')))).status).toBe(200);
  });
});

describe('the body of a request, under a limit of its rule', () => {
  test('of the announced length', async () => {
    const { client } = await start({ requestBody: 1000 });
    const fits = await client.exchange(postRequest('/', 'x'.repeat(1000)));
    expect((JSON.parse(fits.body.toString()) as Echo).bodyLength).toBe(1000);
    const over = await client.exchange(postRequest('/', 'x'.repeat(1001)));
    expect([over.status, codeOf(over)]).toEqual([413, 'body_too_large']);
  });

  test('is refused before a byte of it comes, and without 100 Continue', async () => {
    const { client, upstream } = await start({ requestBody: 1000 });
    const head = 'POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 1000000000\r\n\r\n';
    const answer = await client.exchange(head);
    expect(answer.status).toBe(413);
    expect(answer.interim).toEqual([]);
    expect(answer.keepAlive).toBe(false);
    expect(await client.closed()).toBe('ended');
    expect(upstream.total).toBe(0);
  });

  test('in chunks is counted as it comes', async () => {
    const { client, upstream } = await start({ requestBody: 1000 });
    const fits = await client.exchange(chunked(1000));
    expect((JSON.parse(fits.body.toString()) as Echo).bodyLength).toBe(1000);
    expect((await client.exchange(chunked(1100))).status).toBe(413);
    expect(upstream.requests.filter((request) => request.complete).length).toBe(1);
  });

  test('that began to go upstream is cut there, so that it does not pass for whole', async () => {
    const { client, upstream } = await start({ requestBody: 100_000 }, hang());
    await client.send('POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n');
    await client.send(`c350\r\n${'x'.repeat(50_000)}\r\n`);
    await expect.poll(() => upstream.total).toBe(1);
    await client.send(`c351\r\n${'x'.repeat(50_001)}\r\n`);
    expect((await client.read()).status).toBe(413);
    await expect.poll(() => upstream.connections).toBe(0);
  });

  test('may be none at all', async () => {
    const { client } = await start({ requestBody: 0 });
    expect((await client.exchange(postRequest('/', ''))).status).toBe(200);
    expect((await client.exchange(postRequest('/', 'x'))).status).toBe(413);
  });

  test('is without one for the rule beside it', async () => {
    const { client } = await start({ requestBody: 10 });
    expect((await client.exchange(postRequest('/open', 'x'.repeat(1000)))).status).toBe(200);
  });

  test('of one request is not that of the next on the connection', async () => {
    const { client } = await start({ requestBody: 1000 });
    for (let i = 0; i < 5; i++)
      expect((await client.exchange(postRequest('/', 'x'.repeat(900)))).status).toBe(200);
  });
});

describe('the body of an answer, under a limit of the rule', () => {
  const limit = { responseBody: 200_000 };

  test('of the announced length', async () => {
    const { client, upstream } = await start(limit, big(200_000));
    expect((await client.exchange(getRequest('/'))).sha256).toBe(bigHash(200_000));
    upstream.behaviour = big(200_001);
    const over = await client.exchange(getRequest('/'));
    expect([over.status, codeOf(over)]).toEqual([502, 'response_too_large']);
  });

  test('of HEAD is none, whatever is announced', async () => {
    const { client } = await start(limit, rawReply('HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n'));
    const answer = await client.exchange(getRequest('/').replace('GET', 'HEAD'));
    expect([answer.status, answer.header('content-length')]).toEqual([200, '1000000']);
  });

  test('that shows its size on the way only is cut, so that it does not pass for whole', async () => {
    const { client } = await start(limit, big(1_000_000, { chunked: true }));
    await client.send(getRequest('/'));
    await expect(client.read()).rejects.toThrow(ClosedError);
  });

  test('in chunks and within it is whole', async () => {
    const { client } = await start(limit, chunkedReply(Array<string>(20).fill('x'.repeat(10_000))));
    expect((await client.exchange(getRequest('/'))).bodyLength).toBe(200_000);
  });
});
