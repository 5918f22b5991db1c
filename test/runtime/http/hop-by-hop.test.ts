import { describe, expect, test } from 'vitest';
import { REFUSED } from '../../../src/runtime/http/parse.ts';
import { field, readHead, request } from '../../support/head.ts';

const names = (text: string, options = {}): string[] =>
  readHead(text, options)
    .fields.map(([name]) => name)
    .filter((name) => !name.startsWith(':'));

describe('fields for one connection', () => {
  test.each([
    'Connection: keep-alive',
    'Keep-Alive: timeout=5',
    'Proxy-Connection: keep-alive',
    'Proxy-Authenticate: Basic',
    'TE: trailers',
    'Trailer: X',
    'Transfer-Encoding: chunked',
    'Upgrade: websocket',
    'HTTP2-Settings: AAMAAABkAAQAAP__',
  ])('%s is left out of requests and answers', (line) => {
    expect(names(request('A: 1', line, 'B: 2'))).toEqual(['a', 'b']);
    expect(names(`HTTP/1.1 200 OK\r\nA: 1\r\n${line}\r\nB: 2\r\n\r\n`, { kind: 'answer' })).toEqual([
      'a',
      'b',
    ]);
  });

  test.each([
    'Connections: x',
    'Connectio: x',
    'X-Connection: x',
    'TEE: x',
    'Upgrade-Insecure-Requests: 1',
    'Keep-Aliv2: x',
    'Proxy-Authorization: x',
    'Trailers: x',
    'Hosts: x',
    'Content-Lengt1: x',
    'Transfer-Encodinh: x',
  ])('%s is not one of them', (line) => {
    expect(names(request(line))).toHaveLength(1);
  });

  test('include those that Connection names, before or after it, in any case, every one', () => {
    const text = request('X-A: 1', 'Connection: x-a, X-B', 'X-B: 2', 'x-B: 3', 'X-C: 4');
    expect(names(text)).toEqual(['x-c']);
    const twice = request('Connection: X-A', 'X-A: 1', 'X-B: 2', 'Connection: ,, x-b ,', 'X-C: 3');
    expect(names(twice)).toEqual(['x-c']);
    const answer = 'HTTP/1.1 200 OK\r\nConnection: Set-Cookie\r\nSet-Cookie: a\r\nX: y\r\n\r\n';
    expect(names(answer, { kind: 'answer' })).toEqual(['x']);
  });

  test.each([
    'Content-Length',
    'Cookie',
    'Authorization',
    'X-Forwarded-For',
    'X-Forwarded-Anything',
    'Forwarded',
    'X-Real-IP',
    'X-Request-Id',
  ])('do not include %s, which may not be nominated away', (name) => {
    const text = request(`Connection: close, ${name.toLowerCase()}`, `${name}: 1`);
    expect(names(text, { limits: { trustedHops: 1 } })).toEqual([name.toLowerCase()]);
  });

  test('do not include Host, framing or pseudo-headers', () => {
    const head = readHead(request('Connection: host, transfer-encoding', 'Transfer-Encoding: chunked'));
    expect(head.framing).toBe('chunked');
    expect(field(head, ':authority')).toBe('a.example');
    // A colon is in no token, so a pseudo-header cannot even be named.
    expect(readHead(request('Connection: :path')).refusal).toBe(400);
  });

  test.each(['close;x', 'a b', '"close"', 'close, @'])('Connection: %s is refused', (value) => {
    expect(readHead(request(`Connection: ${value}`))).toMatchObject({ end: REFUSED, refusal: 400 });
  });

  test('cannot be nominated by the thousand: each costs a search', () => {
    const options = (count: number): string => Array.from({ length: count }, (_, i) => `x${i}`).join(',');
    expect(readHead(request(`Connection: ${options(32)}`)).end).toBeGreaterThan(0);
    expect(readHead(request(`Connection: ${options(33)}`)).refusal).toBe(400);
    expect(readHead(request(`Connection: ${options(20)}`, `Connection: ${options(20)}`)).refusal).toBe(400);
  });
});

describe('a connection is kept', () => {
  test.each([
    ['1.1', [], true],
    ['1.1', ['keep-alive'], true],
    ['1.1', ['close'], false],
    ['1.1', ['Close'], false],
    ['1.1', ['keep-alive, close'], false],
    ['1.1', ['keep-alive', 'close'], false],
    ['1.1', ['x, close , y'], false],
    ['1.1', ['closed'], true],
    ['1.0', [], false],
    ['1.0', ['keep-alive'], true],
    ['1.0', ['Keep-Alive'], true],
    ['1.0', ['keep-alive, close'], false],
  ])('HTTP/%s with Connection %j: %s', (version, values, kept) => {
    const lines = values.map((value) => `Connection: ${value}\r\n`).join('');
    expect(readHead(`GET / HTTP/${version}\r\nHost: a\r\n${lines}\r\n`).keepAlive).toBe(kept);
    const answer = `HTTP/${version} 200 OK\r\nContent-Length: 0\r\n${lines}\r\n`;
    expect(readHead(answer, { kind: 'answer' }).keepAlive).toBe(kept);
  });

  test('without regard to Proxy-Connection', () => {
    expect(readHead(request('Proxy-Connection: close')).keepAlive).toBe(true);
  });
});

describe('forwarding fields', () => {
  const lines = [
    'X-Forwarded-For: 1.2.3.4',
    'X-Forwarded-Proto: https',
    'X-Forwarded-Host: a',
    'X-Forwarded-Port: 1',
    'X-Forwarded-Client-Cert: x',
    'Forwarded: for=1.2.3.4',
    'X-Real-IP: 1.2.3.4',
    'X-Request-Id: 7',
  ];

  test('from outside are left out', () => {
    expect(names(request(...lines, 'traceparent: 00-1', 'X-Forwarded: x'))).toEqual([
      'traceparent',
      'x-forwarded',
    ]);
  });

  test('from outside are left out in spellings that an application takes for them', () => {
    const text = request('X_Forwarded_For: 1.2.3.4', 'X-Forwarded_Proto: https', 'X.Real.IP: 1');
    expect(names(text, { limits: { underscores: 'allow' } })).toEqual([]);
  });

  test('of trusted proxies are kept, but what they say of a certificate', () => {
    const kept = names(request(...lines), { limits: { trustedHops: 1 } });
    expect(kept).toHaveLength(lines.length - 1);
    expect(kept).not.toContain('x-forwarded-client-cert');
  });

  test.each([
    ['forwardonly', 1],
    ['appendforward', 1],
    ['alwaysforwardonly', 1],
    ['sanitize', 0],
    ['sanitizeset', 0],
  ] as const)('X-Forwarded-Client-Cert, %s: %i', (forwardedClientCert, kept) => {
    const limits = { forwardedClientCert, underscores: 'allow' } as const;
    const text = request(
      'X-Forwarded-Client-Cert: Hash=1',
      'X_Forwarded_Client_Cert: Hash=2',
      'X.Forwarded-Client-Cert: Hash=3',
    );
    expect(names(text, { limits })).toEqual(Array.from({ length: kept }, () => 'x-forwarded-client-cert'));
  });

  test('pass in answers', () => {
    expect(names('HTTP/1.1 200 OK\r\nX-Request-Id: 7\r\n\r\n', { kind: 'answer' })).toEqual(['x-request-id']);
  });
});

describe('Expect', () => {
  test('100-continue is reported once and left out', () => {
    const head = readHead(request('Expect: 100-Continue', 'Content-Length: 5'));
    expect(head.expectContinue).toBe(true);
    expect(names(request('Expect: 100-continue'))).toEqual([]);
  });

  test('means nothing without a body, or from a client of HTTP/1.0', () => {
    expect(readHead(request('Expect: 100-continue')).expectContinue).toBe(false);
    expect(readHead(request('Expect: 100-continue', 'Content-Length: 0')).expectContinue).toBe(false);
    const old = 'POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n';
    expect(readHead(old).expectContinue).toBe(false);
  });

  test.each(['', '100', '200-ok', '100-continue, x', '100-continue;x'])('%j is refused with 417', (value) => {
    expect(readHead(request(`Expect: ${value}`))).toMatchObject({ end: REFUSED, refusal: 417 });
  });

  test('twice is refused', () => {
    expect(readHead(request('Expect: 100-continue', 'Expect: 100-continue')).refusal).toBe(417);
  });
});

describe('Upgrade', () => {
  test.each([
    [['Upgrade: websocket', 'Connection: Upgrade'], 'websocket'],
    [['Connection: keep-alive, upgrade', 'Upgrade: WebSocket'], 'WebSocket'],
    [['Connection: upgrade', 'Upgrade: h2c, websocket'], 'websocket'],
    [['Connection: upgrade', 'Upgrade: H2C', 'Upgrade: foo/2 , websocket'], 'foo/2'],
    [['Connection: upgrade', 'Upgrade: h2c', 'HTTP2-Settings: AAMAAABkAAQAAP__'], ''],
    [['Upgrade: websocket'], ''],
    [['Connection: upgrade'], ''],
    [['Connection: upgrade', 'Upgrade:'], ''],
    [['Connection: upgrades', 'Upgrade: websocket'], ''],
  ])('%j asks for %j', (lines, protocol) => {
    const head = readHead(request(...lines));
    expect(head.upgrade).toBe(protocol);
    expect(head.fields).toHaveLength(4);
  });

  test('does not exist in HTTP/1.0', () => {
    expect(readHead('GET / HTTP/1.0\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n').upgrade).toBe('');
  });

  test('with a body is refused, unless only h2c is asked for', () => {
    const upgrade = ['Connection: upgrade', 'Upgrade: websocket'];
    expect(readHead(request(...upgrade, 'Content-Length: 1')).refusal).toBe(400);
    expect(readHead(request(...upgrade, 'Transfer-Encoding: chunked')).refusal).toBe(400);
    expect(readHead(request(...upgrade, 'Content-Length: 0')).upgrade).toBe('websocket');
    expect(readHead(request('Connection: upgrade', 'Upgrade: h2c', 'Content-Length: 1')).framing).toBe(
      'length',
    );
  });

  test('of an answer counts with 101 only', () => {
    const lines = 'Connection: upgrade\r\nUpgrade: websocket\r\n\r\n';
    expect(readHead(`HTTP/1.1 101 X\r\n${lines}`, { kind: 'answer' }).upgrade).toBe('websocket');
    expect(readHead(`HTTP/1.1 200 X\r\n${lines}`, { kind: 'answer' }).upgrade).toBe('');
    expect(readHead('HTTP/1.1 101 X\r\nUpgrade: websocket\r\n\r\n', { kind: 'answer' }).upgrade).toBe('');
  });
});

test.each([
  ['trailers', true],
  ['gzip, Trailers', true],
  ['trailers;q=1', false],
  ['', false],
])('TE %j asks for trailers: %s', (value, expected) => {
  expect(readHead(request(`TE: ${value}`)).teTrailers).toBe(expected);
});
