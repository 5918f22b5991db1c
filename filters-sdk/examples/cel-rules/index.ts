// Expressions: refuses requests by rules in CEL, which the host evaluates over all that it knows of a request.
export * from '@weir/filters-sdk/assembly/exports';
import {
  Action,
  Reply,
  RootContext,
  StreamContext,
  registerRoot,
  setProperty,
} from '@weir/filters-sdk/assembly';
import { Config } from '@weir/filters-sdk/assembly/config';
import {
  configuration,
  derived,
  items,
  length,
  part,
  pattern,
  range,
  readConfiguration,
} from '@weir/filters-sdk/assembly/configuration';
import { Expression } from '@weir/filters-sdk/assembly/state';

@part
class Rule {
  /** What answers and logs call it. */
  @pattern('[a-z0-9_]{1,60}') name: string;
  /** A CEL expression: where it is true, the request is refused. */
  @length(1, 4000) when: string;
  /** The status of the refusal. */
  @range(400, 599) status: i32 = 403;
  @derived expression!: Expression;
  @derived reply!: Reply;

  /** The host compiles the expression once, while the filter starts. What is wrong with it is in the host's log. */
  check(config: Config): void {
    this.expression = new Expression(this.when);
    if (!this.expression.valid) config.fault('when', 'not a valid expression');
    this.reply = Reply.problem(this.status, 'Refused', 'refused by a rule', this.name);
  }
}

/** Refuses requests by rules. */
@configuration({ title: 'cel-rules', phase: 'authz', capabilities: ['reply', 'properties', 'foreign'] })
class Settings {
  /** The first one that holds counts. */
  @items(1, 100) rules: Rule[];
}

class RulesRoot extends RootContext {
  rules: Rule[] = [];

  onConfigure(text: ArrayBuffer): bool {
    const settings = readConfiguration<Settings>(text);
    if (settings === null) return false;
    this.rules = settings.rules;
    return true;
  }

  createStream(): StreamContext {
    return new Ruled(this);
  }
}

class Ruled extends StreamContext {
  constructor(private root: RulesRoot) {
    super();
  }

  onRequestHeaders(_count: i32, _endOfStream: bool): Action {
    const rules = this.root.rules;
    for (let i = 0; i < rules.length; i++) {
      const rule = rules[i];
      // An expression over what the request does not have has no value, and does not hold: begin with has().
      if (!rule.expression.holds()) continue;
      setProperty('rule.name', rule.name);
      return rule.reply.send();
    }
    return Action.Continue;
  }

  recycle(): bool {
    return true;
  }
}

registerRoot(new RulesRoot());
