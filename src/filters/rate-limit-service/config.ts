import { Config, faultAt, readConfig } from '@weir/filters-sdk/assembly/config';
import { Cost, Descriptor } from './descriptor';

/** As many as a service answers without trouble, and the host counts in one call. */
const MOST_DESCRIPTORS = 8;

/** What happens to requests that the service says nothing about. */
export enum OnServiceFailure {
  Deny,
  Allow,
  Local,
}

export class ServiceConfig {
  upstream: ArrayBuffer = new ArrayBuffer(0);
  domain: ArrayBuffer = new ArrayBuffer(0);
  timeoutMs: u32 = 20;
  descriptors: Descriptor[] = [];
  /** Of the whole request; null: one hit, which is the protocol's default. */
  cost: Cost | null = null;
  onFailure: OnServiceFailure = OnServiceFailure.Deny;
  /** `RateLimit` and `RateLimit-Policy`. */
  headers: bool = true;
  /** `X-RateLimit-Limit`, `-Remaining` and `-Reset`, as Envoy writes them. */
  xHeaders: bool = false;

  read(configuration: ArrayBuffer): bool {
    const config = readConfig(configuration);
    this.upstream = config.text('upstream');
    this.domain = config.text('domain');
    if (config.has('domain') && this.domain.byteLength == 0) config.fault('domain', 'must not be empty');
    this.timeoutMs = <u32>config.duration('timeout', 1, 30_000, 20);
    const cost = config.member('cost');
    if (cost !== null) this.cost = new Cost(cost);
    this.onFailure = <OnServiceFailure>config.choice('onServiceFailure', ['Deny', 'Allow', 'Local']);
    this.headers = config.boolean('headers', true);
    this.xHeaders = config.boolean('xHeaders', false);
    this.readDescriptors(config);
    return config.end();
  }

  private readDescriptors(config: Config): void {
    const items = config.items('descriptors');
    if (items.length == 0 || items.length > MOST_DESCRIPTORS)
      config.fault('descriptors', 'expected 1 to 8 descriptors');
    let counts = false;
    for (let i = 0; i < items.length; i++) {
      const descriptor = new Descriptor(Config.of(items[i]));
      this.descriptors.push(descriptor);
      if (descriptor.local === null) continue;
      counts = true;
      if (this.onFailure != OnServiceFailure.Local)
        faultAt(items[i], 'only onServiceFailure: Local counts by "local"');
    }
    if (this.onFailure == OnServiceFailure.Local && !counts)
      config.fault('onServiceFailure', 'Local needs a descriptor with "local", to count by');
  }
}
