import { Bytes, ByteWriter, Reply, utf8, view } from '@weir/filters-sdk/assembly';
import { Config, JsonKind, JsonValue, faultAt } from '@weir/filters-sdk/assembly/config';
import { escaped } from '@weir/filters-sdk/assembly/plans';
import { QuotaDecision, QuotaSet } from '@weir/filters-sdk/assembly/quotas';

/** Amounts stay exact. */
export const MOST: i64 = 9007199254740991;
const MOST_QUOTAS = 16;
const text = new ByteWriter(128);
const WINDOWS = ['month', 'hour', 'day', 'week', 'year'];

/** Quotas that a request must have room in, all of them. */
export class Plan {
  set: QuotaSet = new QuotaSet();
  /** In quotes, as they stand in fields. */
  private quoted: ArrayBuffer[] = [];
  /** What a request is answered that the quota refuses. */
  private refusals: Reply[] = [];
  /** What stands in `quota.refused_by` then: `gold#calls`, or `calls` without a plan. */
  private labels: ArrayBuffer[] = [];

  /**
   * @param name empty: these quotas are of no plan
   * @param inCluster count with all that use the Store
   * @param chargeIfLost charge what was kept back in a worker that dies
   */
  static read(name: ArrayBuffer, items: JsonValue[], inCluster: bool, chargeIfLost: bool): Plan {
    const plan = new Plan();
    plan.set.plan = name;
    plan.set.inCluster = inCluster;
    plan.set.chargeIfLost = chargeIfLost;
    for (let i = 0; i < items.length; i++) {
      if (i == MOST_QUOTAS) faultAt(items[i], 'expected at most 16 quotas');
      else plan.add(items[i]);
    }
    return plan;
  }

  private add(value: JsonValue): void {
    const config = Config.of(value);
    const name = config.text('name');
    const limit = config.integer('limit', 0, MOST, -1);
    const window = WINDOWS[config.choice('window', WINDOWS)];
    const zone = config.text('timezone', utf8('UTC'));
    const soft = amount(config, 'soft', limit);
    const grace = amount(config, 'grace', limit);
    config.end();
    if (!isName(view(name))) {
      config.fault('name', '1 to 64 printable characters without " and \\');
      return;
    }
    const quoted = new ByteWriter(64).add('"').add(name).add('"').copy();
    for (let i = 0; i < this.quoted.length; i++) {
      if (view(quoted).equals(this.quoted[i])) config.fault('name', 'a quota of this name is here already');
    }
    this.quoted.push(quoted);
    this.set.add(name, limit, soft, grace, window, zone);
    const own = String.UTF8.decode(name);
    const plan = this.set.plan;
    let detail = 'the quota ' + own;
    let members = '"quota":"' + own + '"';
    if (plan.byteLength > 0) {
      detail += ' of the plan ' + escaped(plan);
      members += ',"plan":"' + escaped(plan) + '"';
    }
    this.refusals.push(
      Reply.problem(429, 'Too Many Requests', detail + ' is used up', 'quota_exceeded', members),
    );
    const label = new ByteWriter(64);
    if (plan.byteLength > 0) label.add(plan).add('#');
    this.labels.push(label.add(name).copy());
  }

  label(index: i32): ArrayBuffer {
    return this.labels[index];
  }

  /** In quotes. */
  nameOf(index: i32): string {
    return String.UTF8.decode(this.quoted[index]);
  }

  /** For `onExplain`: whose quotas they are. */
  get title(): string {
    const plan = this.set.plan;
    return plan.byteLength == 0 ? '' : 'plan ' + String.UTF8.decode(plan) + ': ';
  }

  /** What is left of each, as clients are told: `"calls";r=10;t=3600`. */
  state(decision: QuotaDecision): string {
    this.writeState(decision, text);
    return text.view().toString();
  }

  refusal(index: i32): Reply {
    return this.refusals[index];
  }

  /** `"name";q=100;w=86400`, for each. */
  writePolicy(decision: QuotaDecision, to: ByteWriter): void {
    to.clear();
    for (let i = 0; i < decision.count; i++) {
      if (i > 0) to.add(', ');
      to.add(this.quoted[i]).add(';q=').addNumber(decision.limit(i));
      to.add(';w=').addNumber(decision.windowSeconds(i));
    }
  }

  /** `"name";r=10;t=3600`, for each. */
  writeState(decision: QuotaDecision, to: ByteWriter): void {
    to.clear();
    for (let i = 0; i < decision.count; i++) {
      if (i > 0) to.add(', ');
      to.add(this.quoted[i]).add(';r=').addNumber(decision.remaining(i));
      to.add(';t=').addNumber(decision.resetSeconds(i));
    }
  }

  /** `"name";remaining=10` of those that have reached their soft limit, `"name";exceeded` beyond the limit. */
  writeWarning(decision: QuotaDecision, to: ByteWriter): void {
    to.clear();
    for (let i = 0; i < decision.count; i++) {
      const isOver = decision.inGrace(i);
      if (!isOver && !decision.softReached(i)) continue;
      if (to.length > 0) to.add(', ');
      to.add(this.quoted[i]);
      if (isOver) to.add(';exceeded');
      else to.add(';remaining=').addNumber(decision.remaining(i));
    }
  }
}

/** A number, or a percentage of the limit, rounded up; 0 where it is not there. */
function amount(config: Config, name: string, limit: i64): i64 {
  const value = config.member(name);
  if (value === null) return 0;
  if (value.kind == JsonKind.String) {
    const text = view(value.text);
    const percent = text.endsWith('%') ? text.slice(0, text.length - 1).toUnsigned() : -1;
    if (percent >= 0 && percent <= 1000) return <i64>ceil((<f64>max<i64>(limit, 0) * <f64>percent) / 100);
  } else if (value.kind == JsonKind.Number) {
    const number = value.number;
    if (number >= 0 && number <= <f64>MOST && number == floor(number)) return <i64>number;
  }
  faultAt(value, 'expected a whole number or a percentage such as "80%"');
  return 0;
}

/** What may stand in a structured field's string, and between tabs. */
function isName(bytes: Bytes): bool {
  for (let i = 0; i < bytes.length; i++) {
    const byte = bytes.at(i);
    if (byte < 32 || byte > 126 || byte == 34 || byte == 92) return false;
  }
  return bytes.length > 0 && bytes.length <= 64;
}
