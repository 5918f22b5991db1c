import { Bytes, utf8, view } from './bytes';
import { Config, JsonValue, faultAt } from './config';
import { property } from './properties';

const CONSUMER_PLAN = utf8('consumer.plan');
const FROM_CONSUMER = 'from-consumer';

/** What holds for a request by the plan of its consumer; `P` is what a plan comes to in the filter. */
export class Plans<P> {
  private names: ArrayBuffer[] = [];
  private plans: P[] = [];
  /** The one that all requests have; null: the consumer's. */
  private only: P | null = null;
  /** For consumers that have no plan, or one that is not here. */
  private otherwise: P | null = null;

  add(name: ArrayBuffer, plan: P): void {
    this.names.push(name);
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
}
