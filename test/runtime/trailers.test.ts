// Trailers on their way through weir, with and without filters (security requirements §1.12).
import { createHash } from 'node:crypto';
import { beforeAll, describe, expect, test } from 'vitest';
import { makeSigner } from '../filters/jwt/tokens.ts';
import { DataPlane } from '../support/data-plane.ts';
import { chunkedReply, FakeUpstream } from '../support/fake-upstream.ts';
import { filterBytes } from '../support/filter.ts';
import { exchange, getRequest, RawClient } from '../support/raw-client.ts';
import { scriptedGuest } from '../support/scripted-guest.ts';

let bytes: Uint8Array;
let digest: string;

beforeAll(async () => {
  bytes = await scriptedGuest();
  digest = createHash('sha256').update(bytes).digest('hex');
});

async function start(upstream: FakeUpstream, ...filters: string[]): Promise<DataPlane> {
  return startNarrow(1024, upstream, ...filters);
}

/** With at most that many connections to the upstream. */
async function startNarrow(
  maxConnections: number,
  upstream: FakeUpstream,
  ...filters: string[]
): Promise<DataPlane> {
  const part = {
    clusters: [{ ports: [upstream.port], maxConnections }],
    modules: [{ name: 'test/scripted', digest, source: 'test.yaml:1:1', memoryBytes: 16 << 20 }],
    plugins: filters.map((configuration, i) => ({
      name: `test/chain#${i}`,
      configuration,
      callouts: [['check', 0]] as const,
    })),
    chains: [[], filters.map((_, i) => i)],
    rules: [{ chain: 1 }],
  };
  return DataPlane.start(part, new Map([[digest, bytes]]));
}

const CHUNKED = 'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n';
const TE = 'TE: trailers\r\nConnection: TE';

describe('of a request', () => {
  test('reach the upstream behind a chunked body', async () => {
    const upstream = await FakeUpstream.start();
    const plane = await start(upstream);
    await exchange({ port: plane.port }, `${CHUNKED}3\r\nabc\r\n0\r\nX-Sum: 1\r\nX-Other: two\r\n\r\n`);
    expect(upstream.requests[0]!.text).toBe('abc');
    expect(upstream.requests[0]!.trailers).toEqual([
      ['X-Sum', '1'],
      ['X-Other', 'two'],
    ]);
  });

  test('say nothing about framing, routing or credentials', async () => {
    const upstream = await FakeUpstream.start();
    const plane = await start(upstream);
    const trailers = 'Content-Length: 9\r\nHost: b\r\nAuthorization: x\r\nX-Sum: 1\r\n';
    await exchange({ port: plane.port }, `${CHUNKED}3\r\nabc\r\n0\r\n${trailers}\r\n`);
    expect(upstream.requests[0]!.trailers).toEqual([['X-Sum', '1']]);
  });

  test('add nothing to fields of the head, in any spelling', async () => {
    const upstream = await FakeUpstream.start();
    const plane = await start(upstream, 'reqh set x-consumer ops');
    const trailers = 'X-Consumer: eve\r\nx.consumer: eve\r\nX-Sum: 1\r\nX-Consumers: 2\r\n';
    await exchange({ port: plane.port }, `${CHUNKED}3\r\nabc\r\n0\r\n${trailers}\r\n`);
    const [seen] = upstream.requests;
    expect(seen!.header('x-consumer')).toBe('ops');
    expect(seen!.trailers).toEqual([
      ['X-Sum', '1'],
      ['X-Consumers', '2'],
    ]);
  });

  test('do not bring back what a filter has taken out of the head, in any spelling, though it was not there', async () => {
    const upstream = await FakeUpstream.start();
    const plane = await start(upstream, 'reqh unset x-user', 'reqh unset x-gone');
    const head = CHUNKED.replace('\r\n\r\n', '\r\nX-Gone: 1\r\n\r\n');
    const trailers = 'X-User: eve\r\nx.user: eve\r\nX-Gone: 2\r\nX-Sum: 1\r\nX-Users: 2\r\n';
    await exchange({ port: plane.port }, `${head}3\r\nabc\r\n0\r\n${trailers}\r\n`);
    // The names are those of that request alone.
    await exchange({ port: plane.port }, `${CHUNKED}3\r\nabc\r\n0\r\nX-Sum: 1\r\n\r\n`);
    expect(upstream.requests.map(({ trailers: seen }) => seen)).toEqual([
      [
        ['X-Sum', '1'],
        ['X-Users', '2'],
      ],
      [['X-Sum', '1']],
    ]);
  });

  test('do not say who somebody is where a filter that tells has nobody to tell of', async () => {
    const jwt = filterBytes('jwt');
    const { jwk } = makeSigner('ES256', 'one');
    const provider = {
      name: 'a',
      issuer: 'https://id.test',
      jwks: { keys: [jwk] },
      claimsToHeaders: [{ claim: 'sub', header: 'x-user' }],
    };
    const upstream = await FakeUpstream.start();
    const digestOfJwt = createHash('sha256').update(jwt).digest('hex');
    const plane = await DataPlane.start(
      {
        clusters: [{ ports: [upstream.port] }],
        modules: [{ name: 'jwt', digest: digestOfJwt, source: 'test.yaml:1:1', memoryBytes: 16 << 20 }],
        plugins: [
          { name: 'test/chain#0', configuration: JSON.stringify({ providers: [provider], required: false }) },
        ],
        chains: [[], [0]],
        rules: [{ chain: 1 }],
      },
      new Map([[digestOfJwt, jwt]]),
    );
    const trailers = 'X-User: root\r\nX.User: root\r\nX-Sum: 1\r\n';
    await exchange({ port: plane.port }, `${CHUNKED}3\r\nabc\r\n0\r\n${trailers}\r\n`);
    expect(upstream.requests[0]!.trailers).toEqual([['X-Sum', '1']]);
  });

  test('do not bring back what the rule takes out', async () => {
    const upstream = await FakeUpstream.start();
    const plane = await DataPlane.start({
      clusters: [{ ports: [upstream.port] }],
      rules: [{ requestHeaders: { remove: ['x-user'], set: [], add: [] } }],
    });
    await exchange({ port: plane.port }, `${CHUNKED}3\r\nabc\r\n0\r\nX-User: eve\r\nX-Sum: 1\r\n\r\n`);
    expect(upstream.requests[0]!.trailers).toEqual([['X-Sum', '1']]);
  });

  test('all go where more was taken out of the head than is remembered', async () => {
    const upstream = await FakeUpstream.start();
    const names = Array.from({ length: 100 }, (_, i) => `reqh unset x-${'a'.repeat(60)}-${i}`);
    const plane = await start(upstream, names.join(';'));
    await exchange({ port: plane.port }, `${CHUNKED}3\r\nabc\r\n0\r\nX-Sum: 1\r\n\r\n`);
    expect(upstream.requests[0]!.trailers).toEqual([]);
  });

  test('are read, changed and removed by filters, each after the other', async () => {
    const upstream = await FakeUpstream.start();
    const plane = await start(
      upstream,
      'reqt append x-way a;reqt unset x-gone',
      'reqt append x-way b;reqt set x-more 1',
    );
    await exchange({ port: plane.port }, `${CHUNKED}3\r\nabc\r\n0\r\nX-Gone: 1\r\nX-Kept: 2\r\n\r\n`);
    expect(Object.fromEntries(upstream.requests[0]!.trailers)).toEqual({
      'X-Kept': '2',
      'x-way': 'ab',
      'x-more': '1',
    });
  });

  test('that filters took away leave a message without', async () => {
    const upstream = await FakeUpstream.start();
    const plane = await start(upstream, 'reqb buffer;reqt unset x-gone');
    await exchange({ port: plane.port }, `${CHUNKED}3\r\nabc\r\n0\r\nX-Gone: 1\r\n\r\n`);
    expect(upstream.requests[0]!.text).toBe('abc');
    expect(upstream.requests[0]!.trailers).toEqual([]);
  });

  test('stay behind a body that was gathered, and keep it in chunks', async () => {
    const upstream = await FakeUpstream.start();
    const plane = await start(upstream, 'reqb buffer;reqb write gathered');
    await exchange({ port: plane.port }, `${CHUNKED}3\r\nabc\r\n2\r\nde\r\n0\r\nX-Sum: 1\r\n\r\n`);
    const [request] = upstream.requests;
    expect([request!.text, request!.header('transfer-encoding')]).toEqual(['gathered', 'chunked']);
    expect(request!.trailers).toEqual([['X-Sum', '1']]);
  });

  test('wait where a filter stops them, and are not shown to it again', async () => {
    const upstream = await FakeUpstream.start();
    const plane = await start(upstream, 'reqt append x-seen 1;reqt call check', 'reqt append x-seen 2');
    await exchange({ port: plane.port }, `${CHUNKED}3\r\nabc\r\n0\r\nX-Sum: 1\r\n\r\n`);
    const request = upstream.requests.find(({ target, complete }) => target === '/' && complete)!;
    expect(Object.fromEntries(request.trailers)).toEqual({ 'X-Sum': '1', 'x-seen': '12' });
  });

  test('can be added with the last bytes, and later filters see them', async () => {
    const upstream = await FakeUpstream.start();
    const plane = await start(upstream, 'reqb trail x-sum 9', 'reqt append x-sum b');
    await exchange({ port: plane.port }, 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc');
    const [request] = upstream.requests;
    expect([request!.text, request!.header('transfer-encoding')]).toEqual(['abc', 'chunked']);
    expect(request!.trailers).toEqual([['x-sum', '9b']]);
  });

  test('that are added by a filter which then waits go out when it lets go', async () => {
    const upstream = await FakeUpstream.start();
    const plane = await start(upstream, 'reqb trail x-sum 9;reqb call check', 'reqt append x-sum b');
    const request = 'POST /late HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc';
    expect((await exchange({ port: plane.port }, request)).status).toBe(200);
    expect(upstream.requests.at(-1)!.target).toBe('/late');
    expect(upstream.requests.at(-1)!.trailers).toEqual([['x-sum', '9b']]);
  });

  test('can be added while a filter keeps the last bytes, after those were shown to it', async () => {
    const upstream = await FakeUpstream.start();
    const plane = await start(upstream, 'reqb call check;called trail x-sum 9', 'reqt append x-sum b');
    const request = 'POST /late HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc';
    expect((await exchange({ port: plane.port }, request)).status).toBe(200);
    const last = upstream.requests.at(-1)!;
    expect([last.target, last.text, last.trailers]).toEqual(['/late', 'abc', [['x-sum', '9b']]]);
  });

  test('cannot be added to a body that goes on', async () => {
    const upstream = await FakeUpstream.start();
    const plane = await start(upstream, 'reqh call check;called trail x-sum 9');
    const request = 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc';
    expect((await exchange({ port: plane.port }, request)).status).toBe(200);
    expect(upstream.requests.at(-1)!.trailers).toEqual([]);
  });

  test('go out again with another attempt', async () => {
    const upstream = await FakeUpstream.start();
    const plane = await start(upstream);
    const client = await RawClient.connect({ port: plane.port });
    await client.exchange(getRequest('/'));
    // The connection in the pool is stale: the request goes out on it, and again on a new one.
    upstream.script((_request, answer) => answer.reset());
    const put = CHUNKED.replace('POST', 'PUT');
    await client.exchange(`${put}3\r\nabc\r\n0\r\nX-Sum: 1\r\n\r\n`);
    expect(upstream.requests.at(-1)!.connection).toBeGreaterThan(0);
    expect(upstream.requests.at(-1)!.trailers).toEqual([['X-Sum', '1']]);
  });
});

describe('of an answer', () => {
  test('reach a client that asked for them, and no other', async () => {
    const upstream = await FakeUpstream.start({ behaviour: chunkedReply(['ab'], [['X-Sum', '1']]) });
    const plane = await start(upstream);
    const asked = await exchange({ port: plane.port }, getRequest('/', 'a', TE));
    expect([asked.text, asked.trailers]).toEqual(['ab', [['X-Sum', '1']]]);
    const other = await exchange({ port: plane.port }, getRequest('/'));
    expect([other.text, other.trailers]).toEqual(['ab', []]);
    const [first, second] = upstream.requests;
    expect([first!.header('te'), first!.header('connection')]).toEqual(['trailers', 'TE']);
    expect([second!.header('te'), second!.header('connection')]).toEqual([undefined, undefined]);
  });

  test('are not for HTTP/1.0, which has no chunks', async () => {
    const upstream = await FakeUpstream.start({ behaviour: chunkedReply(['ab'], [['X-Sum', '1']]) });
    const plane = await start(upstream);
    const answer = await exchange({ port: plane.port }, `GET / HTTP/1.0\r\nHost: a\r\n${TE}\r\n\r\n`);
    expect([answer.text, answer.trailers]).toEqual(['ab', []]);
    expect(upstream.requests[0]!.header('te')).toBeUndefined();
  });

  test('are changed by filters on the way back', async () => {
    const upstream = await FakeUpstream.start({ behaviour: chunkedReply(['ab'], [['X-Sum', '1']]) });
    const plane = await start(upstream, 'rest append x-way a', 'rest append x-way b;rest unset x-sum');
    const answer = await exchange({ port: plane.port }, getRequest('/', 'a', TE));
    expect([answer.text, answer.trailers]).toEqual(['ab', [['x-way', 'ba']]]);
  });

  test('can be added to one that has none, whole or in parts', async () => {
    const upstream = await FakeUpstream.start();
    const plane = await start(upstream, 'rest append x-sum b', 'resb trail x-sum 9');
    const whole = await exchange({ port: plane.port }, getRequest('/', 'a', TE));
    expect([whole.framing, whole.trailers]).toEqual(['chunked', [['x-sum', '9b']]]);
    upstream.script(chunkedReply(['ab', 'cd']));
    const parts = await exchange({ port: plane.port }, getRequest('/', 'a', TE));
    expect([parts.text, parts.trailers]).toEqual(['abcd', [['x-sum', '9b']]]);
    const unasked = await exchange({ port: plane.port }, getRequest('/'));
    expect([unasked.status, unasked.trailers]).toEqual([200, []]);
  });

  test('can be added to a local reply', async () => {
    const upstream = await FakeUpstream.start();
    const plane = await start(upstream, 'resb trail x-sum 9', 'reqh reply 403 no');
    const answer = await exchange({ port: plane.port }, getRequest('/', 'a', TE));
    expect([answer.status, answer.text, answer.trailers]).toEqual([403, 'no', [['x-sum', '9']]]);
  });

  test('that wait for a filter are its own, whatever else their connection carries meanwhile', async () => {
    const upstream = await FakeUpstream.start();
    const plane = await startNarrow(1, upstream, 'rest call check');
    upstream.script(chunkedReply(['ab'], [['X-First', '1']]), chunkedReply(['cd'], [['X-Second', '2']]));
    const answer = await exchange({ port: plane.port }, getRequest('/', 'a', TE));
    // The callout came on the same connection, and its trailers must not take the place of the others.
    expect(upstream.requests.map(({ connection }) => connection)).toEqual([0, 0]);
    expect([answer.text, answer.trailers]).toEqual(['ab', [['X-First', '1']]]);
  });
});
