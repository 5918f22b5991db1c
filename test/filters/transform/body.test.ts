import { expect, test } from 'vitest';
import { JSON_TYPE, answered, ofAnswers, ofRequests, open, sent } from './open.ts';

const HIDE = { redact: [{ at: ['/a'], replace: '***' }] };
const ADD = { patch: [{ op: 'add', path: '/b', value: 2 }] };

test('an answer that is redacted passes in pieces, and is not held', async () => {
  const exchange = await answered(await ofAnswers(HIDE), ['{"x":1,', '"a":"sec', 'ret","y":', '2}']);
  expect(exchange.answer.body).toBe('{"x":1,"a":"***","y":2}');
  expect(exchange.pauses).toEqual([]);
});

test('one that is patched is held until all of it is there, and has a length', async () => {
  const exchange = await answered(await ofAnswers(ADD), ['{"a"', ':1}']);
  expect(exchange.answer.body).toBe('{"a":1,"b":2}');
  expect(exchange.answer.headers['content-length']).toBe('13');
  expect(exchange.pauses).toHaveLength(1);
});

test('fields that tell of the bytes that came are gone', async () => {
  const told = { etag: '"1"', 'content-digest': 'a', 'repr-digest': 'b', digest: 'c', 'content-md5': 'd' };
  const { answer } = await answered(await ofAnswers(HIDE), '{"a":1}', {
    ...JSON_TYPE,
    ...told,
    'accept-ranges': 'bytes',
    'content-length': '7',
    'last-modified': 'x',
  });
  expect(answer.headers).toEqual({ ...JSON_TYPE, 'last-modified': 'x', 'content-length': '11' });
  const { upstream } = await sent(await ofRequests(ADD), '{}', { ...JSON_TYPE, ...told });
  expect(upstream!.headers).toEqual({ ...JSON_TYPE, 'content-length': '7' });
});

test('the upstream is asked for a whole document that is not compressed', async () => {
  const asked = { 'accept-encoding': 'gzip, br', range: 'bytes=0-9', 'if-range': '"1"' };
  const headersFor = async (body: object, when: object = {}): Promise<unknown> => {
    const filter = await ofAnswers(body, when);
    return (await filter.exchange({ request: { headers: asked } })).upstream!.headers;
  };
  expect(await headersFor(HIDE)).toEqual({ 'accept-encoding': 'identity' });
  expect(await headersFor({ ...HIDE, requestIdentity: false })).toEqual({ 'accept-encoding': 'gzip, br' });
  expect(await headersFor(HIDE, { paths: ['/other'] })).toEqual(asked);
});

test.each([
  [{ 'content-encoding': 'gzip' }, 200],
  [{ 'content-encoding': 'GZIP, identity' }, 200],
  [{ 'content-range': 'bytes 0-1/9' }, 206],
])('an answer that cannot be looked into is refused: %j', async (headers, status) => {
  const spec = { response: { status, headers: { ...JSON_TYPE, ...headers }, body: 'xx' } };
  const denied = await (await ofAnswers(HIDE)).exchange(spec);
  expect(denied.answer).toMatchObject({ status: 502, details: 'transform_encoded' });
  const passed = await (await ofAnswers({ ...HIDE, onEncoded: 'Pass' })).exchange(spec);
  expect(passed.answer).toMatchObject({ status, body: 'xx' });
});

test('a request that is compressed is refused', async () => {
  const headers = { ...JSON_TYPE, 'content-encoding': 'gzip' };
  const { answer, upstream } = await sent(await ofRequests(ADD), 'x', headers);
  expect([answer.status, upstream]).toEqual([415, null]);
  expect(
    (await sent(await ofRequests(ADD), '{}', { ...JSON_TYPE, 'content-encoding': 'identity' })).answer.status,
  ).toBe(200);
});

test.each(['Deny', 'Pass'])('a body that is too large to be gathered: %s', async (onOverflow) => {
  const body = { ...ADD, maxBytes: 10, onOverflow };
  const request = await sent(await ofRequests(body), ['{"x":', '12345}'], JSON_TYPE);
  const answer = await answered(await ofAnswers(body), ['{"x":', '12345}', ' ']);
  if (onOverflow === 'Deny') {
    expect(request.answer).toMatchObject({ status: 413, details: 'transform_too_large' });
    expect(answer.answer).toMatchObject({ status: 502, details: 'transform_too_large' });
  } else {
    expect(request.upstream!.body).toBe('{"x":12345}');
    expect(answer.answer.body).toBe('{"x":12345} ');
  }
  expect((await sent(await ofRequests(body), '{"x":1}  ')).upstream!.body).toBe('{"x":1,"b":2}  ');
});

test.each([
  ['application/json; charset=utf-8', true],
  ['application/Problem+JSON', true],
  ['application/x-ndjson', true],
  ['', true],
  ['text/html', false],
  ['text/event-stream', false],
  ['application/json-seq', false],
])('without types in when, %s is redacted: %s', async (type, is) => {
  const { answer } = await answered(
    await ofAnswers(HIDE),
    '{"a":1}',
    type === '' ? {} : { 'content-type': type },
  );
  expect(answer.body).toBe(is ? '{"a":"***"}' : '{"a":1}');
});

test('what has no type passes a patch, which hides nothing', async () => {
  expect((await answered(await ofAnswers(ADD), 'x', {})).answer.body).toBe('x');
});

test('what has a type that when names has to be JSON', async () => {
  const filter = await ofAnswers(HIDE, { contentTypes: ['*/*'] });
  expect((await answered(filter, '{"a":1}', { 'content-type': 'text/html' })).answer.body).toBe(
    '{"a":"***"}',
  );
  expect((await answered(filter, '<html>', { 'content-type': 'text/html' })).answer.status).toBe(502);
});

test('of two types, the one that is to be redacted counts', async () => {
  const headers: [string, string][] = [
    ['content-type', 'text/event-stream'],
    ['content-type', 'application/json'],
  ];
  const { answer } = await (await ofAnswers(HIDE)).exchange({ response: { headers, body: '{"a":1}' } });
  expect(answer.body).toBe('{"a":"***"}');
});

test('a message without a body stays without one', async () => {
  const filter = await open({ request: [{ body: ADD }], response: [{ body: HIDE }] });
  const head = await filter.exchange({
    request: { method: 'HEAD', headers: JSON_TYPE },
    response: { headers: { ...JSON_TYPE, etag: '"1"' } },
  });
  expect(head.answer).toMatchObject({ status: 200, body: '' });
  expect(head.answer.headers).not.toHaveProperty('etag');
  const empty = await filter.exchange({
    request: { method: 'POST', headers: JSON_TYPE, body: [''] },
    response: { headers: JSON_TYPE, body: ['', ''] },
  });
  expect([empty.upstream!.body, empty.answer.body]).toEqual(['', '']);
});

test.each([
  ['redacted', HIDE, '{"a":"***"}'],
  ['patched', ADD, '{"a":1,"b":2}'],
])('a body with trailers behind it is %s', async (_what, body, expected) => {
  const trailers = { 'x-sum': '1' };
  const answers = await ofAnswers(body);
  const { answer } = await answers.exchange({
    response: { headers: JSON_TYPE, body: ['{"a"', ':1}'], trailers: { ...trailers, 'repr-digest': 'x' } },
  });
  expect([answer.body, answer.trailers]).toEqual([expected, trailers]);
  const requests = await ofRequests(body);
  const { upstream } = await requests.exchange({
    request: { method: 'POST', headers: JSON_TYPE, body: ['{"a":', '1}'], trailers },
  });
  expect(upstream!.body).toBe(expected);
});

test('one that does not end is not handed on as if it had, trailers or not', async () => {
  const filter = await ofAnswers(HIDE);
  const exchange = await filter.exchange({
    response: { headers: JSON_TYPE, body: ['{"b":1', ',"c":2'], trailers: { 'x-sum': '1' } },
  });
  expect(exchange.state).toBe('reset');
});

test('an answer of which a part has gone out is cut off where it turns out not to be JSON', async () => {
  const exchange = await answered(await ofAnswers(HIDE), ['{"b":1,', '"a":secret}']);
  expect(exchange.state).toBe('reset');
});

test('one that is refused says nothing of what it was', async () => {
  const { answer } = await sent(await ofRequests(ADD), '{"password":"hunter2"');
  expect(answer.status).toBe(400);
  expect(answer.body).not.toContain('hunter2');
  expect(JSON.parse(answer.body)).toMatchObject({ status: 400, title: 'Bad Request' });
});

test('streams that follow each other share nothing', async () => {
  const filter = await open({ request: [{ body: ADD }], response: [{ body: HIDE }] });
  for (let i = 0; i < 3; i++) {
    await filter.exchange({ response: { headers: JSON_TYPE, body: ['{"a":"x', 'y'] } });
    await filter.exchange({
      response: { headers: { 'content-type': 'application/jsonl' }, body: ['{"a":'] },
    });
    const { upstream, answer } = await filter.exchange({
      request: { method: 'POST', headers: JSON_TYPE, body: ['{', '}'] },
      response: { headers: JSON_TYPE, body: ['{"a', '":1}'] },
    });
    expect([upstream!.body, answer.body]).toEqual(['{"b":2}', '{"a":"***"}']);
  }
});
