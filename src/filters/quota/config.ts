import { Attribute, parseAttribute } from '@weir/filters-sdk/assembly/attributes';
import { ByteWriter, encode, utf8, view } from '@weir/filters-sdk/assembly';
import { Config, JsonKind, JsonValue, faultAt, readConfig } from '@weir/filters-sdk/assembly/config';
import { Plans } from '@weir/filters-sdk/assembly/plans';
import { Charge } from './charge';
import { Plan } from './plan';

/** What is not written to a ledger that people read. */
const CREDENTIALS = [
  'request.headers.authorization',
  'request.headers.proxy-authorization',
  'request.headers.cookie',
  'request.headers.x-api-key',
];

const key = new ByteWriter(256);
const id = new ByteWriter(128);

export class QuotaConfig {
  charge: Charge = new Charge();
  headers: bool = true;
  /** Requests go through while the quota cannot be checked. */
  failOpen: bool = false;
  warning: ArrayBuffer = new ArrayBuffer(0);
  /** What requests are held to. */
  plans: Plans<Plan> = new Plans<Plan>('quota_no_plan');
  /** All that use the Store count together. */
  private inCluster: bool = false;
  private attributes: Attribute[] = [];
  private idempotency: Attribute | null = null;

  read(configuration: ArrayBuffer): bool {
    const config = readConfig(configuration);
    const items = config.items('key');
    for (let i = 0; i < items.length; i++) {
      const attribute = this.readAttribute(items[i]);
      if (attribute !== null) this.attributes.push(attribute);
    }
    if (config.has('idempotencyKey')) {
      const value = config.member('idempotencyKey')!;
      this.idempotency = this.readAttribute(value);
    }
    this.headers = config.boolean('headers', true);
    this.failOpen = config.choice('onStoreFailure', ['Deny', 'Allow']) == 1;
    this.inCluster = config.choice('scope', ['node', 'cluster']) == 1;
    this.warning = config.text('warningHeader', utf8('x-quota-warning'));
    this.charge.read(config.object('charge'));
    this.readPlans(config);
    return config.end();
  }

  private readAttribute(value: JsonValue): Attribute | null {
    if (value.kind != JsonKind.String) {
      faultAt(value, 'expected the name of an attribute');
      return null;
    }
    const name = view(value.text);
    for (let i = 0; i < CREDENTIALS.length; i++) {
      if (!name.equalsIgnoreCase(CREDENTIALS[i])) continue;
      faultAt(value, 'a credential would be written to the ledger; use consumer.name');
      return null;
    }
    if (name.startsWith('response.') || name.startsWith('upstream.')) {
      faultAt(value, 'not known yet when the request comes');
      return null;
    }
    // Else a client would get a new quota for each query that it thinks of.
    const attribute = value.is('request.path')
      ? parseAttribute(encode('request.url_path'))
      : parseAttribute(name);
    if (attribute === null) faultAt(value, 'unknown attribute');
    return attribute;
  }

  private readPlans(config: Config): void {
    const isInline = config.has('quotas');
    if (isInline == config.has('plan')) {
      faultAt(config.value, 'either "quotas" or "plan" is required');
      return;
    }
    if (isInline) {
      this.plans.always(this.planOf(new ArrayBuffer(0), config));
      return;
    }
    const members = config.object('plans').all();
    for (let i = 0; i < members.length; i++) {
      const member = Config.of(members[i]);
      member.required('quotas');
      this.plans.add(members[i], this.planOf(members[i].name, member));
      member.end();
    }
    this.plans.choose(config);
  }

  private planOf(name: ArrayBuffer, config: Config): Plan {
    return Plan.read(name, config.items('quotas'), this.inCluster, this.charge.ifLost);
  }

  /** The key of the running request: attributes with a NUL between. Those that are missing are empty. */
  writeKey(): ByteWriter {
    key.clear();
    const attributes = this.attributes;
    for (let i = 0; i < attributes.length; i++) {
      if (i > 0) key.addByte(0);
      unchecked(attributes[i]).write(key);
    }
    return key;
  }

  /** What its client calls the charge; empty where it does not. */
  writeId(): ByteWriter {
    id.clear();
    const idempotency = this.idempotency;
    if (idempotency !== null) idempotency.write(id);
    return id;
  }
}
