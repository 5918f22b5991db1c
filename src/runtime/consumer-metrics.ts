import { type Metrics, type MetricScope } from './metrics.ts';

/** By status / 100, where 0 is a client that left without an answer. */
const CLASSES = ['none', '1xx', '2xx', '3xx', '4xx', '5xx'];
/** Requests that no filter found a sender of, as Istio names what it does not know. */
const UNKNOWN = 'unknown';
const OTHER = 'other';

/** Requests by who sent them: as many consumers have series of their own as the configuration says, others share one. */
export class ConsumerMetrics {
  readonly #metrics: Metrics;
  readonly #scope: MetricScope;
  readonly #most: number;
  /** Slots by class; -1: none yet. */
  readonly #slots = new Map<string, Int32Array>();

  /** @param scope lives as long as the snapshot; this object is not used after its end */
  constructor(scope: MetricScope, most: number) {
    this.#metrics = scope.metrics;
    this.#scope = scope;
    this.#most = most;
  }

  /** @param consumer its name; empty: nobody has told */
  record(consumer: string, status: number): void {
    const name = consumer === '' ? UNKNOWN : consumer;
    const label = this.#slots.has(name) || this.#slots.size < this.#most ? name : OTHER;
    let slots = this.#slots.get(label);
    if (slots === undefined) this.#slots.set(label, (slots = new Int32Array(CLASSES.length).fill(-1)));
    const of = Math.trunc(status / 100);
    if (slots[of] === -1)
      slots[of] = this.#scope.counter('weir_consumer_requests_total', 'Requests, by who sent them.', {
        consumer: label,
        response_code_class: CLASSES[of]!,
      });
    this.#metrics.inc(slots[of]!);
  }
}
