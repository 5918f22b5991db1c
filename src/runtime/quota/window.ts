/** A calendar's windows; a week begins on Monday (ISO 8601). */
export const QUOTA_WINDOWS = ['hour', 'day', 'week', 'month', 'year'] as const;
export type QuotaWindow = (typeof QUOTA_WINDOWS)[number];

/** From `start`, which belongs to it, to `end`, which does not; milliseconds since 1970. */
export interface WindowSpan {
  readonly start: number;
  readonly end: number;
}

const HOUR_MS = 3_600_000;
/** Longer than any shift of a clock. */
const DAY_MS = 24 * HOUR_MS;
/** A name of the IANA database, not an offset, which knows no summer time. */
const ZONE_NAME = /^[A-Za-z][A-Za-z0-9_+\-/]*$/;

const formats = new Map<string, Intl.DateTimeFormat>();

/** Whether there is such a time zone (IANA, as `Europe/Berlin`). */
export function isTimeZone(name: string): boolean {
  try {
    return ZONE_NAME.test(name) && formatOf(name) !== null;
  } catch {
    return false;
  }
}

/** The windows that are running, kept until they end. */
export class Calendar {
  readonly #spans = new Map<string, WindowSpan>();

  /** The window of a time zone in which `now` lies. @throws RangeError where there is no such zone */
  spanAt(window: QuotaWindow, timeZone: string, now: number): WindowSpan {
    const name = `${window} ${timeZone}`;
    const known = this.#spans.get(name);
    if (known !== undefined && known.start <= now && now < known.end) return known;
    const span = windowAt(window, timeZone, now);
    this.#spans.set(name, span);
    return span;
  }
}

/**
 * The window in which `now` lies by the clocks of a time zone: from midnight to midnight, so that a day has 23 or 25
 * hours where the clock is changed, and a day whose midnight is left out begins with its first instant.
 */
export function windowAt(window: QuotaWindow, timeZone: string, now: number): WindowSpan {
  const wall = now + offsetAt(timeZone, now);
  if (window === 'hour') {
    const start = now - (((wall % HOUR_MS) + HOUR_MS) % HOUR_MS);
    return { start, end: start + HOUR_MS };
  }
  const date = new Date(wall);
  const year = date.getUTCFullYear();
  const month = date.getUTCMonth();
  const day = date.getUTCDate();
  const monday = day - ((date.getUTCDay() + 6) % 7);
  const starts: Record<Exclude<QuotaWindow, 'hour'>, readonly [number, number]> = {
    day: [Date.UTC(year, month, day), Date.UTC(year, month, day + 1)],
    week: [Date.UTC(year, month, monday), Date.UTC(year, month, monday + 7)],
    month: [Date.UTC(year, month, 1), Date.UTC(year, month + 1, 1)],
    year: [Date.UTC(year, 0, 1), Date.UTC(year + 1, 0, 1)],
  };
  const [from, to] = starts[window];
  return { start: instantOf(timeZone, from), end: instantOf(timeZone, to) };
}

/** The first instant at which the clocks of a zone show `wall` (as if it were UTC) or, left out there, what follows. */
function instantOf(timeZone: string, wall: number): number {
  const before = offsetAt(timeZone, wall - DAY_MS);
  const after = offsetAt(timeZone, wall + DAY_MS);
  const candidates = [wall - before, wall - after].sort((a, b) => a - b);
  for (const instant of candidates) if (instant + offsetAt(timeZone, instant) === wall) return instant;
  // The clock jumps over it: the instant of the jump lies between the two.
  let [low, high] = candidates as [number, number];
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (middle + offsetAt(timeZone, middle) < wall) low = middle;
    else high = middle;
  }
  return high;
}

/** What the clocks of a zone are ahead of UTC, in milliseconds. */
function offsetAt(timeZone: string, instant: number): number {
  const fields: Record<string, number> = {};
  for (const { type, value } of formatOf(timeZone).formatToParts(instant)) fields[type] = Number(value);
  const wall = Date.UTC(
    fields['year']!,
    fields['month']! - 1,
    fields['day'],
    fields['hour'],
    fields['minute'],
    fields['second'],
  );
  return wall - Math.floor(instant / 1000) * 1000;
}

function formatOf(timeZone: string): Intl.DateTimeFormat {
  let format = formats.get(timeZone);
  if (format === undefined) {
    format = new Intl.DateTimeFormat('en-US', {
      timeZone,
      calendar: 'gregory',
      numberingSystem: 'latn',
      hourCycle: 'h23',
      year: 'numeric',
      month: 'numeric',
      day: 'numeric',
      hour: 'numeric',
      minute: 'numeric',
      second: 'numeric',
    });
    formats.set(timeZone, format);
  }
  return format;
}
