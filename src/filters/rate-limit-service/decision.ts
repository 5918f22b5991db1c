// The answer of the service: `RateLimitResponse` of envoy.service.ratelimit.v3, by the numbers of its fields.
import { ByteWriter, Bytes, HeaderMap, PairsWriter, utf8, view } from '@weir/filters-sdk/assembly';
import { fieldName, isFieldValue, isQuotable } from '@weir/filters-sdk/assembly/fields';
import { Fields, bytesIn, numberIn } from '@weir/filters-sdk/assembly/protobuf';

/** `Code`, by its numbers. */
const OK = 1;
const OVER_LIMIT = 2;

export enum Outcome {
  Allowed,
  Denied,
  /** There is no decision: the service failed, or did not say. */
  Failed,
}

const NOTHING = new ArrayBuffer(0);
const SEPARATOR = utf8(', ');
const WINDOW = utf8(';w=');

/** Of one descriptor that a limit is for. */
class Status {
  isOver: bool = false;
  requests: u32 = 0;
  /** Seconds of its unit; 0: it has none. */
  window: u32 = 0;
  /** As the service calls the limit; empty: not at all. */
  name: ArrayBuffer = NOTHING;
  remaining: u32 = 0;
  /** Until what was used is there again; rounded down, as Envoy does, and up. */
  resetSeconds: u64 = 0;
  resetCeiling: u64 = 0;
}

/** What the service says of a request. */
export class Decision {
  outcome: Outcome = Outcome.Failed;
  body: ArrayBuffer = NOTHING;
  /** Names and values, one behind the other. */
  private requestFields: ArrayBuffer[] = [];
  private answerFields: ArrayBuffer[] = [];
  /** By the descriptors that were asked about; null: no limit is for it. */
  private statuses: (Status | null)[] = [];

  static of(message: Bytes): Decision {
    const decision = new Decision();
    let code: u64 = 0;
    const fields = new Fields(message);
    while (fields.next()) {
      if (fields.field == 1) code = fields.number;
      else if (fields.field == 2) decision.statuses.push(statusOf(fields.value));
      else if (fields.field == 3) addPair(decision.answerFields, fields.value);
      else if (fields.field == 4) addPair(decision.requestFields, fields.value);
      else if (fields.field == 5) decision.body = fields.value.copy();
    }
    // What cannot be read is no decision.
    if (fields.damaged) return decision;
    if (code == OK) decision.outcome = Outcome.Allowed;
    else if (code == OVER_LIMIT) decision.outcome = Outcome.Denied;
    return decision;
  }

  changeRequest(headers: HeaderMap): void {
    const pairs = this.requestFields;
    for (let i = 0; i + 1 < pairs.length; i += 2) headers.add(pairs[i], pairs[i + 1]);
  }

  addAnswerFields(fields: PairsWriter): void {
    const pairs = this.answerFields;
    for (let i = 0; i + 1 < pairs.length; i += 2) fields.add(pairs[i], pairs[i + 1]);
  }

  get setsType(): bool {
    const pairs = this.answerFields;
    for (let i = 0; i < pairs.length; i += 2) if (view(pairs[i]).equals('content-type')) return true;
    return false;
  }

  /**
   * `"name";q=100;w=60, …`. Nothing where no limit is for the request.
   *
   * @param names of the descriptors that were asked about, for limits without a name
   */
  writePolicy(names: ArrayBuffer[], into: ByteWriter): void {
    for (let i = 0; i < this.statuses.length; i++) {
      const status = this.statuses[i];
      if (status === null) continue;
      if (into.length > 0) into.add(SEPARATOR);
      addName(status, names, i, into);
      into.add(';q=').addNumber(status.requests);
      if (status.window > 0) into.add(WINDOW).addNumber(status.window);
    }
  }

  /** `"name";r=50;t=30, …`. */
  writeState(names: ArrayBuffer[], into: ByteWriter): void {
    for (let i = 0; i < this.statuses.length; i++) {
      const status = this.statuses[i];
      if (status === null) continue;
      if (into.length > 0) into.add(SEPARATOR);
      addName(status, names, i, into);
      into.add(';r=').addNumber(status.remaining).add(';t=').addNumber(status.resetCeiling);
    }
  }

  /** Seconds after which what was refused may be let in; 0: the service does not say. */
  get retryAfter(): u64 {
    let longest: u64 = 0;
    for (let i = 0; i < this.statuses.length; i++) {
      const status = this.statuses[i];
      if (status !== null && status.isOver) longest = max(longest, status.resetCeiling);
    }
    return longest;
  }

  /** The limit that leaves least is the one that X-RateLimit tells of. */
  get tightest(): Status | null {
    let least: Status | null = null;
    for (let i = 0; i < this.statuses.length; i++) {
      const status = this.statuses[i];
      if (status !== null && (least === null || status.remaining < least.remaining)) least = status;
    }
    return least;
  }

  /** `100, 100;w=60;name="x"`: the tightest, and all. */
  writeLimits(tightest: u32, into: ByteWriter): void {
    into.addNumber(tightest);
    for (let i = 0; i < this.statuses.length; i++) {
      const status = this.statuses[i];
      if (status === null || status.window == 0) continue;
      into.add(SEPARATOR).addNumber(status.requests).add(WINDOW).addNumber(status.window);
      if (status.name.byteLength > 0) into.add(';name="').add(status.name).addByte(34);
    }
  }
}

function addName(status: Status, names: ArrayBuffer[], index: i32, into: ByteWriter): void {
  into.addByte(34);
  if (status.name.byteLength > 0) into.add(status.name);
  else if (index < names.length) into.add(names[index]);
  into.addByte(34);
}

/** `DescriptorStatus`; null where it names no limit. */
function statusOf(message: Bytes): Status | null {
  const status = new Status();
  let hasLimit = false;
  const fields = new Fields(message);
  while (fields.next()) {
    const value = fields.value;
    if (fields.field == 1) status.isOver = fields.number == OVER_LIMIT;
    else if (fields.field == 2) {
      hasLimit = true;
      status.requests = <u32>numberIn(value, 1);
      status.window = secondsOf(<u32>numberIn(value, 2));
      const name = bytesIn(value, 3);
      if (isQuotable(name)) status.name = name;
    } else if (fields.field == 3) status.remaining = <u32>fields.number;
    else if (fields.field == 4) {
      status.resetSeconds = numberIn(value, 1);
      status.resetCeiling = status.resetSeconds + u64(numberIn(value, 2) > 0);
    }
  }
  return hasLimit ? status : null;
}

/** Of `RateLimit.Unit`, a month with 30 days and a year with 365, as Envoy counts. */
function secondsOf(unit: u32): u32 {
  switch (unit) {
    case 1:
      return 1;
    case 2:
      return 60;
    case 3:
      return 3600;
    case 4:
      return 86_400;
    case 5:
      return 2_592_000;
    case 6:
      return 31_536_000;
    case 7:
      return 604_800;
    default:
      return 0;
  }
}

/** `HeaderValue`. What is no field that filters may write is left out. */
function addPair(pairs: ArrayBuffer[], message: Bytes): void {
  const name = fieldName(bytesIn(message, 1));
  let value = bytesIn(message, 2);
  if (value.byteLength == 0) value = bytesIn(message, 3);
  if (name === null || !isFieldValue(value)) return;
  pairs.push(name);
  pairs.push(value);
}
