import type { MetricFamily } from '../runtime/metrics.ts';
import type { Limit } from '../runtime/limit.ts';
import type { QuotaAnswer, QuotaAsk } from '../runtime/quota/quota.ts';
import type { FilterTrip, RuntimeStatus } from '../runtime/runtime.ts';
import type { Snapshot } from '../runtime/snapshot.ts';
import type { Code, StageFault } from '../runtime/stage-fault.ts';
import type { ExplainSpec } from '../explain/live.ts';
import type { TapSpec } from '../runtime/wasm/tap/tap.ts';

/**
 * What supervisor and workers say to each other over the channel of `node:cluster`. Messages of
 * one channel arrive in the order they were sent; both sides rely on it.
 */
export type ToWorker =
  | { readonly type: 'stage'; readonly id: number; readonly snapshot: Snapshot; readonly code: Code }
  | { readonly type: 'swap'; readonly id: number }
  | { readonly type: 'discard'; readonly id: number }
  | { readonly type: 'drain'; readonly limitMs: number }
  | { readonly type: 'dump'; readonly id: number }
  | { readonly type: 'level'; readonly level: string }
  | { readonly type: 'ledger'; readonly replies: readonly LedgerReply[] }
  | { readonly type: 'quota'; readonly replies: readonly QuotaReply[] }
  /** Items of shared queues wait for this worker. */
  | { readonly type: 'wake' }
  | { readonly type: 'tap'; readonly id: number; readonly spec: TapSpec }
  | { readonly type: 'explain'; readonly id: number; readonly spec: ExplainSpec }
  /** The reader of a tap has taken so much. */
  | { readonly type: 'watchTaken'; readonly id: number; readonly bytes: number }
  | { readonly type: 'unwatch'; readonly id: number }
  /** The worker processes that there are, by their ids; `upTo` is the newest of them. */
  | { readonly type: 'peers'; readonly alive: readonly number[]; readonly upTo: number };

export type FromWorker =
  | { readonly type: 'up' }
  | { readonly type: 'staged'; readonly id: number }
  | { readonly type: 'refused'; readonly id: number; readonly faults: readonly StageFault[] }
  | { readonly type: 'swapped'; readonly id: number }
  | { readonly type: 'dump'; readonly id: number; readonly dump: WorkerDump }
  | { readonly type: 'alive' }
  | { readonly type: 'failing' }
  | { readonly type: 'tripped'; readonly trip: FilterTrip }
  | { readonly type: 'ledger'; readonly asks: readonly LedgerAsk[] }
  | { readonly type: 'quota'; readonly messages: readonly QuotaMessage[] }
  /** Lines of a tap or of explanations, and the streams that have begun; no lines: it chooses from now on. */
  | { readonly type: 'watched'; readonly id: number; readonly lines: string; readonly streams: number }
  /** The last of them. */
  | { readonly type: 'unwatched'; readonly id: number; readonly streams: number; readonly dropped: number }
  /** Items of shared queues wait for those workers. */
  | { readonly type: 'wake'; readonly workers: readonly number[] };

export interface WorkerDump {
  readonly families: readonly MetricFamily[];
  readonly status: RuntimeStatus;
  readonly process: {
    readonly cpuSeconds: number;
    readonly residentBytes: number;
    readonly heapBytes: number;
  };
}

/** A worker's side of the shared limits; `at` is `process.hrtime`, one clock for the machine. */
export type LedgerAsk =
  | {
      readonly kind: 'take';
      readonly key: string;
      readonly limit: Limit;
      readonly cost: number;
      /** False: it is decided as if, and nothing is taken. */
      readonly taking: boolean;
      readonly ticket: number;
    }
  | { readonly kind: 'used'; readonly key: string; readonly count: number; readonly at: number }
  /** Of tokens that were taken one by one, not leased. */
  | { readonly kind: 'refund'; readonly key: string; readonly count: number; readonly at: number }
  /** Taken whether they are there or not. */
  | { readonly kind: 'charge'; readonly key: string; readonly limit: Limit; readonly count: number }
  | {
      readonly kind: 'returned';
      readonly key: string;
      readonly count: number;
      /** Answers the recall of this number; 0 where nobody asked. */
      readonly recall: number;
    };

export type LedgerReply =
  | {
      readonly kind: 'decided';
      readonly ticket: number;
      readonly allowed: boolean;
      /** Tokens handed over beyond the cost of this request. */
      readonly leased: number;
      /** Tokens left, those leased to others included. */
      readonly remaining: number;
      readonly resetMs: number;
      readonly retryAfterMs: number;
      /** Nothing with this cost can be admitted before this time; 0 where that is not known. */
      readonly deniedUntil: number;
      /** When it was decided. */
      readonly at: number;
      /** When the window ends; 0 where there are none. */
      readonly turnsAt: number;
    }
  /** A refusal does not hold any more: something was given back. */
  | { readonly kind: 'reopened'; readonly key: string }
  | { readonly kind: 'recall'; readonly key: string; readonly recall: number };

/** A worker's side of the quotas. */
export type QuotaMessage =
  | { readonly kind: 'reserve'; readonly ticket: number; readonly ask: QuotaAsk }
  | { readonly kind: 'commit'; readonly reservation: number; readonly amount: number }
  | { readonly kind: 'release'; readonly reservation: number }
  /** Of what was charged at once. */
  | { readonly kind: 'refund'; readonly ask: QuotaAsk };

export interface QuotaReply {
  readonly ticket: number;
  readonly answer: QuotaAnswer;
}
