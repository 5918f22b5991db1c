import { describe, expect, test } from 'vitest';
import { REFUSED } from '../../../src/runtime/http/parse.ts';
import { field, readHead } from '../../support/head.ts';

const withHost = (...hosts: string[]): string =>
  ['GET / HTTP/1.1', ...hosts.map((host) => `Host: ${host}`), '', ''].join('\r\n');

describe('Host', () => {
  test.each([
    ['a.example', 'a.example'],
    ['A.Example', 'a.example'],
    ['a.example.', 'a.example'],
    ['a.example:80', 'a.example'],
    ['a.example.:80', 'a.example'],
    ['a.example:080', 'a.example'],
    ['a.example:443', 'a.example:443'],
    ['a.example.:8080', 'a.example:8080'],
    ['a_b.example', 'a_b.example'],
    ['localhost', 'localhost'],
    ['127.0.0.1:8080', '127.0.0.1:8080'],
    ['[::1]', '[::1]'],
    ['[::1]:80', '[::1]'],
    ['[2001:DB8::A]:65535', '[2001:db8::a]:65535'],
    [`${'a'.repeat(63)}.example`, `${'a'.repeat(63)}.example`],
  ])('%s becomes :authority %s', (host, authority) => {
    const head = readHead(withHost(host));
    expect(field(head, ':authority')).toBe(authority);
    expect(field(head, 'host')).toBeUndefined();
  });

  test('loses the default port of the connection it came on', () => {
    expect(field(readHead(withHost('a.example:443'), { secure: true }), ':authority')).toBe('a.example');
    expect(field(readHead(withHost('a.example:80'), { secure: true }), ':authority')).toBe('a.example:80');
    expect(field(readHead(withHost('a.example'), { secure: true }), ':scheme')).toBe('https');
  });

  test.each([
    '',
    '.',
    '..',
    '.a.example',
    'a..example',
    'a.example..',
    ':80',
    'a.example:',
    'a.example:0',
    'a.example:65536',
    'a.example:123456',
    'a.example:-1',
    'a.example:+80',
    'a.example:8 0',
    'a.example:80:80',
    'a b.example',
    'a.example,b.example',
    'a.example/b',
    'a.example?b',
    'user@a.example',
    'a%2eexample',
    'a\\example',
    'a\tb',
    'ex\xe4mple',
    '[::1',
    '[::1]x',
    '[]',
    '[1]',
    '[::g]',
    '[::1%25eth0]',
    '[v1.x]',
    '[a.example]',
    '::1',
    `${'a'.repeat(64)}.example`,
    `${'a.'.repeat(128)}`,
  ])('%j is refused', (host) => {
    expect(readHead(withHost(host))).toMatchObject({ end: REFUSED, refusal: 400, reason: 'bad host' });
  });

  test('is there exactly once in HTTP/1.1', () => {
    expect(readHead(withHost())).toMatchObject({ refusal: 400, reason: 'no host field' });
    expect(readHead(withHost('a.example', 'a.example'))).toMatchObject({
      refusal: 400,
      reason: 'more than one host field',
    });
  });

  test('may be missing in HTTP/1.0, but is there at most once', () => {
    expect(field(readHead('GET / HTTP/1.0\r\n\r\n'), ':authority')).toBe('');
    expect(readHead('GET / HTTP/1.0\r\nHost: a\r\nHost: a\r\n\r\n').refusal).toBe(400);
    expect(readHead('GET / HTTP/1.0\r\nHost: a b\r\n\r\n').refusal).toBe(400);
  });

  test('of an answer means nothing and passes', () => {
    const head = readHead('HTTP/1.1 200 OK\r\nHost: a b\r\nHost: c\r\n\r\n', { kind: 'answer' });
    expect(head.fields.filter(([name]) => name === 'host')).toHaveLength(2);
  });
});
