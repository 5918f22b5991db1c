// Where it depends on the proxy around it: framing, what streams and what is held, connections after a refusal.
import { beforeAll, expect, test } from 'vitest';
import { WeirSubject } from '../../languages/subject.ts';
import { chunkedReply, delayed, reply, type Behaviour } from '../../support/fake-upstream.ts';
import { ROOT } from '../../support/process.ts';
import { RawClient, exchange, getRequest, postRequest } from '../../support/raw-client.ts';

const JSON_TYPE: [string, string] = ['Content-Type', 'application/json'];
const CONFIG = {
  request: [
    {
      body: {
        patch: [
          { op: 'test', path: '/v', value: 1 },
          { op: 'move', from: '/a', path: '/b' },
        ],
      },
    },
  ],
  response: [
    { when: { paths: ['/patched'] }, body: { merge: { seen: '${request.path}' } } },
    {
      when: { paths: ['/events'], contentTypes: ['text/event-stream'] },
      body: { redact: [{ at: ['/p'], drop: true }] },
    },
    { body: { redact: [{ at: ['/**/secret'], drop: true }] } },
  ],
};

const chunk = (text: string): string => `${text.length.toString(16)}\r\n${text}\r\n`;

let weir: WeirSubject;
beforeAll(async () => {
  const file = `${ROOT}dist/filters/transform.wasm`;
  const filter = { file, builtIn: 'transform', rootId: '', configuration: JSON.stringify(CONFIG) };
  weir = await WeirSubject.start({ places: [{ name: 'transform', filters: [filter] }] });
}, 90_000);

const client = (): Promise<RawClient> => RawClient.connect({ port: weir.port('transform') });
const get = (path: string, upstream: Behaviour) => {
  weir.upstream.behaviour = upstream;
  return exchange({ port: weir.port('transform') }, getRequest(path));
};

test('an answer that is larger than what weir gathers is redacted as it comes', async () => {
  const item = JSON.stringify({ secret: 'x'.repeat(20), text: 'y'.repeat(100) });
  const left = JSON.stringify({ text: 'y'.repeat(100) });
  const count = 20_000;
  const whole = Buffer.from(`[${Array.from({ length: count }, () => item).join(',')}]`);
  const pieces = Array.from({ length: Math.ceil(whole.length / 10_007) }, (_, i) =>
    whole.subarray(i * 10_007, (i + 1) * 10_007),
  );
  const answer = await get('/', chunkedReply(pieces, [], [JSON_TYPE]));
  expect(answer.framing).toBe('chunked');
  expect(answer.text === `[${Array.from({ length: count }, () => left).join(',')}]`).toBe(true);
});

test('one that is patched has a length, and one connection serves many', async () => {
  weir.upstream.behaviour = chunkedReply(['{"a"', ':1}'], [], [JSON_TYPE, ['ETag', '"1"']]);
  const one = await client();
  for (let i = 0; i < 3; i++) {
    const answer = await one.exchange(getRequest('/patched'));
    expect(answer.text).toBe('{"a":1,"seen":"/patched"}');
    expect(answer.header('content-length')).toBe('25');
    expect(answer.header('etag')).toBeUndefined();
  }
  one.close();
});

test('an event goes on before the next one has come', async () => {
  weir.upstream.behaviour = async (request, answer) => {
    await request.finish();
    await answer.raw(
      answer.head(200, [
        ['Content-Type', 'text/event-stream'],
        ['Transfer-Encoding', 'chunked'],
      ]),
    );
    await answer.raw(chunk('data: {"p":1,"q":1}\n\nid: '));
    await go;
    await answer.raw(`${chunk('2\ndata: {"p":1}\n\n')}${chunk('')}`);
  };
  let release = (): void => undefined;
  const go = new Promise<void>((resolve) => {
    release = resolve;
  });
  const one = await client();
  let text = '';
  await one.send(getRequest('/events'));
  const answer = await one.read({
    onData: (data) => {
      text += data.toString();
      if (text.includes('\n\n')) release();
    },
  });
  expect(answer.text).toBe('data: {"q":1}\n\nid: 2\ndata: {}\n\n');
  one.close();
});

test('what turns out not to be JSON ends without an end', async () => {
  const parts: Behaviour = async (request, answer) => {
    await request.finish();
    await answer.raw(answer.head(200, [JSON_TYPE, ['Transfer-Encoding', 'chunked']]));
    await answer.raw(chunk('{"a":'));
    await go;
    await answer.raw(`${chunk('1,oops}')}${chunk('')}`);
  };
  let release = (): void => undefined;
  const go = new Promise<void>((resolve) => {
    release = resolve;
  });
  weir.upstream.behaviour = parts;
  const one = await client();
  let text = '';
  await one.send(getRequest('/'));
  const answer = one.read({
    onData: (data) => {
      text += data.toString();
      release();
    },
  });
  await expect(answer).rejects.toThrow(/closed|ended|reset/i);
  expect(text).not.toContain('oops');
  const refused = await get('/', reply(200, [JSON_TYPE], '<html>'));
  expect([refused.status, refused.header('content-type')]).toEqual([502, 'application/problem+json']);
});

test('a request is patched however it is framed, and what is refused never comes to the upstream', async () => {
  weir.upstream.behaviour = reply(200, [['Content-Type', 'text/plain']], 'ok');
  const one = await client();
  const before = weir.upstream.requests.length;
  const type = 'Content-Type: application/json';
  expect((await one.exchange(postRequest('/', '{"v":1,"a":2}', 'a.test', type))).status).toBe(200);
  const head = `POST / HTTP/1.1\r\nHost: a.test\r\n${type}\r\nTransfer-Encoding: chunked\r\n\r\n`;
  await one.sendInPieces(`${head}6\r\n{"v":1\r\n8\r\n,"a":[]}\r\n0\r\nx-sum: 1\r\n\r\n`, 7);
  expect((await one.read()).status).toBe(200);
  expect(weir.upstream.requests.slice(before).map(({ text }) => text)).toEqual([
    '{"v":1,"b":2}',
    '{"v":1,"b":[]}',
  ]);
  const refused = await one.exchange(postRequest('/', '{"v":2,"a":2}', 'a.test', type));
  expect(refused.status).toBe(422);
  if (refused.keepAlive) expect((await one.exchange(getRequest('/'))).status).toBe(200);
  one.close();
  expect(weir.upstream.requests.slice(before).filter(({ method }) => method === 'POST')).toHaveLength(2);
});

test('answers without a body stay so', async () => {
  weir.upstream.behaviour = reply(204, [JSON_TYPE]);
  const one = await client();
  expect((await one.exchange(getRequest('/patched'))).status).toBe(204);
  weir.upstream.behaviour = delayed(0, reply(200, [JSON_TYPE, ['ETag', '"1"']], '{}'));
  const head = await one.exchange(getRequest('/patched').replace('GET', 'HEAD'));
  expect([head.status, head.header('etag'), head.header('content-length')]).toEqual([
    200,
    undefined,
    undefined,
  ]);
  expect((await one.exchange(getRequest('/patched'))).text).toBe('{"seen":"/patched"}');
  one.close();
});
