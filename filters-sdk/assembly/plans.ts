import { Action } from './abi';
import { Bytes, utf8, view } from './bytes';
import { Config, JsonValue, faultAt } from './config';
import { addJsonString } from './json-text';
import { property } from './properties';
import { Reply } from './reply';
import { ByteWriter } from './writer';

const CONSUMER_PLAN = utf8('consumer.plan');
const FROM_CONSUMER = 'from-consumer';
const NO_PLAN = utf8(
  '{"type":"about:blank","title":"Forbidden","status":403,"detail":"the consumer has no plan"}\n',
);
const OTHER_PLAN = utf8(
  '{"type":"about:blank","title":"Forbidden","status":403,"detail":"the plan of the consumer is not known here","plan":',
);

const scratch = new ByteWriter(128);

/** What holds for a request by the plan of its consumer; `P` is what a plan comes to in the filter. */
export class Plans<P> {
  private names: ArrayBuffer[] = [];
  private plans: P[] = [];
  /** The one that all requests have; null: the consumer's. */
  private only: P | null = null;
  /** For consumers that have no plan, or one that is not here. */
  private otherwise: P | null = null;
  private noPlan: Reply;

  /** @param details of the answer to a consumer without a plan */
  constructor(details: string) {
    this.noPlan = new Reply(403, '', details);
    this.noPlan.headers.add('content-type', 'application/problem+json');
  }

  /** @param member of `plans`: its name is the plan's */
  add(member: JsonValue, plan: P): void {
    const name = view(member.name);
    for (let i = 0; i < name.length; i++) {
      if (name.at(i) < 32) {
        faultAt(member, 'a control character in the name of a plan');
        break;
      }
    }
    this.names.push(member.name);
    this.plans.push(plan);
  }

  /** This one for all requests, whatever plan they have. */
  always(plan: P): void {
    this.only = plan;
  }

  /** Takes `plan` and `withoutPlan` out of a configuration; the plans themselves were added before. */
  choose(config: Config): void {
    const wanted = config.member('plan');
    if (wanted !== null && !wanted.is(FROM_CONSUMER)) this.only = this.named(wanted);
    const otherwise = config.member('withoutPlan');
    if (otherwise !== null) this.otherwise = this.named(otherwise);
  }

  private named(value: JsonValue): P | null {
    const plan = this.find(view(value.text));
    if (plan === null) faultAt(value, 'no plan of this name');
    return plan;
  }

  private find(name: Bytes): P | null {
    const names = this.names;
    for (let i = 0; i < names.length; i++) {
      if (name.equals(unchecked(names[i]))) return unchecked(this.plans[i]);
    }
    return null;
  }

  /** What the running request is held to; null: its consumer has no plan. */
  current(): P | null {
    const only = this.only;
    if (only !== null) return only;
    const name = property(CONSUMER_PLAN);
    if (name !== null) {
      const plan = this.find(name);
      if (plan !== null) return plan;
    }
    return this.otherwise;
  }

  /** Answers a request that {@link current} has nothing for, with the name of the plan that its consumer has. */
  refuse(): Action {
    const name = property(CONSUMER_PLAN);
    if (name === null) this.noPlan.body = NO_PLAN;
    else {
      addJsonString(scratch.clear().add(OTHER_PLAN), name);
      this.noPlan.body = scratch.add('}\n').copy();
    }
    return this.noPlan.send();
  }

  /** Why {@link current} has nothing, for `onExplain`. */
  explainNone(): string {
    const name = property(CONSUMER_PLAN);
    return name === null
      ? 'the consumer has no plan'
      : 'the plan ' + name.toString() + ' of the consumer is not known here';
  }
}

/** A text as it stands within a JSON string. */
export function escaped(text: ArrayBuffer): string {
  addJsonString(scratch.clear(), view(text));
  return String.UTF8.decode(
    scratch
      .view()
      .slice(1, scratch.length - 1)
      .copy(),
  );
}
