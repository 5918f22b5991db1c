import { JsonKind, JsonValue, Config, faultAt, readConfig } from '@weir/filters-sdk/assembly/config';
import { ByteWriter, Bytes } from '@weir/filters-sdk/assembly';
import { OnFailure, Scope } from '@weir/filters-sdk/assembly/limits';
import { LimitRule } from './rule';

/** As many as the host takes in one call. */
const MOST_RULES = 8;

export class RateLimitConfig {
  rules: LimitRule[] = [];
  headers: bool = true;
  failOpen: bool = false;
  /** Something is charged when the stream is over. */
  chargesLater: bool = false;
  /** Of all rules: `"name";q=100;w=60, …` */
  policy: ArrayBuffer = new ArrayBuffer(0);

  read(configuration: ArrayBuffer): bool {
    const config = readConfig(configuration);
    const scopes = [Scope.Node, Scope.Local, Scope.Cluster];
    const scope = scopes[config.choice('scope', ['node', 'local', 'cluster'])];
    const onFailure = config.choice('onStoreFailure', ['Deny', 'Allow', 'Local']);
    this.failOpen = onFailure == OnFailure.Allow;
    this.headers = config.boolean('headers', true);
    const cost = config.member('cost');

    const list = config.member('limits');
    if (list === null) this.rules.push(new LimitRule(config, cost));
    else this.readList(config, list, cost);
    const policy = new ByteWriter(64);
    for (let i = 0; i < this.rules.length; i++) {
      const rule = this.rules[i];
      rule.place(scope, onFailure);
      if (rule.responseCost !== null) this.chargesLater = true;
      if (i > 0) policy.add(', ');
      policy.add(rule.policy);
    }
    this.policy = policy.copy();
    return config.end();
  }

  private readList(config: Config, list: JsonValue, cost: JsonValue | null): void {
    if (config.has('limit') || config.has('key') || config.has('name')) {
      faultAt(list, 'name, key and limit belong into its items');
      config.member('limit');
      config.member('key');
      config.member('name');
    }
    const items = config.items('limits');
    if (list.kind == JsonKind.Array && (items.length == 0 || items.length > MOST_RULES)) {
      faultAt(list, 'expected 1 to 8 limits');
    }
    for (let i = 0; i < items.length; i++) {
      const item = Config.of(items[i]);
      const own = item.member('cost');
      const rule = new LimitRule(item, own === null ? cost : own);
      for (let j = 0; j < i; j++) {
        if (sameBytes(rule.quotedName, this.rules[j].quotedName)) {
          faultAt(items[i], 'another limit of this list has its name');
        }
      }
      item.end();
      this.rules.push(rule);
    }
  }
}

function sameBytes(a: ArrayBuffer, b: ArrayBuffer): bool {
  return Bytes.of(changetype<usize>(a), a.byteLength).equals(b);
}
