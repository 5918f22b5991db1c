// Asks a service of yours whether a request may pass, by Envoy's protocols for that. See README.md.
export * from '@weir/filters-sdk/assembly/exports';
import {
  Action,
  PairsWriter,
  Reply,
  RootContext,
  StreamContext,
  logWarn,
  registerRoot,
  requestHeaders,
  responseHeaders,
  view,
} from '@weir/filters-sdk/assembly';
import { announceConsumer } from '@weir/filters-sdk/assembly/consumer';
import { removeSpellings } from '@weir/filters-sdk/assembly/fields';
import { setMetadata } from '@weir/filters-sdk/assembly/foreign';
import { Counter, MetricName } from '@weir/filters-sdk/assembly/metrics';
import { callGrpc, wait } from '@weir/filters-sdk/assembly/wait';
import { Change, addAll, applyAll, applyToRequest } from './changes';
import { checkRequest } from './check-request';
import { decisionOf } from './check-response';
import { ExtAuthzConfig, FAILURE_ALLOWED } from './config';
import { Decision, Outcome } from './decision';
import { askHttp, decisionOfAnswer } from './http-service';
import { changeQuery } from './query';

const METADATA = 'envoy.filters.http.ext_authz';

const metadata = new PairsWriter();

class ExtAuthzRoot extends RootContext {
  readonly config: ExtAuthzConfig = new ExtAuthzConfig();
  /** By outcome. */
  private checks: Counter[] = [];

  onConfigure(configuration: ArrayBuffer): bool {
    const outcomes = ['allowed', 'denied', 'failed'];
    for (let i = 0; i < outcomes.length; i++)
      this.checks.push(new Counter(new MetricName('ext_authz_checks').label('outcome', outcomes[i])));
    return this.config.read(configuration);
  }

  count(outcome: Outcome): void {
    this.checks[outcome].add();
  }

  createStream(): StreamContext {
    return new ExtAuthz(this);
  }
}

const NO_CHANGES: Change[] = [];

class ExtAuthz extends StreamContext {
  private asked: bool = false;
  /** Of the body, so far. */
  private size: i32 = 0;
  private answerChanges: Change[] = NO_CHANGES;

  constructor(private root: ExtAuthzRoot) {
    super();
  }

  onRequestHeaders(_count: i32, endOfStream: bool): Action {
    const config = this.root.config;
    removeSpellings(config.owned);
    // What follows the head of an upgrade is no body.
    if (config.maxBody > 0 && !endOfStream && !requestHeaders.has('upgrade')) return Action.Pause;
    return this.ask(-1);
  }

  onRequestBody(size: i32, endOfStream: bool): Action {
    if (this.asked) return Action.Continue;
    const config = this.root.config;
    this.size = size;
    if (size <= config.maxBody) return endOfStream ? this.ask(size) : Action.Pause;
    return config.allowPartial ? this.ask(config.maxBody) : config.tooLarge.send();
  }

  onRequestTrailers(_count: i32): Action {
    return this.asked ? Action.Continue : this.ask(this.size);
  }

  /** @param bodyBytes of the body, which the service gets; -1: the request has none, or it is not wanted */
  private ask(bodyBytes: i32): Action {
    this.asked = true;
    const config = this.root.config;
    const decision = config.isGrpc ? this.askGrpc(bodyBytes) : this.askHttp(bodyBytes);
    for (let i = 0; i + 1 < decision.metadata.length; i += 2)
      this.note(decision.metadata[i], decision.metadata[i + 1]);
    this.root.count(decision.outcome);
    if (decision.outcome == Outcome.Allowed) return this.allow(decision);
    if (decision.outcome == Outcome.Denied) return refuse(decision, decision.status, 'ext_authz_denied');
    if (!config.failOpen) {
      const status = decision.status == 0 ? config.statusOnError : decision.status;
      return refuse(decision, status, 'ext_authz_error');
    }
    requestHeaders.set(FAILURE_ALLOWED, 'true');
    return Action.Continue;
  }

  private askGrpc(bodyBytes: i32): Decision {
    const config = this.root.config;
    metadata.clear();
    for (let i = 0; i < config.sent.length; i++)
      metadata.add(config.sent[i].name, config.sent[i].value.render());
    const question = checkRequest(config, this.size, bodyBytes);
    const service = 'envoy.service.auth.v3.Authorization';
    const answer = wait(callGrpc(config.upstream, service, 'Check', metadata, question, config.timeoutMs));
    if (!answer.failed) return decisionOf(answer.body);
    logWarn('no decision: status ' + (<i32>answer.status).toString() + ' ' + answer.reason.toString());
    return new Decision();
  }

  private askHttp(bodyBytes: i32): Decision {
    const config = this.root.config;
    const answer = wait(askHttp(config, bodyBytes, this.size > bodyBytes));
    const decision = decisionOfAnswer(config, answer);
    if (decision.outcome == Outcome.Failed)
      logWarn('no decision: status ' + answer.status.toString() + ' ' + answer.reason.toString());
    return decision;
  }

  private note(name: ArrayBuffer, value: ArrayBuffer): void {
    setMetadata(METADATA, String.UTF8.decode(name), String.UTF8.decode(value));
    const wanted = view(this.root.config.consumerMetadata);
    if (wanted.length > 0 && wanted.equals(name)) announceConsumer(value);
  }

  private allow(decision: Decision): Action {
    applyToRequest(decision.changes);
    removeSpellings(decision.removed);
    if (decision.querySet.length > 0 || decision.queryRemoved.length > 0)
      changeQuery(decision.querySet, decision.queryRemoved);
    const field = this.root.config.consumerField;
    const consumer = field.byteLength > 0 ? requestHeaders.get(field) : null;
    if (consumer !== null && consumer.length > 0) announceConsumer(consumer);
    this.answerChanges = decision.answerChanges;
    return Action.Continue;
  }

  onResponseHeaders(_count: i32, _endOfStream: bool): Action {
    applyAll(this.answerChanges, responseHeaders);
    return Action.Continue;
  }

  recycle(): bool {
    this.asked = false;
    this.size = 0;
    this.answerChanges = NO_CHANGES;
    return true;
  }
}

function refuse(decision: Decision, status: i32, details: string): Action {
  const reply = new Reply(status, '', details);
  reply.body = decision.body;
  addAll(decision.changes, reply.headers);
  if (decision.body.byteLength > 0 && !hasType(decision.changes))
    reply.headers.add('content-type', 'text/plain');
  return reply.send();
}

function hasType(changes: Change[]): bool {
  for (let i = 0; i < changes.length; i++) if (view(changes[i].name).equals('content-type')) return true;
  return false;
}

registerRoot(new ExtAuthzRoot());
