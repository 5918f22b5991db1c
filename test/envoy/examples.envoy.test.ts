// The examples of filters with the same requests in weir and in Envoy.
import { generateKeyPairSync, sign } from 'node:crypto';
import { inflateSync } from 'node:zlib';
import { beforeAll, describe, expect, test } from 'vitest';
import { talkOnce, startParrot } from '../languages/tcp.ts';
import type { Exchange, Place, Seen } from '../languages/subject.ts';
import { exampleFile } from '../support/examples.ts';
import { chunkedReply, reply } from '../support/fake-upstream.ts';
import { getRequest, postRequest } from '../support/raw-client.ts';
import { values } from '../support/message.ts';
import { Both } from './both.ts';

/** An example at a place of its own; `upstream` of its configuration is one that both hosts have. */
async function place(example: string, config?: object, ...more: object[]): Promise<Place> {
  const file = await exampleFile(example);
  const filters = [config, ...more].map((one) => ({
    file,
    rootId: '',
    configuration: one === undefined ? '' : JSON.stringify(one),
  }));
  return { name: example, filters };
}

const json: [string, string] = ['content-type', 'application/json'];
const html: [string, string] = ['content-type', 'text/html'];

const PARTNER = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const SPKI = { type: 'spki', format: 'der' } as const;
const RULES = [
  { name: 'no_writes', when: 'request.method != "GET" && request.path.startsWith("/fixed")', status: 405 },
  { name: 'no_robots', when: 'request.useragent.contains("robot")' },
];

describe('an example does the same in Envoy', () => {
  let both: Both;
  beforeAll(async () => {
    const places = await Promise.all([
      place('security-headers'),
      place('canary', { permille: 500 }),
      place('maintenance', { open: ['/health'], pass: 'team' }),
      place('redact-json', { members: ['password'] }),
      place('redirects', { redirects: [{ from: '/old', to: '/new', status: 302 }] }),
      place('compress', { least: 100 }),
      place('signed-webhook', { publicKey: PARTNER.publicKey.export(SPKI).toString('base64') }),
      place('enrich', { users: 'authz', plans: 'authz' }),
      place('cel-rules', { rules: RULES }),
      place('replace-text', { find: 'abab', replacement: '[x]' }),
      place('llm-usage'),
      place('trailer-checksum'),
      place('token-introspection', { upstream: 'authz', header: 'x-token' }),
      place('grpc-rate-limit', { upstream: 'grpc', domain: 'app' }),
      place('client-info', {}),
      place('cache-key', { ignore: ['utm_'], vary: ['accept-language'] }),
      place('tiered-limit', { tiers: [{ name: 'free', requests: 1 }] }),
      place('in-flight', { most: 1 }),
      place('route-metrics'),
      place('slow-log', { slowerThan: '1h' }),
    ]);
    const tcp: Place = { ...(await place('connection-quota', { bytes: 10 })), name: 'tcp', protocol: 'tcp' };
    both = await Both.start({ places: [...places, tcp], tcpPort: await startParrot() });
  }, 120_000);

  const get = (role: string, path = '/', ...fields: string[]): Exchange => ({
    role,
    send: getRequest(path, 'plugin.test', ...fields),
  });
  const fieldOf = (seen: Seen, name: string): string | undefined => values(seen.upstream[0]!.fields, name)[0];

  test('security-headers', async () => {
    const seen = await both.compare(get('security-headers'));
    expect(seen.answer.header('x-content-type-options')).toBe('nosniff');
  });

  test('canary', async () => {
    const versions = new Set<string | undefined>();
    for (const user of ['ann', 'bob', 'eve', 'mallory'])
      versions.add(fieldOf(await both.compare(get('canary', '/', `X-User: ${user}`)), 'x-version'));
    expect([...versions].sort()).toEqual(['canary', 'stable']);
  });

  test('maintenance', async () => {
    expect((await both.compare(get('maintenance'))).answer.status).toBe(503);
    expect((await both.compare(get('maintenance', '/health'))).answer.status).toBe(200);
    expect((await both.compare(get('maintenance', '/', 'X-Maintenance-Pass: team'))).answer.status).toBe(200);
  });

  test('redact-json', async () => {
    const upstream = chunkedReply(['{"a":1,"pass', 'word":"secret"}'], [], [json]);
    const seen = await both.compare({ ...get('redact-json'), upstream });
    expect(seen.answer.text).toBe('{"a":1,"password":"***"}');
  });

  test('replace-text', async () => {
    const upstream = chunkedReply(['one aba', 'b two'], [], [html]);
    expect((await both.compare({ ...get('replace-text'), upstream })).answer.text).toBe('one [x] two');
  });

  test('redirects', async () => {
    const moved = await both.compare(get('redirects', '/old?a=1'));
    expect([moved.answer.status, moved.answer.header('location')]).toEqual([302, '/new']);
    expect((await both.compare(get('redirects', '/older'))).answer.status).toBe(200);
  });

  test('compress', async () => {
    const text = 'all of it again. '.repeat(20);
    const upstream = reply(200, [html, ['etag', '"a"']], text);
    const plain = await both.compare({ ...get('compress', '/', 'Accept-Encoding: gzip'), upstream });
    expect(plain.answer.text).toBe(text);
    expect(plain.answer.header('vary')).toBe('Accept-Encoding');
    // Each host's own zlib may find another way to say the same.
    const compressed = await both.each({ ...get('compress', '/', 'Accept-Encoding: deflate'), upstream });
    for (const { answer } of compressed) {
      expect(answer.header('content-encoding')).toBe('deflate');
      expect(answer.header('etag')).toBe('W/"a"');
      expect(answer.body.length).toBeLessThan(60);
      expect(inflateSync(answer.body).toString()).toBe(text);
    }
  });

  test('signed-webhook', async () => {
    const post = (body: string, ...signatures: string[]): Exchange => ({
      role: 'signed-webhook',
      send: postRequest('/', body, 'plugin.test', ...signatures.map((one) => `X-Signature: ${one}`)),
    });
    const signed = sign('sha256', Buffer.from('{"a":1}'), PARTNER.privateKey).toString('base64');
    const good = await both.compare(post('{"a":1}', signed));
    expect([good.answer.status, good.upstream[0]!.body]).toEqual([200, '{"a":1}']);
    for (const bad of [post('{"a":1}'), post('{"a":1}', signed, signed)])
      expect(await both.compare(bad)).toMatchObject({ answer: { status: 401 }, upstream: [] });
    // Envoy has sent the head upstream by then; none of the body.
    const forged = await both.each(post('{"a":2}', signed));
    expect(forged.map(({ answer }) => answer.status)).toEqual([401, 401]);
    expect(forged.flatMap(({ upstream }) => upstream.map(({ body }) => body)).join('')).toBe('');
  });

  test('enrich', async () => {
    const known = reply(
      200,
      [
        ['x-name', 'Ann'],
        ['x-plan', 'paid'],
      ],
      '',
    );
    const seen = await both.compare({ ...get('enrich', '/', 'X-User: a/n'), authz: known });
    expect([fieldOf(seen, 'x-user-name'), fieldOf(seen, 'x-plan')]).toEqual(['Ann', 'paid']);
    expect(seen.authz.map(({ target }) => target)).toEqual(['/a%2Fn', '/a%2Fn']);
    const failed = await both.compare({ ...get('enrich', '/', 'X-User: ann'), authz: reply(404, [], '') });
    expect(failed.answer.status).toBe(502);
    expect((await both.compare(get('enrich', '/', 'X-Plan: root'))).upstream[0]!.fields).not.toContainEqual([
      expect.stringMatching(/^x-plan$/i),
      'root',
    ]);
  });

  test('cel-rules', async () => {
    const status = async (send: Buffer | string): Promise<number> =>
      (await both.compare({ role: 'cel-rules', send })).answer.status;
    const agent = (name: string): string => `User-Agent: ${name}`;
    expect(await status(postRequest('/fixed/a', '', 'plugin.test'))).toBe(405);
    expect(await status(getRequest('/fixed/a', 'plugin.test', agent('a person')))).toBe(200);
    expect(await status(getRequest('/', 'plugin.test', agent('a robot')))).toBe(403);
    // Weir says in its log what had no value.
    const nameless = await both.each(get('cel-rules'));
    expect(nameless.map(({ answer }) => answer.status)).toEqual([200, 200]);
  });

  test('llm-usage', async () => {
    const events = ['data: {"usage":{"total_tok', 'ens": 15}}\n\n', 'data: [DONE]\n\n'];
    const upstream = chunkedReply(events, [], [['content-type', 'text/event-stream']]);
    const seen = await both.compare({
      ...get('llm-usage', '/', 'X-Consumer: ann'),
      upstream,
      awaits: ['tokens 15 ann'],
    });
    expect(seen.answer.text).toBe(events.join(''));
  });

  test('trailer-checksum', async () => {
    const post = (checksum: string): string =>
      [
        'POST / HTTP/1.1',
        'Host: plugin.test',
        'TE: trailers',
        'Connection: TE',
        'Transfer-Encoding: chunked',
        '',
        `9\r\n123456789\r\n0\r\nX-Crc32: ${checksum}\r\n\r\n`,
      ].join('\r\n');
    // An answer with a length has no room for trailers in Envoy.
    const upstream = chunkedReply(['12345', '6789']);
    const good = await both.compare({ role: 'trailer-checksum', send: post('cbf43926'), upstream });
    expect(good.upstream[0]).toMatchObject({ body: '123456789' });
    expect(values(good.answer.trailers, 'x-crc32')).toEqual(['cbf43926']);
    // The reply has a length: only weir gives it trailers.
    for (const bad of await both.each({ role: 'trailer-checksum', send: post('cbf43927') })) {
      expect(bad.answer.status).toBe(400);
      // Envoy may have sent the head when the trailers come.
      expect(bad.upstream.map(({ body }) => body).join('')).toBe('');
    }
  });

  test('token-introspection', async () => {
    const token = (value: string): Exchange => get('token-introspection', '/', `X-Token: Bearer ${value}`);
    const good = reply(200, [json], '{"active":true,"sub":"ann"}');
    const seen = await both.compare({ ...token('good'), authz: good });
    expect(fieldOf(seen, 'x-user')).toBe('ann');
    expect(seen.authz).toMatchObject([{ method: 'POST', target: '/introspect', body: 'token=good' }]);
    expect((await both.compare(token('good'))).authz).toEqual([]);
    const bad = reply(200, [json], '{"active":false}');
    expect((await both.compare({ ...token('bad'), authz: bad })).answer.status).toBe(401);
    const failed = await both.compare({ ...token('x'), authz: reply(500, [], '') });
    expect(failed.answer.status).toBe(503);
  });

  test('grpc-rate-limit', async () => {
    expect((await both.compare(get('grpc-rate-limit', '/', 'X-User: ann'))).answer.status).toBe(200);
    expect((await both.compare(get('grpc-rate-limit', '/', 'X-User: limited'))).answer.status).toBe(429);
  });

  test('client-info', async () => {
    const seen = await both.each(get('client-info'));
    for (const [i, subject] of [both.weir, both.envoy].entries()) {
      expect(fieldOf(seen[i]!, 'x-client')).toBe('127.0.0.1');
      expect(fieldOf(seen[i]!, 'x-client-kind')).toBe('person');
      expect(fieldOf(seen[i]!, 'x-listener-port')).toBe(String(subject.port('client-info')));
    }
  });

  test('cache-key', async () => {
    const seen = await both.compare(get('cache-key', '/a?b=2&utm_source=x&a=1', 'Accept-Language: de'));
    expect(fieldOf(seen, 'x-cache-key')).toBe('GET plugin.test/a?a=1&b=2 accept-language=de');
  });

  test('tiered-limit', async () => {
    const one = get('tiered-limit', '/', 'X-Consumer: ann');
    expect((await both.compare(one)).answer.header('x-remaining')).toBe('0');
    expect((await both.compare(one)).answer.status).toBe(429);
  });

  test('in-flight', async () => {
    // Each gives its place back, so the next one finds it free.
    for (let i = 0; i < 3; i++)
      expect((await both.compare(get('in-flight', '/', 'X-Tenant: a'))).answer.status).toBe(200);
  });

  test('route-metrics', async () => {
    await both.compare({ ...get('route-metrics'), upstream: reply(404, [], 'no') });
    expect(await both.envoy.envoy.admin('/stats')).toContain('requests_total{method="GET",class="4xx"}: 1');
    const { text } = await both.weir.weir.admin('/metrics');
    expect(text).toMatch(/wasmcustom_requests_total\{[^}]*method="GET"[^}]*class="4xx"[^}]*\} 1\n/);
  });

  test('slow-log', async () => {
    const send = postRequest('/a"b', 'body', 'plugin.test');
    await both.each({ role: 'slow-log', send, upstream: reply(503, [], '') });
    for (const subject of [both.weir, both.envoy]) {
      const lines = (): string[] => subject.logs().filter((line) => line.startsWith('{"code":503'));
      await expect.poll(lines).toHaveLength(1);
      expect(JSON.parse(lines()[0]!)).toMatchObject({ code: 503, method: 'POST', path: '/a"b' });
    }
  });

  test('connection-quota', async () => {
    const cases = [
      ['abc', '<abc>', '127.0.0.1 sent 3, received 5'],
      ['hello', '', '127.0.0.1 sent 5, received 7'],
    ] as const;
    for (const [word, answer, log] of cases) {
      const weir = await talkOnce(both.weir, word, answer, [log]);
      expect(await talkOnce(both.envoy, word, answer, [log])).toEqual(weir);
      expect(weir.heard).toEqual([answer]);
    }
  });
});

// Each with upstreams of its own: what it asks them comes at any time, and would be taken for another's.
test('deny-list does the same in Envoy', { timeout: 120_000 }, async () => {
  const both = await Both.start({
    places: [await place('deny-list', { upstream: 'authz', every: '100ms' })],
  });
  const list = reply(200, [], 'eve\nmallory\n');
  for (const subject of [both.weir, both.envoy]) {
    subject.authz.behaviour = list;
    await expect.poll(() => subject.logs(), { timeout: 10_000 }).toContain('deny list: 2 entries');
  }
  const statuses = async (user: string): Promise<number[]> => {
    const send = getRequest('/', 'plugin.test', `X-User: ${user}`);
    return (await both.each({ role: 'deny-list', send, authz: list })).map(({ answer }) => answer.status);
  };
  expect(await statuses('eve')).toEqual([403, 403]);
  expect(await statuses('ann')).toEqual([200, 200]);
});

test(
  'request-journal, whose filters share a queue, does the same in Envoy',
  { timeout: 120_000 },
  async () => {
    const places = [await place('request-journal', { role: 'write' }, { role: 'send', upstream: 'authz' })];
    const both = await Both.start({ places, shared: true });
    await both.each({ role: 'request-journal', send: getRequest('/a?b', 'plugin.test') });
    for (const { authz } of [both.weir, both.envoy])
      await expect
        .poll(() => authz.requests.map(({ text }) => text), { timeout: 10_000 })
        .toEqual(['GET /a?b 200\n']);
  },
);
