import { Metrics, type MetricFamily } from '../runtime/metrics.ts';

/** Hits that came for one rule, as slots. */
interface RuleSlots {
  readonly hits: number;
  readonly over: number;
  readonly near: number;
  readonly dryRun: number;
}

/** How a call ended. */
export const CALL_RESULTS = ['ok', 'over_limit', 'unknown_domain', 'store_unavailable', 'invalid'] as const;
export type CallResult = (typeof CALL_RESULTS)[number];

const SECONDS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1];

/** What `weir ratelimit` counts of itself. */
export class RateLimitMetrics {
  readonly #metrics = new Metrics();
  readonly #rules = new Map<string, RuleSlots>();
  readonly #calls: ReadonlyMap<CallResult, number>;
  readonly #duration: number;
  readonly #reload: number;
  readonly #reloads: { readonly applied: number; readonly rejected: number };

  constructor() {
    const metrics = this.#metrics;
    const calls = 'weir_ratelimit_requests_total';
    const help =
      'Calls of ShouldRateLimit: within the limits (ok), over one of them, for a domain that is not there, without an answer because the Store could not be asked, and not to be read (invalid).';
    this.#calls = new Map(
      CALL_RESULTS.map((result) => [result, metrics.counter(calls, help, { result })] as const),
    );
    this.#duration = metrics.histogram(
      'weir_ratelimit_request_duration_seconds',
      'From the arrival of a call to its answer.',
      {},
      SECONDS,
    );
    this.#reload = metrics.gauge(
      'weir_ratelimit_config_last_reload_success',
      'Whether the configuration as it is now is in force.',
      {},
    );
    this.#reloads = {
      applied: metrics.counter(
        'weir_ratelimit_config_applied_total',
        'Configurations that came in force.',
        {},
      ),
      rejected: metrics.counter(
        'weir_ratelimit_config_rejected_total',
        'Configurations that were refused.',
        {},
      ),
    };
  }

  /** @param rule as its label has it */
  ofRule(domain: string, rule: string): RuleSlots {
    const key = JSON.stringify([domain, rule]);
    let slots = this.#rules.get(key);
    if (slots === undefined) {
      const counter = (name: string, help: string): number =>
        this.#metrics.counter(`weir_ratelimit_${name}_total`, help, { domain, rule });
      slots = {
        hits: counter('hits', 'Hits that a rule was asked for.'),
        over: counter('over_limit', 'Those that were over its limit, those of dry runs included.'),
        near: counter('near_limit', 'Those that were within it and left less than a fifth of it.'),
        dryRun: counter('dry_run', 'Those over its limit that were let through, because it is a dry run.'),
      };
      this.#rules.set(key, slots);
    }
    return slots;
  }

  add(slot: number, hits: number): void {
    this.#metrics.inc(slot, hits);
  }

  called(result: CallResult, seconds: number): void {
    this.#metrics.inc(this.#calls.get(result)!);
    this.#metrics.observe(this.#duration, seconds);
  }

  reloaded(isInForce: boolean): void {
    this.#metrics.set(this.#reload, isInForce ? 1 : 0);
    this.#metrics.inc(isInForce ? this.#reloads.applied : this.#reloads.rejected);
  }

  /** Calls by result. */
  get calls(): Record<string, number> {
    return Object.fromEntries([...this.#calls].map(([result, slot]) => [result, this.#metrics.get(slot)]));
  }

  families(): MetricFamily[] {
    return this.#metrics.dump();
  }
}
