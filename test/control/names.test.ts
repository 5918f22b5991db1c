import { describe, expect, test } from 'vitest';
import { compareHostnames, coversHostname, intersectHostnames } from '../../src/control/hostname.ts';
import { listNames, nearest } from '../../src/control/nearest.ts';

describe('hostnames (Gateway API, HTTPRouteSpec.hostnames)', () => {
  test.each([
    ['', '', ''],
    ['', 'a.com', 'a.com'],
    ['a.com', '', 'a.com'],
    ['a.com', 'b.com', null],
    ['*.a.com', 'x.a.com', 'x.a.com'],
    ['*.a.com', 'x.y.a.com', 'x.y.a.com'],
    ['*.a.com', 'a.com', null],
    ['*.a.com', 'xa.com', null],
    ['*.a.com', '*.b.a.com', '*.b.a.com'],
    ['*.b.a.com', '*.a.com', '*.b.a.com'],
    ['*.a.com', '*.b.com', null],
  ])('%j and %j share %j', (a, b, shared) => {
    expect(intersectHostnames(a, b)).toBe(shared);
    expect(intersectHostnames(b, a)).toBe(shared);
  });

  test('the most specific comes first', () => {
    const names = ['', '*.com', 'a.com', '*.a.com', 'x.a.com'];
    expect([...names].sort(compareHostnames)).toEqual(['x.a.com', 'a.com', '*.a.com', '*.com', '']);
  });

  test('a wildcard covers what is below it, not itself without the star', () => {
    expect(coversHostname('*.com', '*.a.com')).toBe(true);
    expect(coversHostname('*.a.com', '*.com')).toBe(false);
    expect(coversHostname('*.a.com', '')).toBe(false);
  });
});

describe('nearest', () => {
  test.each([
    ['confg', ['config', 'name'], 'config'],
    ['gatewayClassNam', ['gatewayClassName', 'addresses'], 'gatewayClassName'],
    ['prot', ['port', 'protocol'], 'port'],
    ['Filterchain', ['FilterChain'], 'FilterChain'],
    ['c', ['a', 'b'], null],
    ['ap', ['api'], 'api'],
    ['something', ['else'], null],
    ['', ['a'], null],
  ])('%j among %j is %j', (word, candidates, best) => {
    expect(nearest(word, candidates)).toBe(best);
  });

  test('long lists are cut', () => {
    expect(listNames(['a', 'b', 'c'], 2)).toBe('a, b and 1 more');
  });
});
