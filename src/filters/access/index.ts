// Decides who may do what, by the rules of access policies. See README.md.
export * from '@weir/filters-sdk/assembly/exports';
import {
  Action,
  Reply,
  RootContext,
  StreamContext,
  closeConnection,
  registerRoot,
  requestTrailers,
  setProperty,
  utf8,
} from '@weir/filters-sdk/assembly';
import { Counter, MetricName } from '@weir/filters-sdk/assembly/metrics';
import { isAskedFor } from './conditions';
import { explanation } from './explanation';
import { Facts } from './facts';
import { Decision, Policies } from './policies';

const RULE = utf8('access.rule');
const AUDITED = utf8('access.audit');
const TRIED = utf8('access.dry_run');

const facts = new Facts();

/** What a rule has been seen to do, made when it does it first. */
class Outcome {
  readonly counter: Counter;
  readonly reply: Reply;
  readonly text: ArrayBuffer;

  constructor(rule: string, decision: string) {
    const hash = rule.lastIndexOf('#');
    const name = new MetricName('access_decisions_total')
      .label('policy', rule.slice(0, hash))
      .label('rule', rule.slice(hash + 1))
      .label('decision', decision);
    this.counter = new Counter(name);
    this.reply = Reply.problem(403, 'Forbidden', 'access denied', rule);
    this.text = utf8(rule);
  }
}

class AccessRoot extends RootContext {
  private policies: Policies = new Policies();
  private allowed: Map<string, Outcome> = new Map<string, Outcome>();
  private denied: Map<string, Outcome> = new Map<string, Outcome>();
  private audited: Map<string, Outcome> = new Map<string, Outcome>();
  private wouldDeny: Map<string, Outcome> = new Map<string, Outcome>();
  private wouldAllow: Map<string, Outcome> = new Map<string, Outcome>();
  private stream: Access = new Access(this);

  onConfigure(configuration: ArrayBuffer): bool {
    return this.policies.read(configuration);
  }

  /** One object serves all streams: it keeps nothing of them between callbacks. */
  createStream(): StreamContext {
    return this.stream;
  }

  explain(): string {
    facts.begin(true);
    return explanation(this.policies, facts);
  }

  /** Null where the stream may go on. */
  decide(isRequest: bool): Outcome | null {
    const policies = this.policies;
    facts.begin(isRequest);
    const decision = policies.enforced.decide(facts);
    if (policies.audited.length > 0) this.audit();
    const tried = policies.tried;
    if (tried !== null) this.compare(decision, tried.decide(facts));
    if (decision.by.length == 0) return null;
    const outcome = outcomeOf(
      decision.allowed ? this.allowed : this.denied,
      decision.by,
      decision.allowed ? 'allow' : 'deny',
    );
    outcome.counter.add();
    setProperty(RULE, outcome.text);
    return decision.allowed ? null : outcome;
  }

  private audit(): void {
    const rule = this.policies.audited.match(facts);
    if (rule === null) return;
    const outcome = outcomeOf(this.audited, rule.name, 'audit');
    outcome.counter.add();
    setProperty(AUDITED, outcome.text);
  }

  /** Tells where policies that are tried out would have decided otherwise. */
  private compare(decision: Decision, other: Decision): void {
    if (decision.allowed == other.allowed) return;
    const outcome = other.allowed
      ? outcomeOf(this.wouldAllow, other.by, 'would_allow')
      : outcomeOf(this.wouldDeny, other.by, 'would_deny');
    outcome.counter.add();
    setProperty(TRIED, outcome.text);
  }
}

function outcomeOf(known: Map<string, Outcome>, rule: string, decision: string): Outcome {
  if (!known.has(rule)) known.set(rule, new Outcome(rule, decision));
  return known.get(rule);
}

class Access extends StreamContext {
  constructor(private root: AccessRoot) {
    super();
  }

  onRequestHeaders(_count: i32, _endOfStream: bool): Action {
    const refused = this.root.decide(true);
    return refused === null ? Action.Continue : refused.reply.send();
  }

  onExplain(): string {
    return this.root.explain();
  }

  /** Some servers join trailers to the fields, which were looked at already. */
  onRequestTrailers(_count: i32): Action {
    const trailers = requestTrailers.all();
    while (trailers.next()) if (isAskedFor(trailers.name)) requestTrailers.remove(trailers.name);
    return Action.Continue;
  }

  onNewConnection(): Action {
    if (this.root.decide(false) === null) return Action.Continue;
    closeConnection();
    return Action.Pause;
  }
}

registerRoot(new AccessRoot());
