import { describe, expect, test } from 'vitest';
import { HeaderBlock, MessageKind, Pseudo } from '../../../src/runtime/http/headers.ts';
import { normalisePath } from '../../../src/runtime/http/path.ts';
import { DEFAULT_LISTENER_LIMITS, type ListenerLimits } from '../../../src/runtime/snapshot.ts';
import { readHead } from '../../support/head.ts';

function withPath(path: string): HeaderBlock {
  const block = new HeaderBlock();
  block.reset(MessageKind.Request);
  block.setValueText(Pseudo.Path, path);
  return block;
}

/** The normal form, or the status it is refused with. */
function normalise(path: string, policy: Partial<ListenerLimits> = {}): string | number {
  const block = withPath(path);
  const status = normalisePath(block, { ...DEFAULT_LISTENER_LIMITS, ...policy });
  return status === 0 ? block.get(':path')! : status;
}

describe('a path', () => {
  test.each([
    ['/', '/'],
    ['*', '*'],
    ['/a/b', '/a/b'],
    ['/a/b/', '/a/b/'],
    ['/a.b/.c/..d/e..', '/a.b/.c/..d/e..'],
    ['/.well-known/x', '/.well-known/x'],
    ['/...', '/...'],
    ['/A/b', '/A/b'],
    ["/a;b=c,d!$&'()*+:@=", "/a;b=c,d!$&'()*+:@="],
    ['/\x80\xff', '/\x80\xff'],
    ['/{|}^"<>', '/{|}^"<>'],
  ])('%s is plain', (path, expected) => {
    expect(normalise(path)).toBe(expected);
  });

  test.each([
    ['/%61%7E%2D%5f%30', '/a~-_0'],
    ['/%41%7a', '/Az'],
    ['/%20%C3%a9%25%3F%23%3b', '/%20%C3%a9%25%3F%23%3b'],
    ['/%2561', '/%2561'],
    ['/%252e%252e/a', '/%252e%252e/a'],
    ['/%2500', '/%2500'],
  ])('%s is decoded once, unreserved characters only: %s', (path, expected) => {
    expect(normalise(path)).toBe(expected);
  });

  test.each([
    ['/./a', '/a'],
    ['/a/.', '/a/'],
    ['/a/./b', '/a/b'],
    ['/a/../b', '/b'],
    ['/a/..', '/'],
    ['/a/b/..', '/a/'],
    ['/a/b/../..', '/'],
    ['/a/b/../../', '/'],
    ['/.', '/'],
    ['/a/%2e%2E/b', '/b'],
    ['/a/.%2e/b', '/b'],
    ['/a/%2e/b', '/a/b'],
    ['/a//../b', '/b'],
    ['/a/b/c/./../../g', '/a/g'],
    ['/%2e', '/'],
    ['/a/...%2e/..', '/a/'],
  ])('%s has its dot segments resolved: %s', (path, expected) => {
    expect(normalise(path)).toBe(expected);
  });

  test.each([
    ['//', '/'],
    ['//a', '/a'],
    ['/a//b', '/a/b'],
    ['/a//', '/a/'],
    ['///a///b///', '/a/b/'],
    ['/a/.//b', '/a/b'],
  ])('%s has its slashes merged: %s', (path, expected) => {
    expect(normalise(path)).toBe(expected);
  });

  test.each([
    ['//a', '//a'],
    ['/a//../b', '/a/b'],
    ['/a//..', '/a/'],
    ['/a/.//b', '/a//b'],
    ['//..', '/'],
    ['/a//', '/a//'],
  ])('%s keeps empty segments where merging is off: %s', (path, expected) => {
    expect(normalise(path, { mergeSlashes: false })).toBe(expected);
  });

  test.each([
    ['/..', 'climbs'],
    ['/../a', 'climbs'],
    ['/a/../..', 'climbs'],
    ['/a/../../b', 'climbs'],
    ['/%2e%2e/a', 'climbs'],
    ['/.%2E', 'climbs'],
    ['//../a', 'climbs once slashes are merged'],
    ['/a/./../../b', 'climbs'],
    ['/%00', 'NUL'],
    ['/a%00b', 'NUL'],
    ['/%', 'no digits'],
    ['/%2', 'one digit'],
    ['/%2?1', 'one digit'],
    ['/%?41', 'no digits'],
    ['/%zz', 'no digits'],
    ['/%4g', 'one digit'],
    ['/%g4', 'one digit'],
    ['/%%41', 'no digits'],
    ['/%u0041', 'not the encoding of a URI'],
    ['/a%2fb', 'escaped slash'],
    ['/a%2Fb', 'escaped slash'],
    ['/a%5cb', 'escaped backslash'],
    ['/a\\b', 'backslash'],
    ['/..\\a', 'backslash'],
    ['', 'empty'],
    ['a', 'no slash'],
    ['a/b', 'no slash'],
    ['**', 'no slash'],
    ['*/', 'no slash'],
    ['http://a.example/', 'no slash'],
  ])('%s is refused (%s)', (path) => {
    expect(normalise(path)).toBe(400);
  });

  test.each([
    ['keep', 'reject', '/a%2Fb%2f%5Cc', '/a%2Fb%2f%5Cc'],
    ['keep', 'reject', '/a%2F..%2Fb', '/a%2F..%2Fb'],
    ['keep', 'decode', '/a%5C..\\b', '/a%5C../b'],
    ['decode', 'reject', '/a%2Fb%2f', '/a/b/'],
    ['decode', 'reject', '/a/%2F../b', '/b'],
    ['decode', 'reject', '/a%2F..%2F..', 400],
    ['decode', 'reject', '/a%5Cb', 400],
    ['decode', 'decode', '/a%5C%2e%2e%5cb', '/b'],
    ['decode', 'reject', '/a%252Fb', '/a%252Fb'],
    ['reject', 'decode', '/a\\..\\b', '/b'],
    ['reject', 'decode', '\\a', 400],
    ['reject', 'decode', '/a%5Cb', 400],
    ['reject', 'decode', '/..\\..', 400],
  ] as const)(
    'with escaped slashes %s and backslash %s, %s gives %s',
    (escapedSlashes, backslash, path, expected) => {
      expect(normalise(path, { escapedSlashes, backslash })).toBe(expected);
    },
  );

  test.each([
    // path, kept, rejected, removed
    ['/private;x', '/private;x', 400, '/private'],
    ['/private;x=1;y/a;z', '/private;x=1;y/a;z', 400, '/private/a'],
    ['/private%3Bx', '/private%3Bx', 400, '/private%3Bx'],
    ['/private%3bx;y', '/private%3bx;y', 400, '/private%3bx'],
    ['/%70rivate;%2e', '/private;.', 400, '/private'],
    ['/;x', '/;x', 400, '/'],
    ['/;x/a', '/;x/a', 400, '/a'],
    ['/a/;x/', '/a/;x/', 400, '/a/'],
    ['/a/;x', '/a/;x', 400, '/a/'],
    ['/...;x', '/...;x', 400, '/...'],
    ['/.a;/..b;', '/.a;/..b;', 400, '/.a/..b'],
    ['/a;b/../c', '/c', 400, '/c'],
    ['/a/b?c;d', '/a/b?c;d', '/a/b?c;d', '/a/b?c;d'],
    // Never meant well, and servers differ.
    ['/a/..;/b', 400, 400, 400],
    ['/a/..;x=1/b', 400, 400, 400],
    ['/a/.;/b', 400, 400, 400],
    ['/a/..;', 400, 400, 400],
    ['/a/%2e%2e;/b', 400, 400, 400],
    ['/a/.%2e%3bx/b', 400, 400, 400],
    ['/a/..%3B/b', 400, 400, 400],
  ] as const)('%s: parameters are kept: %s, rejected: %s, removed: %s', (path, kept, rejected, removed) => {
    expect(normalise(path)).toBe(kept);
    expect(normalise(path, { pathParameters: 'keep' })).toBe(kept);
    expect(normalise(path, { pathParameters: 'reject' })).toBe(rejected);
    expect(normalise(path, { pathParameters: 'remove' })).toBe(removed);
  });

  test('keeps its query as it is', () => {
    for (const query of ['?', '?a=%2e%2E/../b//c\\d', '?%', '?%00', '?a?b']) {
      expect(normalise(`/x${query}`)).toBe(`/x${query}`);
      expect(normalise(`/y/..//%61${query}`)).toBe(`/a${query}`);
    }
  });

  test('that a filter has set is checked for bytes like one that came in', () => {
    const block = withPath('/aXb?cXd');
    for (const at of [2, 6]) {
      for (const byte of [0, 9, 10, 13, 32, 35, 127]) {
        const start = block.spans[4 * Pseudo.Path + 2]!;
        block.bytes[start + at] = byte;
        expect(normalisePath(block, DEFAULT_LISTENER_LIMITS)).toBe(400);
        block.bytes[start + at] = 0x58;
      }
    }
  });

  test('stays where it is when plain, and moves without touching the old bytes when not', () => {
    const plain = readHead('GET /a?b HTTP/1.1\r\nHost: a\r\n\r\n').block;
    const length = plain.length;
    expect(normalisePath(plain, DEFAULT_LISTENER_LIMITS)).toBe(0);
    expect(plain.length).toBe(length);

    const block = readHead('GET /x/../a?b HTTP/1.1\r\nHost: a\r\n\r\n').block;
    block.checkpoint();
    expect(normalisePath(block, DEFAULT_LISTENER_LIMITS)).toBe(0);
    expect(block.get(':path')).toBe('/a?b');
    block.rollback();
    expect(block.get(':path')).toBe('/x/../a?b');
  });

  test('may be as long as the limit allows', () => {
    expect(normalise(`/${'a/'.repeat(8000)}${'../'.repeat(8000)}b`)).toBe('/b');
  });
});
