import { Config, JsonKind, JsonValue, faultAt, readConfig } from '@weir/filters-sdk/assembly/config';
import { Facts } from './facts';
import { Rule } from './rule';
import { RuleList } from './rule-list';

const ACTIONS = ['ALLOW', 'DENY', 'AUDIT'];
const DEFAULTS = ['Allow', 'Deny'];
/** The rule that is named where none decided. */
const NO_RULE = '#default';

enum Act {
  Allow,
  Deny,
  Audit,
}

/** Rules that allow, one of which a request must match. */
class Gate {
  readonly rules: RuleList = new RuleList(false);

  constructor(
    readonly stage: i32,
    /** Who refuses where none matches. */
    public by: string,
  ) {}
}

/** What was decided, and by which rule: `policy#rule`. */
export class Decision {
  allowed: bool = true;
  /** Empty where nothing had to decide. */
  by: string = '';

  set(allowed: bool, by: string): this {
    this.allowed = allowed;
    this.by = by;
    return this;
  }
}

/** Policies that decide together: what denies first, then each stage of what allows, then the default. */
export class RuleSet {
  readonly denying: RuleList = new RuleList(true);
  /** By their stages; the last one, of stage 0, is what no stage was given to. */
  readonly gates: Gate[] = [];
  private defaultAllows: bool = true;
  private defaultBy: string = '';
  private decision: Decision = new Decision();

  addAllow(stage: i32, by: string): Gate {
    for (let i = 0; i < this.gates.length; i++) {
      if (this.gates[i].stage != stage) continue;
      this.gates[i].by = by;
      return this.gates[i];
    }
    const gate = new Gate(stage, by);
    this.gates.push(gate);
    return gate;
  }

  setDefault(allows: bool, by: string): void {
    this.defaultAllows = allows;
    this.defaultBy = by;
  }

  /** The object is the same for each call. */
  decide(facts: Facts): Decision {
    const decision = this.decision;
    const denied = this.denying.match(facts);
    if (denied !== null) return decision.set(false, denied.name);
    let allowedBy = '';
    let pool: Gate | null = null;
    for (let i = 0; i < this.gates.length; i++) {
      const gate = this.gates[i];
      if (gate.stage == 0) {
        pool = gate;
        continue;
      }
      const rule = gate.rules.match(facts);
      if (rule === null) return decision.set(false, gate.by);
      allowedBy = rule.name;
    }
    if (pool !== null) {
      const rule = pool.rules.match(facts);
      if (rule !== null) return decision.set(true, rule.name);
      if (this.defaultBy.length == 0) return decision.set(false, pool.by);
    } else if (allowedBy.length > 0) return decision.set(true, allowedBy);
    return decision.set(this.defaultAllows, this.defaultBy);
  }
}

/** The configuration of the filter. */
export class Policies {
  readonly enforced: RuleSet = new RuleSet();
  /** The same with the policies that are tried out; null where there are none. */
  tried: RuleSet | null = null;
  readonly audited: RuleList = new RuleList(true);

  read(configuration: ArrayBuffer): bool {
    const config = readConfig(configuration);
    const policies = config.items('policies');
    if (config.required('policies') !== null && policies.length == 0 && !config.has('default'))
      faultAt(config.value, 'needs a policy, or a default');
    for (let i = 0; i < policies.length; i++) {
      const dryRun = policies[i].get('dryRun');
      if (dryRun !== null && dryRun.kind == JsonKind.Boolean && dryRun.number != 0)
        this.tried = new RuleSet();
    }
    for (let i = 0; i < policies.length; i++) this.readPolicy(policies[i]);
    this.readDefault(config, 'default', this.enforced, this.tried);
    this.readDefault(config, 'tryDefault', this.tried, null);
    return config.end();
  }

  private readPolicy(value: JsonValue): void {
    const config = Config.of(value);
    const name = String.UTF8.decode(config.text('name'));
    const action = config.choice('action', ACTIONS);
    const stage = <i32>config.integer('stage', 0, 1000, 0);
    const dryRun = config.boolean('dryRun', false);
    const rules = config.items('rules');
    const enforced = this.enforced;
    const tried = this.tried;
    const lists: RuleList[] = [];
    if (action == Act.Audit) lists.push(this.audited);
    if (action == Act.Deny && !dryRun) lists.push(enforced.denying);
    if (action == Act.Deny && tried !== null) lists.push(tried.denying);
    if (action == Act.Allow && !dryRun) lists.push(enforced.addAllow(stage, name + NO_RULE).rules);
    if (action == Act.Allow && tried !== null) lists.push(tried.addAllow(stage, name + NO_RULE).rules);
    for (let i = 0; i < rules.length; i++) {
      const named = rules[i].get('name');
      const suffix = named === null ? i.toString() : String.UTF8.decode(named.text);
      const rule = new Rule(name + '#' + suffix, rules[i]);
      for (let k = 0; k < lists.length; k++) lists[k].add(rule);
    }
    config.end();
  }

  private readDefault(config: Config, member: string, first: RuleSet | null, second: RuleSet | null): void {
    if (!config.has(member)) return;
    const value = config.object(member);
    const allows = value.choice('action', DEFAULTS) == 0;
    const by = String.UTF8.decode(value.text('by')) + NO_RULE;
    if (first !== null) first.setDefault(allows, by);
    if (second !== null) second.setDefault(allows, by);
  }
}
