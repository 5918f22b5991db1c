// Who sends a request, as a filter that admits it tells those behind.
import { Bytes, view } from './bytes';
import { Config, JsonKind, faultAt } from './config';
import { isFieldValue } from './fields';
import { now } from './log';
import { setProperty } from './properties';
import { ByteWriter } from './writer';

const NONE = new ArrayBuffer(0);
const NAME = String.UTF8.encode('consumer.name');
const PLAN = String.UTF8.encode('consumer.plan');
/** Of a credential that does not end. */
const FOR_GOOD: i64 = i64.MAX_VALUE;

/** Names of properties for labels, each once for the module. */
const labelNames: ArrayBuffer[] = [];
const path = new ByteWriter(64);

/** Somebody who sends requests. */
export class Consumer {
  /** Empty: it has none. */
  private plan: ArrayBuffer = NONE;
  /** Properties and their values, in turn. */
  private labels: ArrayBuffer[] = [];

  constructor(public name: ArrayBuffer) {}

  /**
   * Takes `name`, `plan` and `labels` out of an object of a configuration.
   *
   * @param missing what the name is where it is not there; null: it must be
   */
  static read(config: Config, missing: ArrayBuffer | null = null): Consumer {
    const name = config.text('name', missing);
    if (name.byteLength == 0 || !isFieldValue(name)) config.fault('name', 'must be fit for a header field');
    const consumer = new Consumer(name);
    if (config.has('plan')) consumer.plan = config.text('plan');
    if (config.has('labels')) {
      const labels = config.object('labels').all();
      for (let i = 0; i < labels.length; i++) {
        if (labels[i].kind != JsonKind.String) faultAt(labels[i], 'expected a string');
        consumer.labels.push(labelName(labels[i].name));
        consumer.labels.push(labels[i].text);
      }
    }
    return consumer;
  }

  /** Tells filters behind: properties `consumer.name`, `consumer.plan` and `consumer.labels.<label>`. */
  announce(): void {
    announceConsumer(this.name);
    if (this.plan.byteLength > 0) setProperty(PLAN, this.plan);
    const labels = this.labels;
    for (let i = 0; i < labels.length; i += 2) setProperty(unchecked(labels[i]), unchecked(labels[i + 1]));
  }
}

/** Tells filters behind who sent the request, where nothing but a name is known: the property `consumer.name`. */
export function announceConsumer<T>(name: T): void {
  setProperty(NAME, name);
}

function labelName(label: ArrayBuffer): ArrayBuffer {
  const wanted = path.clear().add('consumer.labels.').add(label).view();
  for (let i = 0; i < labelNames.length; i++) if (view(labelNames[i]).equals(wanted)) return labelNames[i];
  const name = wanted.copy();
  labelNames.push(name);
  return name;
}

/**
 * When a credential ends: `notAfter` of an object of a configuration, such as `2027-01-31T00:00:00Z`.
 *
 * @returns milliseconds since 1970; the end of time where it is not there
 */
export function readNotAfter(config: Config): i64 {
  if (!config.has('notAfter')) return FOR_GOOD;
  const time = parseTime(view(config.text('notAfter')));
  if (time < 0) config.fault('notAfter', 'expected a time such as 2027-01-31T00:00:00Z');
  return time;
}

/** Whether a credential has ended; one that does not end costs no look at the clock. */
export function isOver(notAfter: i64): bool {
  return notAfter != FOR_GOOD && now() / 1_000_000 > notAfter;
}

/** Milliseconds since 1970 of a time in UTC (RFC 3339); -1 where it is none, or before 1970. */
function parseTime(text: Bytes): i64 {
  if (text.length < 20 || text.at(4) != 45 || text.at(7) != 45 || text.at(10) != 84) return -1;
  if (text.at(13) != 58 || text.at(16) != 58 || text.at(text.length - 1) != 90) return -1;
  const year = text.slice(0, 4).toUnsigned();
  const month = text.slice(5, 7).toUnsigned();
  const day = text.slice(8, 10).toUnsigned();
  const hour = text.slice(11, 13).toUnsigned();
  const minute = text.slice(14, 16).toUnsigned();
  const second = text.slice(17, 19).toUnsigned();
  if (year < 1970 || month < 1 || month > 12 || day < 1 || day > 31) return -1;
  if (hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 60) return -1;
  // A fraction of a second is read and passed over.
  if (text.length > 20) {
    if (text.at(19) != 46 || text.length < 22) return -1;
    for (let i = 20; i < text.length - 1; i++) if (<u32>(text.at(i) - 48) > 9) return -1;
  }
  return (((daysTo(year, month, day) * 24 + hour) * 60 + minute) * 60 + second) * 1000;
}

/** Days from 1970 to a date; years begin with March, so that the leap day is the last. */
function daysTo(year: i64, month: i64, day: i64): i64 {
  const y = month > 2 ? year : year - 1;
  const ofYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
  return y * 365 + y / 4 - y / 100 + y / 400 + ofYear - 719_468;
}
