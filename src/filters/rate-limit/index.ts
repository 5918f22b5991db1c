// Limits how many requests a key may make in a time, or have under way. See README.md.
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
  setProperty,
  utf8,
  Bytes,
} from '@weir/filters-sdk/assembly';
import { LimitSet, LimitState, Take } from '@weir/filters-sdk/assembly/limits';
import { RateLimitConfig } from './config';
import { Limits } from './limits';
import { LimitRule } from './rule';

const RATELIMIT = utf8('ratelimit');
const RATELIMIT_POLICY = utf8('ratelimit-policy');
const RETRY_AFTER = utf8('retry-after');
const REFUSED_BY = utf8('rate_limit.refused_by');
const RESET = utf8(';t=');
const SEPARATOR = utf8(', ');

const value = new ByteWriter(96);
const taken = new LimitSet();

class RateLimitRoot extends RootContext {
  config: RateLimitConfig = new RateLimitConfig();
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
}

class RateLimit extends StreamContext {
  /** What the request is held to, or the one before was. */
  private limits: Limits | null = null;
  /** The request was counted and allowed, so its answer tells what is left, and is charged for. */
  private counted: bool = false;
  private refusedBy: LimitRule | null = null;
  /** What the answer tells. */
  private state: ByteWriter | null = null;
  /** Keys of what is charged when the stream is over, each behind its size. */
  private keys: ByteWriter | null = null;
  /** For a host that does not know when the stream is over. */
  private held: ArrayBuffer | null = null;

  constructor(private root: RateLimitRoot) {
    super();
  }

  onRequestHeaders(_count: i32, _endOfStream: bool): Action {
    const root = this.root;
    const limits = root.config.plans.current();
    if (limits === null) return root.config.plans.refuse();
    if (limits.rules.length == 0) return Action.Continue;
    if (this.limits !== limits) this.limits = limits;
    this.ask(limits);
    switch (taken.take()) {
      case LimitState.Allowed:
        this.allow(taken.decision);
        return Action.Continue;
      case LimitState.Denied:
        return this.refuse(limits, taken.decision);
      case LimitState.Pending:
        return Action.Pause;
      default:
        return root.config.failOpen ? Action.Continue : root.unavailable.send();
    }
  }

  private ask(limits: Limits): void {
    const rules = limits.rules;
    taken.clear();
    let keys: ByteWriter | null = null;
    if (limits.chargesLater) {
      keys = this.keys;
      if (keys === null) this.keys = keys = new ByteWriter(64);
      keys.clear();
    }
    for (let i = 0; i < rules.length; i++) {
      const rule = unchecked(rules[i]);
      const key = taken.open(rule.limit, rule.costOfRequest(), rule.asksOnly ? Take.Nothing : Take.Cost);
      const from = key.length;
      rule.writeKey(key);
      if (keys === null || rule.responseCost === null) continue;
      const written = key.view().slice(from);
      store<u32>(keys.reserve(4), written.length);
      keys.add<Bytes>(written);
    }
  }

  /** Others were asked, and this is what they say. */
  onLimitDecision(decision: LimitDecision): void {
    const root = this.root;
    if (decision.allowed) {
      this.allow(decision);
      resumeRequest();
    } else if (decision.state == LimitState.Unavailable) root.unavailable.send();
    else this.refuse(this.limits!, decision);
  }

  private refuse(limits: Limits, decision: LimitDecision): Action {
    const refusing = refusingOf(decision, limits.rules.length);
    const rule = limits.rules[refusing];
    this.refusedBy = rule;
    setProperty(REFUSED_BY, rule.label);
    const reply = rule.refusal;
    const headers = reply.headers;
    headers.clear().add('content-type', 'application/problem+json');
    // A client that comes back then is let in.
    value.clear().addNumber(max(1, secondsIn(decision.of(refusing).retryAfterMs)));
    headers.add(RETRY_AFTER, value.view());
    if (this.root.config.headers) {
      headers.add(RATELIMIT_POLICY, limits.policy);
      writeState(limits, decision, value.clear());
      headers.add(RATELIMIT, value.view());
    }
    return reply.send();
  }

  private allow(decision: LimitDecision): void {
    this.counted = true;
    const held = taken.held();
    if (held !== null) this.held = held;
    if (!this.root.config.headers) return;
    let state = this.state;
    if (state === null) this.state = state = new ByteWriter(64);
    writeState(this.limits!, decision, state.clear());
  }

  onExplain(): string {
    const plans = this.root.config.plans;
    const limits = plans.current();
    if (limits === null) return plans.explainNone();
    const refusedBy = this.refusedBy;
    if (refusedBy !== null) return limits.title + 'refused by ' + String.UTF8.decode(refusedBy.quotedName);
    if (limits.rules.length == 0) return limits.title + 'no limits';
    // Which limits they are stands in the fields of the answer.
    if (limits.title.length == 0) return '';
    return limits.title + (this.counted ? 'within ' + limits.names : 'not counted yet');
  }

  onResponseHeaders(_count: i32, _endOfStream: bool): Action {
    if (!this.counted || !this.root.config.headers) return Action.Continue;
    // Added, not set: each limit of a chain has its own member in the list.
    responseHeaders.add(RATELIMIT_POLICY, this.limits!.policy);
    responseHeaders.add(RATELIMIT, this.state!.view());
    return Action.Continue;
  }

  onLog(): void {
    const held = this.held;
    if (held !== null) LimitSet.release(held);
    if (this.counted && this.limits!.chargesLater) this.charge(this.limits!);
  }

  private charge(limits: Limits): void {
    const rules = limits.rules;
    let at = this.keys!.view().start;
    taken.clear();
    for (let i = 0; i < rules.length; i++) {
      const rule = unchecked(rules[i]);
      if (rule.responseCost === null) continue;
      const key = Bytes.of(at + 4, load<u32>(at));
      at += 4 + key.length;
      const cost = rule.costOfResponse();
      if (cost > 0) taken.add<Bytes>(rule.limit, key, cost, Take.Anyway);
    }
    if (taken.length > 0) taken.take();
  }

  recycle(): bool {
    this.counted = false;
    if (this.refusedBy !== null) this.refusedBy = null;
    if (this.held !== null) this.held = null;
    return true;
  }
}

/** `"name";r=50;t=30, …`: of all limits, or of the one that refused. */
function writeState(limits: Limits, decision: LimitDecision, into: ByteWriter): void {
  const rules = limits.rules;
  for (let i = 0; i < rules.length; i++) {
    const record = decision.of(i);
    if (record.limit == 0) continue;
    if (into.length > 0) into.add(SEPARATOR);
    const rule = unchecked(rules[i]);
    into.add(rule.remaining).addNumber(record.remaining);
    // Nobody knows when what is under way ends.
    if (!rule.isConcurrency) into.add(RESET).addNumber(secondsIn(record.resetMs));
  }
}

/** The limit to wait for: of several that refuse, the longest. */
function refusingOf(decision: LimitDecision, count: i32): i32 {
  let longest = 0;
  for (let i = 1; i < count; i++) {
    if (decision.of(i).retryAfterMs > decision.of(longest).retryAfterMs) longest = i;
  }
  return longest;
}

/** Rounded up. */
function secondsIn(milliseconds: u32): u32 {
  return milliseconds / 1000 + u32(milliseconds % 1000 != 0);
}

registerRoot(new RateLimitRoot());
