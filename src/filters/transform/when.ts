import { Bytes, HeaderMap, lower, view } from '@weir/filters-sdk/assembly';
import { Config, JsonKind, JsonValue, faultAt } from '@weir/filters-sdk/assembly/config';
import { isBelow } from '@weir/filters-sdk/assembly/url';

/** Which messages a rule is for. What is not named is not asked about. */
export class When {
  private methods: ArrayBuffer[] = [];
  private paths: ArrayBuffer[] = [];
  private types: ArrayBuffer[] = [];
  /** Two for each: the least and the most. */
  private statuses: i32[] = [];

  static read(config: Config, isResponse: bool): When {
    const when = new When();
    const methods = config.items('methods');
    for (let i = 0; i < methods.length; i++) if (isText(methods[i])) when.methods.push(methods[i].text);
    const paths = config.items('paths');
    for (let i = 0; i < paths.length; i++) {
      const item = paths[i];
      if (!isText(item)) continue;
      if (view(item.text).at(0) != 47) faultAt(item, 'expected a path');
      when.paths.push(item.text);
    }
    const types = config.items('contentTypes');
    for (let i = 0; i < types.length; i++) {
      const item = types[i];
      if (!isText(item)) continue;
      if (!isMediaRange(view(item.text)))
        faultAt(item, 'expected a media type in lower case, such as text/* or application/*+json');
      when.types.push(item.text);
    }
    if (!isResponse) return when;
    const statuses = config.items('statuses');
    for (let i = 0; i < statuses.length; i++) when.readStatus(statuses[i]);
    return when;
  }

  private readStatus(item: JsonValue): void {
    if (item.kind == JsonKind.Number && item.number >= 200 && item.number <= 599) {
      if (item.number == floor(item.number)) {
        this.statuses.push(<i32>item.number);
        this.statuses.push(<i32>item.number);
        return;
      }
    } else if (item.kind == JsonKind.String && item.text.byteLength == 3) {
      const text = view(item.text);
      const hundreds = text.at(0) - 48;
      if (hundreds >= 2 && hundreds <= 5 && text.endsWith('xx')) {
        this.statuses.push(100 * hundreds);
        this.statuses.push(100 * hundreds + 99);
        return;
      }
    }
    faultAt(item, 'expected a status such as 404, or 4xx');
  }

  get hasTypes(): bool {
    return this.types.length > 0;
  }

  /** @param path without the query */
  holdsFor(method: Bytes, path: Bytes): bool {
    let holds = this.methods.length == 0;
    for (let i = 0; !holds && i < this.methods.length; i++) holds = method.equals(this.methods[i]);
    if (!holds || this.paths.length == 0) return holds;
    for (let i = 0; i < this.paths.length; i++) if (isBelow(path, view(this.paths[i]))) return true;
    return false;
  }

  holdsForStatus(status: i32): bool {
    const statuses = this.statuses;
    for (let i = 0; i < statuses.length; i += 2) {
      if (status >= statuses[i] && status <= statuses[i + 1]) return true;
    }
    return statuses.length == 0;
  }

  /** Any of the types that a message names, should it name several. */
  holdsForTypes(headers: HeaderMap): bool {
    if (this.types.length == 0) return true;
    const fields = headers.all();
    while (fields.nextNamed('content-type')) {
      const type = mediaType(fields.value);
      for (let i = 0; i < this.types.length; i++) if (isInRange(type, view(this.types[i]))) return true;
    }
    return false;
  }
}

/** What stands before the parameters. */
export function mediaType(value: Bytes): Bytes {
  const end = value.indexOf(59);
  return value.slice(0, end < 0 ? value.length : end).trim();
}

/** One star stands for anything, as in `application/*+json`; `*` and `*` with a slash for everything. */
export function isInRange(type: Bytes, range: Bytes): bool {
  const star = range.indexOf(42);
  if (star < 0) return type.equalsIgnoreCase(range);
  if (range.equals('*/*')) return true;
  const suffix = range.slice(star + 1);
  if (type.length < range.length - 1) return false;
  if (!type.slice(0, star).equalsIgnoreCase(range.slice(0, star))) return false;
  return type.slice(type.length - suffix.length).equalsIgnoreCase(suffix);
}

function isMediaRange(text: Bytes): bool {
  const slash = text.indexOf(47);
  if (slash < 1 || slash == text.length - 1) return false;
  if (text.equals('*/*')) return true;
  let stars = 0;
  for (let i = 0; i < text.length; i++) {
    const byte = text.at(i);
    if (byte == 42 && (i < slash || ++stars > 1)) return false;
    if (byte <= 32 || byte >= 127 || byte == 59 || byte == 44 || lower(byte) != byte) return false;
  }
  return true;
}

function isText(value: JsonValue): bool {
  if (value.kind == JsonKind.String && value.text.byteLength > 0) return true;
  faultAt(value, 'expected a text');
  return false;
}
