import { Bytes, utf8, view } from '@weir/filters-sdk/assembly';
import { Config, JsonKind, JsonValue, faultAt, readConfig } from '@weir/filters-sdk/assembly/config';
import { JsonLimits } from '@weir/filters-sdk/assembly/json-scan';
import { Costs } from './costs';
import { Kind } from './document';
import { Persisted } from './persisted';

const MOST_KEYS = 1000;
/** JSON around and in variables. */
const MOST_JSON_DEPTH = 32;
const KINDS = ['query', 'mutation', 'subscription'];

export class GraphqlConfig {
  private paths: ArrayBuffer[] = [];
  maxBytes: i32 = 0;
  json: JsonLimits | null = null;
  maxDepth: i32 = 10;
  maxCost: i64 = 1000;
  maxAliases: i64 = 15;
  maxRootFields: i64 = 20;
  maxDirectives: i64 = 20;
  maxTokens: i32 = 1000;
  maxBatch: i32 = 1;
  introspection: bool = false;
  readonly costs: Costs = new Costs();
  persisted: Persisted | null = null;
  /** By kind. */
  private kinds: bool[] = [false, false, false];

  read(configuration: ArrayBuffer): bool {
    const config = readConfig(configuration);
    this.readPaths(config.items('paths'));
    const body = config.object('body', true);
    this.maxBytes = <i32>body.integer('maxBytes', 1, 1_000_000, 0);
    this.json = new JsonLimits(MOST_JSON_DEPTH, MOST_KEYS, this.maxBytes);
    const limits = config.object('limits');
    this.maxDepth = <i32>limits.integer('depth', 1, 100, 10);
    this.maxCost = limits.integer('cost', 1, 1_000_000_000, 1000);
    this.maxAliases = limits.integer('aliases', 0, 10_000, 15);
    this.maxRootFields = limits.integer('rootFields', 1, 10_000, 20);
    this.maxDirectives = limits.integer('directives', 0, 10_000, 20);
    this.maxTokens = <i32>limits.integer('tokens', 1, 10_000, 1000);
    this.maxBatch = <i32>limits.integer('batch', 1, 100, 1);
    this.introspection = config.choice('introspection', ['Deny', 'Allow']) == 1;
    this.readKinds(config.items('operations'));
    this.readCosts(config.object('costs'));
    if (config.has('persisted')) this.readPersisted(config.object('persisted'));
    return config.end();
  }

  private readPaths(items: JsonValue[]): void {
    for (let i = 0; i < items.length; i++) {
      const item = items[i];
      if (item.kind != JsonKind.String || item.text.byteLength == 0 || view(item.text).at(0) != 47)
        faultAt(item, 'expected a path');
      this.paths.push(item.text);
    }
    if (items.length == 0) this.paths.push(utf8('/graphql'));
  }

  private readKinds(items: JsonValue[]): void {
    for (let i = 0; i < items.length; i++) {
      let found = -1;
      for (let k = 0; k < KINDS.length; k++) if (items[i].is(KINDS[k])) found = k;
      if (found < 0) faultAt(items[i], 'expected one of: query, mutation, subscription');
      else this.kinds[found] = true;
    }
    if (items.length == 0) this.kinds[Kind.Query] = this.kinds[Kind.Mutation] = true;
  }

  private readCosts(costs: Config): void {
    this.costs.setUsual(costs.integer('default', 0, 1_000_000, 1));
    if (costs.has('fields')) {
      const fields = costs.object('fields').all();
      for (let i = 0; i < fields.length; i++) this.costs.addField(fields[i]);
    }
    const names = costs.items('multipliers');
    for (let i = 0; i < names.length; i++) {
      if (names[i].kind != JsonKind.String) faultAt(names[i], 'expected the name of an argument');
      this.costs.addMultiplier(names[i].text);
    }
    if (costs.has('multipliers')) return;
    this.costs.addMultiplier(utf8('first'));
    this.costs.addMultiplier(utf8('last'));
    this.costs.addMultiplier(utf8('limit'));
  }

  private readPersisted(config: Config): void {
    const persisted = new Persisted();
    const items = config.items('sha256');
    for (let i = 0; i < items.length; i++)
      if (items[i].kind != JsonKind.String || !persisted.add(view(items[i].text)))
        faultAt(items[i], 'expected 64 hexadecimal digits');
    if (items.length == 0) config.fault('sha256', 'must not be empty');
    this.persisted = persisted;
  }

  isFor(path: Bytes): bool {
    for (let i = 0; i < this.paths.length; i++) if (path.equals(this.paths[i])) return true;
    return false;
  }

  allows(kind: Kind): bool {
    return this.kinds[kind];
  }

  static nameOf(kind: Kind): string {
    return KINDS[kind];
  }
}
