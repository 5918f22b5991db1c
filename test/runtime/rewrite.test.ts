import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { CompiledRedirect, CompiledRewrite } from '../../src/runtime/rewrite.ts';
import type { RedirectSpec } from '../../src/runtime/snapshot.ts';
import { requestBlock } from './blocks.ts';

/** What the router gives for a prefix match. */
const taken = (prefix: string): number => prefix.replace(/\/$/, '').length;

describe('CompiledRewrite', () => {
  test.each([
    // The table of HTTPPathModifier in the Gateway API, then what it leaves out.
    ['/foo/bar', '/foo', '/xyz', '/xyz/bar'],
    ['/foo/bar', '/foo', '/xyz/', '/xyz/bar'],
    ['/foo/bar', '/foo/', '/xyz', '/xyz/bar'],
    ['/foo/bar', '/foo/', '/xyz/', '/xyz/bar'],
    ['/foo', '/foo', '/xyz', '/xyz'],
    ['/foo/', '/foo', '/xyz', '/xyz/'],
    ['/foo/bar', '/foo', '', '/bar'],
    ['/foo/', '/foo', '', '/'],
    ['/foo', '/foo', '', '/'],
    ['/foo/', '/foo', '/', '/'],
    ['/foo', '/foo', '/', '/'],
    ['/foo/bar', '/foo', '/', '/bar'],
    ['/foo/bar', '/', '/xyz', '/xyz/foo/bar'],
    ['/', '/', '/xyz', '/xyz/'],
    ['/foo/bar?a=/foo', '/foo', '/xyz', '/xyz/bar?a=/foo'],
    ['/foo?q', '/foo', '', '/?q'],
    ['/foo?', '/foo', '/x', '/x?'],
  ])('%s with prefix %s replaced by %j is %s', (path, prefix, value, expected) => {
    const block = requestBlock({ path });
    new CompiledRewrite({ hostname: null, path: { type: 'prefix', value } }).apply(block, taken(prefix));
    expect(block.valueText(1)).toBe(expected);
    expect(block.valueText(2)).toBe('example.com');
  });

  test.each([
    ['/a/b?x=1&y=2', '/new', '/new?x=1&y=2'],
    ['/a', '/', '/'],
    ['/a?', '', '/?'],
  ])('%s with the whole path replaced by %j is %s', (path, value, expected) => {
    const block = requestBlock({ path });
    new CompiledRewrite({ hostname: null, path: { type: 'full', value } }).apply(block, 2);
    expect(block.valueText(1)).toBe(expected);
  });

  test('a hostname replaces the authority, its port too', () => {
    const block = requestBlock({ authority: 'old.test:8080', path: '/a' });
    new CompiledRewrite({ hostname: 'new.test', path: null }).apply(block, 0);
    expect(block.valueText(2)).toBe('new.test');
    expect(block.valueText(1)).toBe('/a');
  });

  test('a long path is rewritten whole', () => {
    const block = requestBlock({ path: `/foo/${'x'.repeat(3000)}` });
    new CompiledRewrite({ hostname: null, path: { type: 'prefix', value: '/y' } }).apply(block, 4);
    expect(block.valueText(1)).toBe(`/y/${'x'.repeat(3000)}`);
  });

  test('between replacement and rest there is exactly one slash', () => {
    const segments = fc.array(fc.constantFrom('a', 'bc'), { maxLength: 3 });
    const path = segments.map((list) => list.map((segment) => `/${segment}`).join(''));
    fc.assert(
      fc.property(path, path, path, fc.boolean(), (prefix, rest, value, slash) => {
        const block = requestBlock({ path: prefix + rest || '/' });
        const written = slash ? `${value}/` : value;
        new CompiledRewrite({ hostname: null, path: { type: 'prefix', value: written } }).apply(
          block,
          prefix.length,
        );
        const result = block.valueText(1);
        expect(result).not.toContain('//');
        expect(result.startsWith('/')).toBe(true);
        expect(result.replace(/\/$/, '')).toBe(value + rest);
      }),
    );
  });
});

describe('CompiledRedirect', () => {
  const location = (
    spec: Partial<RedirectSpec>,
    head: { authority?: string; path?: string } = {},
    secure = false,
    listenerPort = 80,
    prefix = 0,
  ): string => {
    const redirect = new CompiledRedirect({
      scheme: null,
      hostname: null,
      path: null,
      port: null,
      status: 302,
      ...spec,
    });
    redirect.build(
      requestBlock({ authority: 'example.org', path: '/', ...head }),
      secure,
      listenerPort,
      prefix,
    );
    return redirect.bytes.toString('latin1', 0, redirect.length);
  };

  test.each([
    // HTTPRouteRedirectPortAndScheme, row for row: listener's scheme and port, spec, Location.
    [false, 80, { scheme: 'http', port: 80 }, 'http://example.org/'],
    [false, 80, { scheme: 'https', port: 443 }, 'https://example.org/'],
    [false, 80, { scheme: 'https', port: 8443 }, 'https://example.org:8443/'],
    [false, 80, { scheme: 'https' }, 'https://example.org/'],
    [false, 80, { port: 8080 }, 'http://example.org:8080/'],
    [false, 80, { port: 80 }, 'http://example.org/'],
    [false, 80, { hostname: 'x.test' }, 'http://x.test/'],
    [false, 8080, {}, 'http://example.org:8080/'],
    [false, 8080, { port: 80 }, 'http://example.org/'],
    [false, 8080, { scheme: 'http' }, 'http://example.org/'],
    [false, 8080, { scheme: 'https' }, 'https://example.org/'],
    [false, 8080, { hostname: 'x.test' }, 'http://x.test:8080/'],
    [true, 443, {}, 'https://example.org/'],
    [true, 443, { port: 443 }, 'https://example.org/'],
    [true, 443, { port: 8443 }, 'https://example.org:8443/'],
    [true, 443, { scheme: 'http' }, 'http://example.org/'],
    [true, 443, { scheme: 'http', port: 8080 }, 'http://example.org:8080/'],
    [true, 443, { scheme: 'https', port: 443 }, 'https://example.org/'],
    [true, 8443, { scheme: 'https' }, 'https://example.org/'],
    [true, 8443, {}, 'https://example.org:8443/'],
  ] as const)('TLS %s, port %i, %j: %s', (secure, listenerPort, spec, expected) => {
    expect(location(spec, {}, secure, listenerPort)).toBe(expected);
  });

  test('the port of the request is not the port of the Location', () => {
    expect(location({}, { authority: 'example.org:9999' })).toBe('http://example.org/');
    expect(location({}, { authority: '[::1]:9999' }, false, 8080)).toBe('http://[::1]:8080/');
  });

  test.each([
    // HTTPRouteRedirectPath
    [
      { type: 'prefix', value: '/replacement-prefix' },
      '/original-prefix/lemon',
      16,
      '/replacement-prefix/lemon',
    ],
    [{ type: 'prefix', value: '/' }, '/original-prefix', 16, '/'],
    [{ type: 'full', value: '/full-path-replacement' }, '/full/path/original', 0, '/full-path-replacement'],
    [null, '/kept?a=b', 0, '/kept?a=b'],
    [{ type: 'full', value: '/new' }, '/old?a=b', 0, '/new?a=b'],
  ] as const)('path %j of %s gives %s', (path, given, prefix, expected) => {
    expect(location({ path }, { path: given }, false, 80, prefix)).toBe(`http://example.org${expected}`);
  });

  test('a request without a host gets a Location without one', () => {
    expect(location({ scheme: 'https' }, { authority: '', path: '/a' })).toBe('/a');
  });

  test('keeps its status', () => {
    expect(
      new CompiledRedirect({ scheme: null, hostname: null, path: null, port: null, status: 308 }).status,
    ).toBe(308);
  });
});
