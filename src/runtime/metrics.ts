export type Labels = Readonly<Record<string, string>>;
export type MetricType = 'counter' | 'gauge' | 'histogram';

/** One metric name with all its label sets, as plain data: it crosses processes and is merged there. */
export interface MetricFamily {
  readonly name: string;
  readonly help: string;
  readonly type: MetricType;
  /** Upper bounds of a histogram's buckets, ascending, without +Inf; else empty. */
  readonly bounds: readonly number[];
  readonly series: readonly MetricSeries[];
}

export interface MetricSeries {
  readonly labels: Labels;
  /** Counter or gauge: `[value]`. Histogram: one count a bucket (not cumulative), +Inf's, then the sum. */
  readonly values: readonly number[];
}

/** Where registrations are held; what no holder needs any more is dropped. */
export interface MetricRegistry {
  /** Each returns a slot for `Metrics.inc`, `set` and `observe`. The same name and labels give the same slot. */
  counter(name: string, help: string, labels: Labels): number;
  gauge(name: string, help: string, labels: Labels): number;
  histogram(name: string, help: string, labels: Labels, bounds: readonly number[]): number;
}

/** Takes what is beyond the bound on series. Written to like any slot, shown nowhere. */
export const OVERFLOW_SLOT = 0;
// As wide as a histogram without bounds, which is what `observe` takes it for.
const OVERFLOW_WIDTH = 2;

const DEFAULT_MAX_SERIES = 20_000;

interface Family {
  readonly name: string;
  readonly help: string;
  readonly type: MetricType;
  readonly bounds: Float64Array;
  readonly series: Map<string, Series>;
}

interface Series {
  readonly family: Family;
  readonly key: string;
  readonly labels: Labels;
  readonly slot: number;
  holders: number;
}

/**
 * Counters, gauges and histograms in slots of one Float64Array. Registering is for configuration
 * time; `inc`, `set` and `observe` are array operations and allocate nothing.
 */
export class Metrics implements MetricRegistry {
  #values = new Float64Array(1024);
  #used = OVERFLOW_WIDTH;
  /** By slot: the bounds of the histogram that begins there. */
  readonly #boundsAt: (Float64Array | undefined)[] = [];
  readonly #families = new Map<string, Family>();
  /** Slots to use again, by their width. */
  readonly #free = new Map<number, number[]>();
  readonly #maxSeries: number;
  #seriesCount = 0;
  readonly #refused: number;

  constructor(maxSeries: number = DEFAULT_MAX_SERIES) {
    this.#maxSeries = maxSeries;
    this.#boundsAt[OVERFLOW_SLOT] = new Float64Array(0);
    this.#refused = this.counter(
      'weir_metric_series_refused_total',
      'Series that were not made because there are too many.',
      {},
    );
  }

  counter(name: string, help: string, labels: Labels): number {
    return this.hold('counter', name, help, labels, [])?.slot ?? OVERFLOW_SLOT;
  }

  gauge(name: string, help: string, labels: Labels): number {
    return this.hold('gauge', name, help, labels, [])?.slot ?? OVERFLOW_SLOT;
  }

  histogram(name: string, help: string, labels: Labels, bounds: readonly number[]): number {
    return this.hold('histogram', name, help, labels, bounds)?.slot ?? OVERFLOW_SLOT;
  }

  inc(slot: number, by = 1): void {
    this.#values[slot]! += by;
  }

  set(slot: number, value: number): void {
    this.#values[slot] = value;
  }

  get(slot: number): number {
    return this.#values[slot]!;
  }

  observe(slot: number, value: number): void {
    const bounds = this.#boundsAt[slot]!;
    const values = this.#values;
    const size = bounds.length;
    // Bounds are few and most observations are small, so that a search forwards beats a binary one.
    let bucket = 0;
    while (bucket < size && value > bounds[bucket]!) bucket++;
    values[slot + bucket]!++;
    values[slot + size + 1]! += value;
  }

  /** A group of registrations that ends together: a snapshot's, a plugin's. */
  scope(): MetricScope {
    return new MetricScope(this);
  }

  /** For {@link MetricScope}: registers, and counts one more holder. Null beyond the bound on series. */
  hold(
    type: MetricType,
    name: string,
    help: string,
    labels: Labels,
    bounds: readonly number[],
  ): Series | null {
    const family = this.#family(type, name, help, bounds);
    const key = keyOf(labels);
    let series = family.series.get(key);
    if (series === undefined) {
      if (this.#seriesCount >= this.#maxSeries) {
        this.inc(this.#refused);
        return null;
      }
      this.#seriesCount++;
      series = { family, key, labels: { ...labels }, slot: this.#allocate(family), holders: 0 };
      family.series.set(key, series);
    }
    series.holders++;
    return series;
  }

  /** For {@link MetricScope}: the series goes with its last holder. */
  release(series: Series): void {
    series.holders--;
    if (series.holders > 0) return;
    const { family, slot } = series;
    const width = widthOf(family);
    this.#values.fill(0, slot, slot + width);
    this.#boundsAt[slot] = undefined;
    const free = this.#free.get(width);
    if (free === undefined) this.#free.set(width, [slot]);
    else free.push(slot);
    family.series.delete(series.key);
    if (family.series.size === 0) this.#families.delete(family.name);
    this.#seriesCount--;
  }

  dump(): MetricFamily[] {
    return [...this.#families.values()].map((family) => ({
      name: family.name,
      help: family.help,
      type: family.type,
      bounds: [...family.bounds],
      series: [...family.series.values()].map(({ labels, slot }) => ({
        labels,
        values: [...this.#values.subarray(slot, slot + widthOf(family))],
      })),
    }));
  }

  #family(type: MetricType, name: string, help: string, bounds: readonly number[]): Family {
    const known = this.#families.get(name);
    if (known === undefined) {
      const family = {
        name,
        help,
        type,
        bounds: Float64Array.from(bounds),
        series: new Map<string, Series>(),
      };
      this.#families.set(name, family);
      return family;
    }
    if (known.type !== type) throw new TypeError(`metric ${name} is a ${known.type}, not a ${type}`);
    return known;
  }

  #allocate(family: Family): number {
    const width = widthOf(family);
    const again = this.#free.get(width)?.pop();
    const slot = again ?? this.#used;
    if (again === undefined) {
      this.#used += width;
      if (this.#used > this.#values.length) {
        const larger = new Float64Array(2 * Math.max(this.#used, this.#values.length));
        larger.set(this.#values);
        this.#values = larger;
      }
    }
    if (family.type === 'histogram') this.#boundsAt[slot] = family.bounds;
    return slot;
  }
}

/** Registrations with one common end. */
export class MetricScope implements MetricRegistry {
  readonly metrics: Metrics;
  readonly #held = new Set<Series>();

  constructor(metrics: Metrics) {
    this.metrics = metrics;
  }

  counter(name: string, help: string, labels: Labels): number {
    return this.#hold('counter', name, help, labels, []);
  }

  gauge(name: string, help: string, labels: Labels): number {
    return this.#hold('gauge', name, help, labels, []);
  }

  histogram(name: string, help: string, labels: Labels, bounds: readonly number[]): number {
    return this.#hold('histogram', name, help, labels, bounds);
  }

  /** Drops what nobody else holds. No slot of this scope may be written to afterwards. */
  dispose(): void {
    for (const series of this.#held) this.metrics.release(series);
    this.#held.clear();
  }

  #hold(type: MetricType, name: string, help: string, labels: Labels, bounds: readonly number[]): number {
    const series = this.metrics.hold(type, name, help, labels, bounds);
    if (series === null) return OVERFLOW_SLOT;
    // Asked for twice by one scope, it is held once.
    if (this.#held.has(series)) series.holders--;
    else this.#held.add(series);
    return series.slot;
  }
}

/** Adds up what the workers report: every value of series with the same name and labels is summed. */
export function mergeFamilies(dumps: readonly (readonly MetricFamily[])[]): MetricFamily[] {
  const merged = new Map<
    string,
    { family: MetricFamily; series: Map<string, { labels: Labels; values: number[] }> }
  >();
  for (const family of dumps.flat()) {
    let into = merged.get(family.name);
    if (into === undefined) {
      into = { family, series: new Map() };
      merged.set(family.name, into);
    }
    // Workers of different versions may disagree for a moment; the first one's form stands.
    if (into.family.type !== family.type || into.family.bounds.length !== family.bounds.length) continue;
    for (const { labels, values } of family.series) {
      const key = keyOf(labels);
      const sum = into.series.get(key);
      if (sum === undefined) into.series.set(key, { labels, values: [...values] });
      else for (const [i, value] of values.entries()) sum.values[i] = (sum.values[i] ?? 0) + value;
    }
  }
  return [...merged.values()].map(({ family, series }) => ({ ...family, series: [...series.values()] }));
}

function widthOf(family: Family): number {
  return family.type === 'histogram' ? family.bounds.length + 2 : 1;
}

function keyOf(labels: Labels): string {
  return JSON.stringify(Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1)));
}
