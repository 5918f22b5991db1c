// Limits: a rate for each tier of customers, counted by the host exactly over all workers.
export * from '@weir/filters-sdk/assembly/exports';
import {
  Action,
  LimitDecision,
  Reply,
  RootContext,
  StreamContext,
  registerRoot,
  requestHeaders,
  responseHeaders,
  resumeRequest,
  utf8,
  view,
} from '@weir/filters-sdk/assembly';
import { Config, readConfig } from '@weir/filters-sdk/assembly/config';
import { Algorithm, Limit, LimitState, Scope } from '@weir/filters-sdk/assembly/limits';

const CONSUMER = utf8('x-consumer');
const TIER = utf8('x-tier');
const REMAINING = utf8('x-remaining');

const denied = Reply.problem(429, 'Too Many Requests', 'the rate of this tier is used up', 'tier_limit');
const failed = Reply.problem(503, 'Service Unavailable', 'the limit cannot be asked', 'tier_limit_failed');

class TierRoot extends RootContext {
  private names: ArrayBuffer[] = [];
  private limits: Limit[] = [];

  onConfigure(configuration: ArrayBuffer): bool {
    const config = readConfig(configuration);
    const tiers = config.items('tiers');
    let right = tiers.length > 0;
    for (let i = 0; i < tiers.length; i++) {
      const tier = Config.of(tiers[i]);
      this.names.push(tier.text('name'));
      const requests = <u32>tier.integer('requests', 1, 1_000_000, 0);
      this.limits.push(new Limit(requests, 60_000, 0, Algorithm.TokenBucket, Scope.Node));
      right = tier.end() && right;
    }
    return config.end() && right;
  }

  /** The first tier is the one of those who have none. */
  limit(): Limit {
    const tier = requestHeaders.get(TIER);
    for (let i = 0; tier !== null && i < this.names.length; i++) {
      if (tier.equals(this.names[i])) return this.limits[i];
    }
    return this.limits[0];
  }

  createStream(): StreamContext {
    return new Tiered(this);
  }
}

class Tiered extends StreamContext {
  private remaining: i32 = -1;

  constructor(private root: TierRoot) {
    super();
  }

  onRequestHeaders(_count: i32, _endOfStream: bool): Action {
    const consumer = requestHeaders.get(CONSUMER);
    const limit = this.root.limit();
    const state = limit.take(consumer === null ? view(TIER) : consumer, 1);
    // Other workers are being asked: the decision comes to onLimitDecision.
    if (state == LimitState.Pending) return Action.Pause;
    if (state == LimitState.Unavailable) return failed.send();
    return this.decide(limit.decision) ? Action.Continue : Action.Pause;
  }

  onLimitDecision(decision: LimitDecision): void {
    if (this.decide(decision)) resumeRequest();
  }

  private decide(decision: LimitDecision): bool {
    this.remaining = <i32>decision.remaining;
    if (decision.allowed) return true;
    denied.send();
    return false;
  }

  onResponseHeaders(_count: i32, _endOfStream: bool): Action {
    if (this.remaining >= 0) responseHeaders.set(REMAINING, this.remaining.toString());
    return Action.Continue;
  }

  recycle(): bool {
    this.remaining = -1;
    return true;
  }
}

registerRoot(new TierRoot());
