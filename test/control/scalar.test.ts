import { describe, expect, test } from 'vitest';
import {
  address,
  byteRate,
  duration,
  formatDuration,
  formatSize,
  headerValue,
  hostname,
  parseDuration,
  parseSize,
  size,
} from '../../src/control/schema/scalar.ts';
import { spent } from '../support/timing.ts';

describe('durations (GEP-2257)', () => {
  test.each([
    ['0s', 0],
    ['250ms', 250],
    ['3s', 3000],
    ['1h30m', 5_400_000],
    ['1h1m1s1ms', 3_661_001],
    ['99999h', 359_996_400_000],
    ['', null],
    ['1', null],
    ['1.5s', null],
    ['-1s', null],
    ['1d', null],
    ['1 s', null],
    ['100000s', null],
    ['1s1s1s1s1s', null],
  ])('%j is %s ms', (text, ms) => {
    expect(parseDuration(text)).toBe(ms);
  });

  test.each([
    [0, '0s'],
    [250, '250ms'],
    [90_000, '90s'],
    [3_600_000, '1h'],
  ])('%i ms is written %s', (ms, text) => {
    expect(formatDuration(ms)).toBe(text);
  });

  test('the range of a field is kept', () => {
    expect(duration(1, 1000).safeParse('0s').success).toBe(false);
    expect(duration(1, 1000).safeParse('1s').success).toBe(true);
    expect(duration(1, 1000).safeParse('2s').success).toBe(false);
  });
});

describe('sizes', () => {
  test.each([
    ['512', 512],
    ['64Ki', 65_536],
    ['1Mi', 1_048_576],
    ['1k', 1000],
    ['64KiB', null],
    ['1.5Mi', null],
    ['-1', null],
    ['', null],
  ])('%j is %s bytes', (text, bytes) => {
    expect(parseSize(text)).toBe(bytes);
  });

  test('a plain number is bytes', () => {
    expect(size(1, 1000).parse(512)).toBe(512);
    expect(size(1, 1000).safeParse(1.5).success).toBe(false);
    expect(size(1, 1000).safeParse(1e21).success).toBe(false);
  });

  test('are written in the largest whole unit', () => {
    expect([formatSize(0), formatSize(1000), formatSize(1024), formatSize(3 * 1024 * 1024)]).toEqual([
      '0',
      '1000',
      '1Ki',
      '3Mi',
    ]);
  });
});

test.each([
  ['a.example.com', true],
  ['*.example.com', true],
  ['*', false],
  ['a.*.com', false],
  ['A.example.com', false],
  ['a.example.com:80', false],
  ['127.0.0.1', false],
  ['a_b.example.com', false],
  [`${'a'.repeat(254)}`, false],
])('hostname %s: %s', (text, valid) => {
  expect(hostname().safeParse(text).success).toBe(valid);
});

test.each([
  ['127.0.0.1', true],
  ['::1', true],
  ['localhost', true],
  ['svc.cluster.local.', true],
  ['http://a', false],
  ['a:80', false],
  ['', false],
  ['a b', false],
])('address %j: %s', (text, valid) => {
  expect(address().safeParse(text).success).toBe(valid);
});

test.each([
  ['', true],
  ['a b\tc', true],
  [' a', false],
  ['a\r\nx: y', false],
  ['a\u0000', false],
])('header value %j: %s', (text, valid) => {
  expect(headerValue().safeParse(text).success).toBe(valid);
});

test('a long value that is no header value is refused in linear time', () => {
  const parse = (): boolean => headerValue().safeParse(`${'a'.repeat(4000)}\n`).success;
  expect(spent(() => expect(parse()).toBe(false))).toBeLessThan(1000);
});

test.each([
  ['1Mi/s', 1024 * 1024],
  ['10k/s', 10_000],
  ['4096/s', 4096],
  ['1Mi', undefined],
  ['/s', undefined],
  ['1/s', undefined],
  ['1Mi/m', undefined],
  ['2Gi/s', undefined],
])('the rate %s is %s bytes a second', (text, bytes) => {
  expect(byteRate(4096, 1024 ** 3).safeParse(text).data).toBe(bytes);
});
