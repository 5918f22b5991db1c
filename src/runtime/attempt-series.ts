import type { Attempt } from './attempt.ts';
import type { Cluster, Endpoint } from './cluster.ts';
import type { HeaderBlock } from './http/headers.ts';
import { isIdempotent, type MethodId } from './http/method.ts';
import type { LiveRule } from './live-snapshot.ts';
import { ResponseFlag } from './response-flags.ts';
import { Failure, mayRetry, NO_RETRY, parseRetryAfter, retryDelay } from './retry.ts';
import type { TimerWheel } from './timer-wheel.ts';

/** What became of a failure. */
export const Outcome = {
  /** Nothing more is tried. */
  Final: 0,
  /** Another attempt follows: at once, or after a wait. */
  Again: 1,
} as const;
export type Outcome = (typeof Outcome)[keyof typeof Outcome];

/** Whose attempts they are. */
export interface AttemptSource {
  readonly attempt: Attempt;
  readonly answer: HeaderBlock;
  readonly method: MethodId;
  /** Whether every byte of the body that was sent is still here. */
  readonly requestKept: boolean;
  /** When the request has to be over, monotonic ms; 0: no limit. */
  readonly deadline: number;
  flags: number;
  /** @param within the budget allowed it */
  countRetry(within: boolean): void;
  /** Goes to the next endpoint now. */
  nextAttempt(avoid: Endpoint | null, fresh: boolean): void;
}

/** The attempts of one stream: which endpoint, how often, and with what wait between them. */
export class AttemptSeries {
  cluster: Cluster | null = null;
  endpoint: Endpoint | null = null;
  count = 0;
  readonly #source: AttemptSource;
  readonly #wheel: TimerWheel;
  #rule: LiveRule | null = null;
  #admitted = false;
  #staleRetried = false;
  #wait: NodeJS.Timeout | null = null;

  constructor(source: AttemptSource, wheel: TimerWheel) {
    this.#source = source;
    this.#wheel = wheel;
  }

  /** False where the cluster has as many requests as it may. */
  begin(cluster: Cluster, rule: LiveRule): boolean {
    if (!cluster.admit()) return false;
    this.#admitted = true;
    this.cluster = cluster;
    this.#rule = rule;
    rule.retry?.budget.countRequest(this.#wheel.now);
    return true;
  }

  /** False where the cluster has no endpoint. */
  start(avoid: Endpoint | null, fresh: boolean): boolean {
    const cluster = this.cluster!;
    const endpoint = cluster.pick(avoid);
    if (endpoint === null) return false;
    this.endpoint = endpoint;
    this.count++;
    this.#source.attempt.start(cluster, endpoint, this.#rule!.spec.timeouts.perTryMs, fresh);
    return true;
  }

  /** Decides what follows a failed attempt; where another does, it is on its way already. */
  failed(failure: Failure): Outcome {
    const { attempt, requestKept, method } = this.#source;
    const stale = failure === Failure.ResetBeforeHeaders && attempt.reused && attempt.bytesIn === 0;
    if (stale && !this.#staleRetried && requestKept && isIdempotent(method)) {
      // The upstream closed an idle connection just when it was used again: not a failure of its own.
      this.#staleRetried = true;
      this.count--;
      this.#source.nextAttempt(null, true);
      return Outcome.Again;
    }
    return this.retry(failure) ? Outcome.Again : Outcome.Final;
  }

  /** Starts the wait for another attempt; false: the failure is final. */
  retry(failure: Failure): boolean {
    const { retry } = this.#rule!;
    if (retry === null) return false;
    const source = this.#source;
    const replayable = source.requestKept && (!retry.spec.onlyIdempotent || isIdempotent(source.method));
    if (!source.requestKept || !mayRetry(retry, failure, this.count, replayable)) {
      if (this.count >= retry.maxAttempts && retry.maxAttempts > 1) {
        source.flags |= ResponseFlag.UpstreamRetryLimitExceeded;
      }
      return false;
    }
    const now = this.#wheel.refresh();
    const asked = failure === Failure.RetriableStatus && retry.spec.honorRetryAfter;
    const after = asked ? parseRetryAfter(source.answer.get('retry-after') ?? '', Date.now()) : -1;
    const left = source.deadline > 0 ? source.deadline - now : Infinity;
    const delay = retryDelay(retry.spec, this.count, after, left, Math.random());
    if (delay === NO_RETRY) return false;
    const within = retry.budget.take(now);
    source.countRetry(within);
    if (!within) return false;
    const avoid = retry.spec.avoidPreviousEndpoint ? this.endpoint : null;
    this.#wait = setTimeout(() => {
      this.#wait = null;
      source.nextAttempt(avoid, false);
    }, delay);
    return true;
  }

  /** No attempt any more; the cluster has one request less. */
  stop(): void {
    this.#source.attempt.cancel();
    if (this.#wait !== null) {
      clearTimeout(this.#wait);
      this.#wait = null;
    }
    if (!this.#admitted) return;
    this.#admitted = false;
    this.cluster!.finish();
  }

  reset(): void {
    this.cluster = null;
    this.endpoint = null;
    this.#rule = null;
    this.count = 0;
    this.#staleRetried = false;
  }
}

/** Why an attempt failed, as the access log and the metrics say it; by `Failure`. */
export const FAILURE_FLAGS: readonly number[] = [
  ResponseFlag.UpstreamConnectionFailure,
  ResponseFlag.UpstreamConnectionFailure,
  ResponseFlag.UpstreamConnectionTermination,
  ResponseFlag.UpstreamConnectionTermination,
  0,
  ResponseFlag.UpstreamRequestTimeout,
  ResponseFlag.UpstreamConnectionFailure,
  ResponseFlag.UpstreamRemoteReset,
  ResponseFlag.UpstreamProtocolError,
  ResponseFlag.UpstreamOverflow,
];
