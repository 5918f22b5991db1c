import { Bytes, HeaderMap, utf8, view } from '@weir/filters-sdk/assembly';
import { Config, JsonKind, JsonValue, faultAt } from '@weir/filters-sdk/assembly/config';
import { fieldName } from '@weir/filters-sdk/assembly/fields';
import { Directives } from './directives';

const CACHE_CONTROL = utf8('cache-control');
const EXPIRES = utf8('expires');
const PRAGMA = utf8('pragma');
const SET_COOKIE = utf8('set-cookie');
const VARY = utf8('vary');
const CONTENT_TYPE = utf8('content-type');
/** What may be kept without a word, and what says that a kept answer is good still. */
const STATUSES: i32[] = [200, 203, 206, 300, 301, 304, 308];

/** A field and its value. */
class Field {
  constructor(
    public name: ArrayBuffer,
    public value: ArrayBuffer,
  ) {}
}

/** Which answers it is for, and what it says of them. */
export class Rule {
  private paths: ArrayBuffer[] = [];
  private extensions: ArrayBuffer[] = [];
  private types: ArrayBuffer[] = [];
  private statuses: i32[] = STATUSES;
  private fields: Field[] = [];
  private vary: ArrayBuffer[] = [];
  private shared: bool = false;
  private replaces: bool = false;
  private removeSetCookie: bool = false;
  /** Answers to requests with Authorization too. */
  private authorized: bool = false;

  static read(value: JsonValue): Rule {
    const config = Config.of(value);
    const rule = new Rule();
    readTexts(config, 'paths', rule.paths, '/');
    readTexts(config, 'extensions', rule.extensions, '');
    readTexts(config, 'contentTypes', rule.types, '');
    if (config.has('statuses')) rule.statuses = readStatuses(config.items('statuses'));
    if (config.has('cacheControl'))
      rule.addField(CACHE_CONTROL, Directives.read(config.object('cacheControl')));
    const targeted = config.object('targeted').all();
    for (let i = 0; i < targeted.length; i++) {
      const name = fieldName(targeted[i].name);
      const directives = Config.of(targeted[i]);
      if (name === null) faultAt(targeted[i], 'not the name of a field that filters may change');
      else rule.addField(name, Directives.read(directives));
      directives.end();
    }
    const vary = config.items('vary');
    for (let i = 0; i < vary.length; i++) {
      const name = vary[i].kind == JsonKind.String ? fieldName(vary[i].text) : null;
      if (name === null) faultAt(vary[i], 'expected the name of a field');
      else rule.vary.push(name);
    }
    rule.replaces = config.boolean('override', false);
    rule.removeSetCookie = config.boolean('removeSetCookie', false);
    rule.authorized = config.boolean('authorized', false);
    if (rule.fields.length == 0 && rule.vary.length == 0)
      faultAt(value, 'needs "cacheControl", "targeted" or "vary"');
    if (rule.removeSetCookie && !rule.shared)
      config.fault('removeSetCookie', 'is for what shared caches may keep, and nothing here lets them');
    config.end();
    return rule;
  }

  private addField(name: ArrayBuffer, directives: Directives): void {
    this.fields.push(new Field(name, directives.text.copy()));
    if (directives.shared) this.shared = true;
  }

  /** @param path without the query */
  fitsRequest(path: Bytes, authorized: bool): bool {
    if (authorized && this.shared && !this.authorized) return false;
    return this.hasPath(path) && this.hasExtension(path);
  }

  private hasPath(path: Bytes): bool {
    for (let i = 0; i < this.paths.length; i++) {
      const known = view(this.paths[i]);
      if (!path.startsWith(known)) continue;
      const isWhole = path.length == known.length || known.at(known.length - 1) == 47;
      if (isWhole || path.at(known.length) == 47) return true;
    }
    return this.paths.length == 0;
  }

  private hasExtension(path: Bytes): bool {
    const dot = path.lastIndexOf(46);
    if (dot > path.lastIndexOf(47)) {
      const extension = path.slice(dot + 1);
      for (let i = 0; i < this.extensions.length; i++)
        if (extension.equalsIgnoreCase(this.extensions[i])) return true;
    }
    return this.extensions.length == 0;
  }

  fitsAnswer(status: i32, answer: HeaderMap): bool {
    if (!this.statuses.includes(status) && !this.statuses.includes(status / 100)) return false;
    // What sets a cookie is somebody's own.
    if (this.shared && !this.removeSetCookie && answer.has(SET_COOKIE)) return false;
    if (this.types.length == 0) return true;
    const type = answer.get(CONTENT_TYPE);
    if (type === null) return false;
    const end = type.indexOf(59);
    const media = (end < 0 ? type : type.slice(0, end)).trim();
    for (let i = 0; i < this.types.length; i++) if (isMedia(media, view(this.types[i]))) return true;
    return false;
  }

  apply(answer: HeaderMap): void {
    const kept = !this.replaces && (answer.has(CACHE_CONTROL) || answer.has(EXPIRES));
    if (!kept) {
      for (let i = 0; i < this.fields.length; i++) answer.set(this.fields[i].name, this.fields[i].value);
      if (this.replaces && this.fields.length > 0) {
        answer.remove(EXPIRES);
        answer.remove(PRAGMA);
      }
      if (this.removeSetCookie) answer.remove(SET_COOKIE);
    }
    for (let i = 0; i < this.vary.length; i++) addVary(answer, this.vary[i]);
  }
}

function addVary(answer: HeaderMap, name: ArrayBuffer): void {
  const fields = answer.all();
  while (fields.nextNamed(VARY)) {
    for (let from = 0; from <= fields.value.length;) {
      const comma = fields.value.indexOf(44, from);
      const end = comma < 0 ? fields.value.length : comma;
      const known = fields.value.slice(from, end).trim();
      if (known.equalsIgnoreCase(name) || (known.length == 1 && known.at(0) == 42)) return;
      from = end + 1;
    }
  }
  answer.add(VARY, name);
}

/** `image/*` stands for all of them. */
function isMedia(media: Bytes, known: Bytes): bool {
  const star = known.length - 1;
  if (known.at(star) == 42) return media.slice(0, star).equalsIgnoreCase(known.slice(0, star));
  return media.equalsIgnoreCase(known);
}

function readTexts(config: Config, member: string, into: ArrayBuffer[], prefix: string): void {
  const items = config.items(member);
  for (let i = 0; i < items.length; i++) {
    const item = items[i];
    if (item.kind != JsonKind.String || item.text.byteLength == 0 || !view(item.text).startsWith(prefix))
      faultAt(item, prefix.length > 0 ? 'expected a path' : 'expected a text');
    else into.push(item.text);
  }
}

/** 200 for one, 2 for the class. */
function readStatuses(items: JsonValue[]): i32[] {
  const statuses: i32[] = [];
  for (let i = 0; i < items.length; i++) {
    const item = items[i];
    const number = <i32>item.number;
    if (item.kind == JsonKind.Number && number >= 200 && number <= 599 && item.number == <f64>number)
      statuses.push(number);
    else if (item.is('2xx') || item.is('3xx') || item.is('4xx') || item.is('5xx'))
      statuses.push(<i32>load<u8>(changetype<usize>(item.text)) - 48);
    else faultAt(item, 'expected a status such as 200, or 2xx, 3xx, 4xx, 5xx');
  }
  return statuses;
}
