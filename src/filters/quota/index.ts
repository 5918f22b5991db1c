// Holds what a key uses in an hour, a day, a week, a month or a year to what it may use. See README.md.
export * from '@weir/filters-sdk/assembly/exports';
import {
  Action,
  Bytes,
  ByteWriter,
  Reply,
  RootContext,
  StreamContext,
  registerRoot,
  requestHeaders,
  responseBody,
  responseHeader,
  responseHeaders,
  resumeRequest,
  setProperty,
  utf8,
} from '@weir/filters-sdk/assembly';
import { QuotaDecision, QuotaState, commitQuota, releaseQuota } from '@weir/filters-sdk/assembly/quotas';
import { Source } from './charge';
import { QuotaConfig } from './config';
import { JsonNumber } from './json-number';
import { Plan } from './plan';

const RATELIMIT = utf8('ratelimit');
const RATELIMIT_POLICY = utf8('ratelimit-policy');
const RETRY_AFTER = utf8('retry-after');
const ACCEPT_ENCODING = utf8('accept-encoding');
const CONTENT_TYPE = utf8('content-type');
const CONTENT_ENCODING = utf8('content-encoding');

const REFUSED_BY = utf8('quota.refused_by');

const value = new ByteWriter(128);

class QuotaRoot extends RootContext {
  config: QuotaConfig = new QuotaConfig();
  unavailable: Reply = Reply.problem(
    503,
    'Service Unavailable',
    'the quota cannot be checked',
    'quota_unavailable',
  );

  onConfigure(configuration: ArrayBuffer): bool {
    return this.config.read(configuration);
  }

  createStream(): StreamContext {
    return new Quota(this);
  }
}

class Quota extends StreamContext {
  private plan: Plan | null = null;
  /** The ledger's answer, while its request goes on. */
  private kept: ByteWriter = new ByteWriter(40);
  private reservation: u32 = 0;
  /** Index of the quota; -1: none. */
  private refusedBy: i32 = -1;
  private bodyBytes: u64 = 0;
  private headerAmount: i64 = -1;
  private json: JsonNumber;
  private readsJson: bool = false;

  constructor(private root: QuotaRoot) {
    super();
    this.json = new JsonNumber(root.config.charge.path);
  }

  onRequestHeaders(_count: i32, _endOfStream: bool): Action {
    const config = this.root.config;
    const charge = config.charge;
    const plan = config.plans.current();
    if (plan === null) return config.plans.refuse();
    if (plan.set.count == 0) return Action.Continue;
    if (!charge.onResponse && !charge.applies()) return Action.Continue;
    // What is compressed cannot be read here.
    if (charge.source == Source.Json) requestHeaders.remove(ACCEPT_ENCODING);
    this.plan = plan;
    const key = config.writeKey().view();
    const id = config.writeId().view();
    const state = plan.set.reserve<Bytes, Bytes>(key, charge.ofRequest(), charge.onResponse, id);
    return state == QuotaState.Pending ? Action.Pause : this.decide(plan.set.decision);
  }

  onQuotaDecision(decision: QuotaDecision): void {
    if (this.decide(decision) == Action.Continue) resumeRequest();
  }

  private decide(decision: QuotaDecision): Action {
    const root = this.root;
    if (decision.state == QuotaState.Admitted) {
      this.reservation = decision.reservation;
      this.kept.clear().add<Bytes>(decision.bytes);
      return Action.Continue;
    }
    if (decision.state == QuotaState.Refused) return this.refuse(decision);
    return root.config.failOpen ? Action.Continue : root.unavailable.send();
  }

  private refuse(decision: QuotaDecision): Action {
    const plan = this.plan!;
    this.refusedBy = decision.refusedBy;
    setProperty(REFUSED_BY, plan.label(decision.refusedBy));
    const reply = plan.refusal(decision.refusedBy);
    const headers = reply.headers.clear().add('content-type', 'application/problem+json');
    value.clear().addNumber(max<u32>(1, decision.resetSeconds(decision.refusedBy)));
    headers.add(RETRY_AFTER, value.view());
    if (this.root.config.headers) {
      plan.writePolicy(decision, value);
      headers.add(RATELIMIT_POLICY, value.view());
      plan.writeState(decision, value);
      headers.add(RATELIMIT, value.view());
    }
    return reply.send();
  }

  onExplain(): string {
    const plan = this.root.config.plans.current();
    if (plan === null) return this.root.config.plans.explainNone();
    if (this.refusedBy >= 0) return plan.title + 'refused by ' + plan.nameOf(this.refusedBy);
    if (this.kept.length > 0)
      return plan.title + plan.state(changetype<QuotaDecision>(this.kept.view().start));
    return plan.title + (plan.set.count == 0 ? 'no quotas' : 'nothing was charged yet');
  }

  onResponseHeaders(_count: i32, _endOfStream: bool): Action {
    if (this.kept.length == 0) return Action.Continue;
    const config = this.root.config;
    const decision = changetype<QuotaDecision>(this.kept.view().start);
    const plan = this.plan!;
    if (config.headers) {
      // Added, not set: each quota and limit of a chain has its own member in the list.
      plan.writePolicy(decision, value);
      responseHeaders.add(RATELIMIT_POLICY, value.view());
      plan.writeState(decision, value);
      responseHeaders.add(RATELIMIT, value.view());
    }
    if (config.warning.byteLength > 0) {
      plan.writeWarning(decision, value);
      if (value.length > 0) responseHeaders.add(config.warning, value.view());
    }
    if (config.charge.source == Source.Json) this.beginJson();
    else if (config.charge.source == Source.Header) this.headerAmount = config.charge.known();
    return Action.Continue;
  }

  private beginJson(): void {
    const encoding = responseHeader(CONTENT_ENCODING);
    this.readsJson = encoding === null || encoding.equalsIgnoreCase('identity');
    const type = responseHeader(CONTENT_TYPE);
    this.json.events = type !== null && type.startsWith('text/event-stream');
  }

  onResponseBody(size: i32, endOfStream: bool): Action {
    this.bodyBytes += size;
    if (this.readsJson && size > 0) this.json.read(responseBody.read());
    if (endOfStream) this.json.end();
    return Action.Continue;
  }

  onDone(): void {
    if (this.reservation == 0) return;
    const charge = this.root.config.charge;
    if (charge.applies()) commitQuota(this.reservation, this.amount());
    else releaseQuota(this.reservation);
  }

  /** What it came to; where nobody said, what was kept back. */
  private amount(): u64 {
    const charge = this.root.config.charge;
    if (charge.source == Source.Body) return this.bodyBytes;
    let known: i64 = -1;
    if (charge.source == Source.Json) known = this.json.value;
    else if (charge.source == Source.Header) known = this.headerAmount;
    else known = charge.known();
    return known < 0 ? charge.estimate : <u64>known;
  }

  recycle(): bool {
    this.plan = null;
    this.refusedBy = -1;
    this.kept.clear();
    this.reservation = 0;
    this.bodyBytes = 0;
    this.headerAmount = -1;
    this.readsJson = false;
    this.json.clear();
    return true;
  }
}

registerRoot(new QuotaRoot());
