import { describe, expect, test } from 'vitest';
import { Calendar, isTimeZone, windowAt, type QuotaWindow } from '../../../src/runtime/quota/window.ts';

const at = (text: string): number => Date.parse(text);
const span = (window: QuotaWindow, zone: string, now: string): [string, string] => {
  const { start, end } = windowAt(window, zone, at(now));
  return [new Date(start).toISOString(), new Date(end).toISOString()];
};
const hours = (window: QuotaWindow, zone: string, now: string): number => {
  const { start, end } = windowAt(window, zone, at(now));
  return (end - start) / 3_600_000;
};

describe('windows by the calendar of a zone', () => {
  test.each([
    ['hour', 'UTC', '2026-03-05T10:59:59.999Z', '2026-03-05T10:00:00.000Z', '2026-03-05T11:00:00.000Z'],
    [
      'hour',
      'Asia/Kathmandu',
      '2026-03-05T10:20:00Z',
      '2026-03-05T10:15:00.000Z',
      '2026-03-05T11:15:00.000Z',
    ],
    ['day', 'UTC', '2026-12-31T23:59:59.999Z', '2026-12-31T00:00:00.000Z', '2027-01-01T00:00:00.000Z'],
    [
      'day',
      'Pacific/Auckland',
      '2026-07-01T11:59:59.999Z',
      '2026-06-30T12:00:00.000Z',
      '2026-07-01T12:00:00.000Z',
    ],
    [
      'day',
      'America/New_York',
      '2026-07-01T03:59:59.999Z',
      '2026-06-30T04:00:00.000Z',
      '2026-07-01T04:00:00.000Z',
    ],
    // A Sunday ends its week, a Monday begins one.
    ['week', 'UTC', '2026-11-29T23:59:59Z', '2026-11-23T00:00:00.000Z', '2026-11-30T00:00:00.000Z'],
    ['week', 'UTC', '2026-11-30T00:00:00Z', '2026-11-30T00:00:00.000Z', '2026-12-07T00:00:00.000Z'],
    ['month', 'UTC', '2024-02-29T12:00:00Z', '2024-02-01T00:00:00.000Z', '2024-03-01T00:00:00.000Z'],
    [
      'month',
      'Pacific/Auckland',
      '2026-01-31T10:59:59Z',
      '2025-12-31T11:00:00.000Z',
      '2026-01-31T11:00:00.000Z',
    ],
    [
      'month',
      'Pacific/Auckland',
      '2026-01-31T11:00:00Z',
      '2026-01-31T11:00:00.000Z',
      '2026-02-28T11:00:00.000Z',
    ],
    [
      'month',
      'America/New_York',
      '2026-03-01T04:59:59Z',
      '2026-02-01T05:00:00.000Z',
      '2026-03-01T05:00:00.000Z',
    ],
    // The clock is changed within it: it begins in winter time and ends in summer time.
    [
      'month',
      'America/New_York',
      '2026-03-20T12:00:00Z',
      '2026-03-01T05:00:00.000Z',
      '2026-04-01T04:00:00.000Z',
    ],
    [
      'month',
      'Pacific/Auckland',
      '2026-04-20T12:00:00Z',
      '2026-03-31T11:00:00.000Z',
      '2026-04-30T12:00:00.000Z',
    ],
    [
      'year',
      'America/New_York',
      '2027-01-01T04:59:59Z',
      '2026-01-01T05:00:00.000Z',
      '2027-01-01T05:00:00.000Z',
    ],
    // Before 1970, and before anybody has quotas.
    ['hour', 'UTC', '1969-12-31T23:30:00Z', '1969-12-31T23:00:00.000Z', '1970-01-01T00:00:00.000Z'],
  ] as const)('%s in %s at %s', (window, zone, now, start, end) => {
    expect(span(window, zone, now)).toEqual([start, end]);
  });

  test('a day has 23 or 25 hours where the clock is changed', () => {
    expect(hours('day', 'America/New_York', '2026-03-08T12:00:00Z')).toBe(23);
    expect(hours('day', 'America/New_York', '2026-11-01T12:00:00Z')).toBe(25);
    expect(hours('day', 'Pacific/Auckland', '2026-04-05T00:00:00Z')).toBe(25);
    expect(hours('day', 'Pacific/Auckland', '2026-09-26T20:00:00Z')).toBe(23);
    expect(hours('day', 'UTC', '2026-03-08T12:00:00Z')).toBe(24);
  });

  test('a day whose midnight is left out begins with its first instant', () => {
    // Beirut: at 24:00 of 28 March 2026 the clock shows 01:00.
    expect(span('day', 'Asia/Beirut', '2026-03-29T10:00:00Z')).toEqual([
      '2026-03-28T22:00:00.000Z',
      '2026-03-29T21:00:00.000Z',
    ]);
    expect(span('day', 'Asia/Beirut', '2026-03-28T21:59:59Z')[1]).toBe('2026-03-28T22:00:00.000Z');
  });

  test('a day whose midnight comes twice begins with the first', () => {
    // Havana: at 01:00 of 1 November 2026 the clock goes back to 00:00.
    expect(span('day', 'America/Havana', '2026-11-01T05:30:00Z')).toEqual([
      '2026-11-01T04:00:00.000Z',
      '2026-11-02T05:00:00.000Z',
    ]);
  });

  test.each(['Pacific/Auckland', 'America/New_York', 'UTC', 'Australia/Lord_Howe', 'Africa/Casablanca'])(
    'windows of %s follow each other without a gap through three years',
    (zone) => {
      for (const window of ['day', 'week', 'month'] as const) {
        let { start, end } = windowAt(window, zone, at('2025-12-15T00:00:00Z'));
        const last = at('2029-01-15T00:00:00Z');
        while (end < last) {
          expect(windowAt(window, zone, end - 1)).toEqual({ start, end });
          const next = windowAt(window, zone, end);
          expect(next.start).toBe(end);
          ({ start, end } = next);
        }
      }
    },
  );

  test('the calendar keeps a window until it ends, and takes a clock that is set back', () => {
    const calendar = new Calendar();
    const first = calendar.spanAt('hour', 'UTC', at('2026-03-05T10:30:00Z'));
    expect(calendar.spanAt('hour', 'UTC', first.end - 1)).toBe(first);
    expect(calendar.spanAt('hour', 'UTC', first.end).start).toBe(first.end);
    expect(calendar.spanAt('hour', 'UTC', first.start)).toEqual(first);
  });
});

test('names of zones are those of the IANA database, and no offsets', () => {
  for (const name of ['UTC', 'Europe/Berlin', 'America/Argentina/Buenos_Aires'])
    expect(isTimeZone(name)).toBe(true);
  for (const name of ['', 'Europe/Berlim', '+02:00', 'UTC\n']) expect(isTimeZone(name)).toBe(false);
});
