import { Bytes, ByteWriter, isToken, lower, view } from '@weir/filters-sdk/assembly';
import { Config, JsonKind, JsonValue, faultAt, readConfig } from '@weir/filters-sdk/assembly/config';

const NONE = new ArrayBuffer(0);
const NULL = String.UTF8.encode('null');

/** `https://*.example.com`, in two parts. */
class Wildcard {
  constructor(
    public before: ArrayBuffer,
    public after: ArrayBuffer,
  ) {}

  /** One label or more in the place of the star, and nothing but what a host name consists of. */
  matches(origin: Bytes): bool {
    const length = origin.length - this.before.byteLength - this.after.byteLength;
    if (length < 1 || !origin.startsWith(this.before) || !origin.endsWith(this.after)) return false;
    const labels = origin.slice(this.before.byteLength, this.before.byteLength + length);
    let previous = 46;
    for (let i = 0; i < labels.length; i++) {
      const byte = labels.at(i);
      const fits = <u32>(byte - 97) < 26 || <u32>(byte - 48) < 10 || byte == 45 || byte == 46;
      if (!fits || (byte == 46 && previous == 46)) return false;
      previous = byte;
    }
    return previous != 46;
  }
}

export class CorsConfig {
  any: bool = false;
  private exact: ArrayBuffer[] = [];
  private wildcards: Wildcard[] = [];
  anyMethod: bool = false;
  private methods: ArrayBuffer[] = [];
  methodList: ArrayBuffer = NONE;
  anyHeader: bool = false;
  private headers: ArrayBuffer[] = [];
  headerList: ArrayBuffer = NONE;
  exposeList: ArrayBuffer = NONE;
  credentials: bool = false;
  /** In decimal; empty: not sent. */
  maxAge: ArrayBuffer = NONE;
  privateNetwork: bool = false;
  preflightStatus: i32 = 204;

  read(configuration: ArrayBuffer): bool {
    const config = readConfig(configuration);
    this.readOrigins(config);
    this.credentials = config.boolean('credentials', false);
    if (this.any && this.credentials) {
      config.fault('origins', '"*" cannot be combined with credentials: list the origins');
    }
    // A frame that any page makes, with `sandbox`, has this origin.
    if (this.credentials && !this.any && this.allowsOrigin(view(NULL))) {
      config.fault('origins', '"null" cannot be combined with credentials: any page can have it');
    }
    if (config.has('methods')) this.methods = tokens(config, 'methods', false);
    else this.methods = [utf8Of('GET'), utf8Of('HEAD'), utf8Of('POST')];
    this.headers = tokens(config, 'headers', true);
    const expose = tokens(config, 'exposeHeaders', true);
    this.anyMethod = hasStar(this.methods);
    this.anyHeader = hasStar(this.headers);
    if (this.credentials && hasStar(expose)) {
      faultAt(config.value.get('exposeHeaders')!, '"*" means nothing to browsers when credentials are on');
    }
    this.methodList = join(this.methods);
    this.headerList = join(this.headers);
    this.exposeList = join(expose);
    if (config.has('maxAge')) {
      const seconds = config.duration('maxAge', 0, 86400000, -1) / 1000;
      this.maxAge = new ByteWriter(16).addNumber(seconds).copy();
    }
    this.privateNetwork = config.boolean('privateNetwork', false);
    this.preflightStatus = <i32>config.integer('preflightStatus', 200, 204, 204);
    if (this.preflightStatus != 200 && this.preflightStatus != 204) {
      faultAt(config.value.get('preflightStatus')!, 'expected 204 or 200');
    }
    return config.end();
  }

  private readOrigins(config: Config): void {
    const origins = config.items('origins');
    if (origins.length == 0) faultAt(config.value, '"origins" must name at least one');
    for (let i = 0; i < origins.length; i++) {
      const value = origins[i];
      const bytes = view(value.text);
      const star = bytes.indexOf(42);
      if (value.is('*')) this.any = true;
      else if (!isOrigin(value, star)) faultAt(value, 'expected an origin such as "https://app.example.com"');
      else if (star < 0) this.exact.push(lowered(bytes));
      else this.wildcards.push(new Wildcard(lowered(bytes.slice(0, star)), lowered(bytes.slice(star + 1))));
    }
  }

  /** Browsers send origins in lower case; anything else is not one that was meant. */
  allowsOrigin(origin: Bytes): bool {
    if (this.any) return true;
    for (let i = 0; i < this.exact.length; i++) if (origin.equals(unchecked(this.exact[i]))) return true;
    for (let i = 0; i < this.wildcards.length; i++) {
      if (unchecked(this.wildcards[i]).matches(origin)) return true;
    }
    return false;
  }

  /** Methods are case-sensitive. */
  allowsMethod(method: Bytes): bool {
    if (this.anyMethod) return true;
    for (let i = 0; i < this.methods.length; i++) if (method.equals(unchecked(this.methods[i]))) return true;
    return false;
  }

  /** @param list what the browser asks for, parted by commas */
  allowsHeaders(list: Bytes): bool {
    if (this.anyHeader) return true;
    for (let from = 0; from <= list.length;) {
      const comma = list.indexOf(44, from);
      const end = comma < 0 ? list.length : comma;
      const name = list.slice(from, end).trim();
      if (name.length > 0 && !this.allowsHeader(name)) return false;
      from = end + 1;
    }
    return true;
  }

  private allowsHeader(name: Bytes): bool {
    for (let i = 0; i < this.headers.length; i++) {
      if (name.equalsIgnoreCase(unchecked(this.headers[i]))) return true;
    }
    return false;
  }
}

function utf8Of(text: string): ArrayBuffer {
  return String.UTF8.encode(text);
}

/** `scheme://host[:port]` with at most one star, in front of a dot, or `null`. */
function isOrigin(value: JsonValue, star: i32): bool {
  if (value.kind != JsonKind.String) return false;
  if (value.is('null')) return true;
  const bytes = view(value.text);
  const scheme = bytes.indexOfBytes('://');
  if (scheme < 1) return false;
  for (let i = scheme + 3; i < bytes.length; i++) {
    const byte = bytes.at(i);
    if (byte <= 32 || byte >= 127 || byte == 47 || byte == 63 || byte == 35 || byte == 64) return false;
  }
  if (star < 0) return bytes.length > scheme + 3;
  return (
    star == scheme + 3 && star + 2 < bytes.length && bytes.at(star + 1) == 46 && bytes.lastIndexOf(42) == star
  );
}

function lowered(bytes: Bytes): ArrayBuffer {
  const copy = bytes.copy();
  for (let i = 0; i < bytes.length; i++) store<u8>(changetype<usize>(copy) + i, <u8>lower(bytes.at(i)));
  return copy;
}

/** Strings that are tokens: methods, or names of fields (which are put in lower case). */
function tokens(config: Config, name: string, fold: bool): ArrayBuffer[] {
  const items = config.items(name);
  const list: ArrayBuffer[] = [];
  for (let i = 0; i < items.length; i++) {
    const bytes = view(items[i].text);
    let valid = bytes.length > 0;
    for (let k = 0; k < bytes.length; k++) valid = valid && isToken(bytes.at(k));
    if (!valid) faultAt(items[i], fold ? 'expected the name of a field' : 'expected a method');
    list.push(fold ? lowered(bytes) : items[i].text);
  }
  return list;
}

function hasStar(list: ArrayBuffer[]): bool {
  for (let i = 0; i < list.length; i++) if (view(list[i]).equals('*')) return true;
  return false;
}

function join(list: ArrayBuffer[]): ArrayBuffer {
  const text = new ByteWriter(128);
  for (let i = 0; i < list.length; i++) {
    if (i > 0) text.addByte(44).addByte(32);
    text.add(list[i]);
  }
  return text.copy();
}
