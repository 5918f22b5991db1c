import { JsonValue, Config, faultAt, readConfig } from '@weir/filters-sdk/assembly/config';
import { OnFailure, Scope } from '@weir/filters-sdk/assembly/limits';
import { Plans } from '@weir/filters-sdk/assembly/plans';
import { Limits } from './limits';

export class RateLimitConfig {
  /** What requests are held to. */
  plans: Plans<Limits> = new Plans<Limits>('rate_limit_no_plan');
  headers: bool = true;
  failOpen: bool = false;
  private scope: Scope = Scope.Node;
  private onFailure: OnFailure = OnFailure.Unavailable;

  read(configuration: ArrayBuffer): bool {
    const config = readConfig(configuration);
    const scopes = [Scope.Node, Scope.Local, Scope.Cluster];
    this.scope = scopes[config.choice('scope', ['node', 'local', 'cluster'])];
    this.onFailure = config.choice('onStoreFailure', ['Deny', 'Allow', 'Local']);
    this.failOpen = this.onFailure == OnFailure.Allow;
    this.headers = config.boolean('headers', true);
    const cost = config.member('cost');
    if (config.has('plan')) this.readPlans(config, cost);
    else if (config.has('limits')) this.plans.always(this.placed(this.list(config, cost)));
    else this.plans.always(this.placed(Limits.single(config, cost)));
    return config.end();
  }

  private list(config: Config, cost: JsonValue | null): Limits {
    if (config.has('limit') || config.has('key') || config.has('name')) {
      config.fault('limits', 'name, key and limit belong into its items');
      config.member('limit');
      config.member('key');
      config.member('name');
    }
    const limits = Limits.list(config, null, cost);
    if (limits.rules.length == 0) config.fault('limits', 'expected 1 to 8 limits');
    return limits;
  }

  private readPlans(config: Config, cost: JsonValue | null): void {
    if (config.has('limit') || config.has('limits') || config.has('name')) {
      faultAt(config.member('plan')!, 'name, limit and limits belong into plans');
    }
    const key = config.items('key');
    const members = config.object('plans').all();
    for (let i = 0; i < members.length; i++) {
      const member = Config.of(members[i]);
      member.required('limits');
      const limits = this.placed(Limits.list(member, key, cost));
      limits.name(members[i].name);
      this.plans.add(members[i], limits);
      member.end();
    }
    this.plans.choose(config);
  }

  private placed(limits: Limits): Limits {
    limits.place(this.scope, this.onFailure);
    return limits;
  }
}
