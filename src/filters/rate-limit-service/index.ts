// Asks a rate limit service of yours, by Envoy's protocol for that. See README.md.
export * from '@weir/filters-sdk/assembly/exports';
import {
  Action,
  ByteWriter,
  Pairs,
  PairsWriter,
  Reply,
  RootContext,
  StreamContext,
  logWarn,
  registerRoot,
  requestHeaders,
  responseHeaders,
  utf8,
} from '@weir/filters-sdk/assembly';
import { Counter, MetricName } from '@weir/filters-sdk/assembly/metrics';
import { addField, addNumberField } from '@weir/filters-sdk/assembly/protobuf';
import { callGrpc, take, wait } from '@weir/filters-sdk/assembly/wait';
import { OnServiceFailure, ServiceConfig } from './config';
import { Decision, Outcome } from './decision';

const SERVICE = utf8('envoy.service.ratelimit.v3.RateLimitService');
const RATELIMIT = utf8('ratelimit');
const RATELIMIT_POLICY = utf8('ratelimit-policy');
const RETRY_AFTER = utf8('retry-after');
const X_LIMIT = utf8('x-ratelimit-limit');
const X_REMAINING = utf8('x-ratelimit-remaining');
const X_RESET = utf8('x-ratelimit-reset');
const NO_NAMES: ArrayBuffer[] = [];

const question = new ByteWriter(512);
const descriptor = new ByteWriter(256);
const value = new ByteWriter(128);
const fields = new PairsWriter();

class ServiceRoot extends RootContext {
  readonly config: ServiceConfig = new ServiceConfig();
  /** By outcome. */
  private calls: Counter[] = [];
  readonly unavailable: Reply = Reply.problem(
    503,
    'Service Unavailable',
    'the rate limit cannot be checked',
    'rate_limit_unavailable',
  );

  onConfigure(configuration: ArrayBuffer): bool {
    const outcomes = ['allowed', 'denied', 'failed'];
    for (let i = 0; i < outcomes.length; i++)
      this.calls.push(new Counter(new MetricName('rate_limit_service_calls').label('outcome', outcomes[i])));
    return this.config.read(configuration);
  }

  count(outcome: Outcome): void {
    this.calls[outcome].add();
  }

  createStream(): StreamContext {
    return new RateLimitService(this);
  }
}

class RateLimitService extends StreamContext {
  /** Let through by the service, so that the answer tells what it says. */
  private decision: Decision | null = null;
  /** Of the descriptors that were asked about. */
  private names: ArrayBuffer[] = NO_NAMES;

  constructor(private root: ServiceRoot) {
    super();
  }

  onRequestHeaders(_count: i32, _endOfStream: bool): Action {
    if (!this.writeQuestion()) return Action.Continue;
    const decision = this.ask();
    this.root.count(decision.outcome);
    if (decision.outcome == Outcome.Denied) return this.refuse(decision);
    if (decision.outcome == Outcome.Failed) return this.decideAlone();
    decision.changeRequest(requestHeaders);
    this.decision = decision;
    return Action.Continue;
  }

  /** `RateLimitRequest`. False: the request lacks what each of the descriptors is made of. */
  private writeQuestion(): bool {
    const config = this.root.config;
    question.clear();
    addField(question, 1, config.domain);
    const names: ArrayBuffer[] = [];
    for (let i = 0; i < config.descriptors.length; i++) {
      const each = config.descriptors[i];
      if (!each.write(descriptor.clear())) continue;
      addField(question, 2, descriptor.view());
      names.push(each.name);
    }
    if (names.length == 0) return false;
    this.names = names;
    const cost = config.cost;
    if (cost !== null) addNumberField(question, 3, cost.hits());
    return true;
  }

  private ask(): Decision {
    const config = this.root.config;
    const call = callGrpc(
      config.upstream,
      SERVICE,
      'ShouldRateLimit',
      null,
      question.view(),
      config.timeoutMs,
    );
    const answer = wait(call);
    if (!answer.failed) return Decision.of(answer.body);
    logWarn('no decision: status ' + (<i32>answer.status).toString() + ' ' + answer.reason.toString());
    return new Decision();
  }

  private decideAlone(): Action {
    switch (this.root.config.onFailure) {
      case OnServiceFailure.Allow:
        return Action.Continue;
      case OnServiceFailure.Local:
        return this.countHere();
      default:
        return this.root.unavailable.send();
    }
  }

  /** By the limits of descriptors that have one, one after the other. */
  private countHere(): Action {
    const config = this.root.config;
    const cost = config.cost;
    const hits = cost === null ? 1 : cost.hits();
    for (let i = 0; i < config.descriptors.length; i++) {
      const each = config.descriptors[i];
      const local = each.local;
      if (local === null) continue;
      const key = descriptor.clear().add(config.domain).addByte(0);
      if (!each.write(key)) continue;
      const answer = wait(take(local, key.view(), each.hits(hits)));
      if (answer.allowed) continue;
      const reply = tooMany();
      value.clear().addNumber(max<i64>(1, (<i64>answer.retryAfterMs + 999) / 1000));
      reply.headers.add(RETRY_AFTER, value.view());
      return reply.send();
    }
    return Action.Continue;
  }

  private refuse(decision: Decision): Action {
    const reply = tooMany();
    const hasBody = decision.body.byteLength > 0;
    if (hasBody) reply.body = decision.body;
    if (hasBody || decision.setsType) reply.headers.clear();
    if (hasBody && !decision.setsType) reply.headers.add('content-type', 'text/plain');
    const seconds = decision.retryAfter;
    if (seconds > 0) reply.headers.add(RETRY_AFTER, value.clear().addNumber(seconds).view());
    this.tell(decision, reply.headers);
    return reply.send();
  }

  onResponseHeaders(_count: i32, _endOfStream: bool): Action {
    const decision = this.decision;
    if (decision === null) return Action.Continue;
    this.tell(decision, fields.clear());
    // Added, not set: each limit of a chain has its own member in the list.
    const added = fields.view();
    const all = Pairs.read(added.start, added.length);
    while (all.next()) responseHeaders.add(all.name, all.value);
    return Action.Continue;
  }

  /** What the client is to know, by the configuration and by the service. */
  private tell(decision: Decision, into: PairsWriter): void {
    const config = this.root.config;
    decision.writePolicy(this.names, value.clear());
    if (config.headers && value.length > 0) {
      into.add(RATELIMIT_POLICY, value.view());
      decision.writeState(this.names, value.clear());
      into.add(RATELIMIT, value.view());
    }
    const tightest = config.xHeaders ? decision.tightest : null;
    if (tightest !== null) {
      decision.writeLimits(tightest.requests, value.clear());
      into.add(X_LIMIT, value.view());
      into.add(X_REMAINING, value.clear().addNumber(tightest.remaining).view());
      into.add(X_RESET, value.clear().addNumber(tightest.resetSeconds).view());
    }
    decision.addAnswerFields(into);
  }

  recycle(): bool {
    this.decision = null;
    this.names = NO_NAMES;
    return true;
  }
}

function tooMany(): Reply {
  return Reply.problem(429, 'Too Many Requests', 'rate limit exceeded', 'rate_limited');
}

registerRoot(new ServiceRoot());
