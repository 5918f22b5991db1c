// Limits how many requests a key may make in a time. See README.md.
export * from '@weir/filters-sdk/assembly/exports';
import {
  Action,
  ByteWriter,
  LimitDecision,
  Reply,
  RootContext,
  StreamContext,
  registerRoot,
  responseHeaders,
  resumeRequest,
  utf8,
} from '@weir/filters-sdk/assembly';
import { LimitState } from '@weir/filters-sdk/assembly/limits';
import { RateLimitConfig } from './config';

const RATELIMIT = utf8('ratelimit');
const RATELIMIT_POLICY = utf8('ratelimit-policy');
const RETRY_AFTER = utf8('retry-after');
const REMAINING = utf8(';r=');
const RESET = utf8(';t=');

const value = new ByteWriter(96);

class RateLimitRoot extends RootContext {
  config: RateLimitConfig = new RateLimitConfig();
  tooMany: Reply = Reply.problem(429, 'Too Many Requests', 'rate limit exceeded', 'rate_limited');
  unavailable: Reply = Reply.problem(
    503,
    'Service Unavailable',
    'the rate limit cannot be checked',
    'rate_limit_unavailable',
  );

  onConfigure(configuration: ArrayBuffer): bool {
    return this.config.read(configuration);
  }

  createStream(): StreamContext {
    return new RateLimit(this);
  }

  refuse(decision: LimitDecision): Action {
    const config = this.config;
    const headers = this.tooMany.headers;
    headers.clear().add('content-type', 'application/problem+json');
    value.clear().addNumber(seconds(decision.retryAfterMs));
    headers.add(RETRY_AFTER, value.view());
    if (config.headers) {
      headers.add(RATELIMIT_POLICY, config.policy);
      writeState(config, decision.remaining, decision.resetMs);
      headers.add(RATELIMIT, value.view());
    }
    return this.tooMany.send();
  }
}

class RateLimit extends StreamContext {
  /** The request was counted and allowed, so its answer tells what is left. */
  private counted: bool = false;
  private remaining: u32 = 0;
  private resetMs: u32 = 0;

  constructor(private root: RateLimitRoot) {
    super();
  }

  onRequestHeaders(_count: i32, _endOfStream: bool): Action {
    const root = this.root;
    const config = root.config;
    const limit = config.limit;
    switch (limit.take(config.writeKey().view(), config.cost)) {
      case LimitState.Allowed:
        this.allow(limit.decision);
        return Action.Continue;
      case LimitState.Denied:
        return root.refuse(limit.decision);
      case LimitState.Pending:
        return Action.Pause;
      default:
        return config.failOpen ? Action.Continue : root.unavailable.send();
    }
  }

  /** All workers were asked, and this is what they say. */
  onLimitDecision(decision: LimitDecision): void {
    if (!decision.allowed) {
      this.root.refuse(decision);
      return;
    }
    this.allow(decision);
    resumeRequest();
  }

  private allow(decision: LimitDecision): void {
    this.counted = true;
    this.remaining = decision.remaining;
    this.resetMs = decision.resetMs;
  }

  onResponseHeaders(_count: i32, _endOfStream: bool): Action {
    const config = this.root.config;
    if (!this.counted || !config.headers) return Action.Continue;
    // Added, not set: each limit of a chain has its own member in the list.
    responseHeaders.add(RATELIMIT_POLICY, config.policy);
    writeState(config, this.remaining, this.resetMs);
    responseHeaders.add(RATELIMIT, value.view());
    return Action.Continue;
  }

  recycle(): bool {
    this.counted = false;
    return true;
  }
}

/** `"name";r=50;t=30`, to `value`. */
function writeState(config: RateLimitConfig, remaining: u32, resetMs: u32): void {
  value.clear().add(config.quotedName).add(REMAINING).addNumber(remaining);
  value.add(RESET).addNumber((<i64>resetMs + 999) / 1000);
}

/** Rounded up, at least 1: a client that comes back then is let in. */
function seconds(milliseconds: u32): i64 {
  return max<i64>(1, (<i64>milliseconds + 999) / 1000);
}

registerRoot(new RateLimitRoot());
