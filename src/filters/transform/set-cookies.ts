import { ByteWriter, Bytes, responseHeaders, utf8, view } from '@weir/filters-sdk/assembly';
import { Config, JsonValue, faultAt } from '@weir/filters-sdk/assembly/config';
import { Template } from '@weir/filters-sdk/assembly/template';
import { isCookieName, writeCookieText } from './part-edits';
import { templateOf, textOf } from './values';

const SET_COOKIE = utf8('set-cookie');
/** Of a cookie that is set here: the whole host has it, unless `attributes` says otherwise. */
const ROOT_PATH = utf8('; Path=/');
const NOTHING = new ArrayBuffer(0);
const SAME_SITE = ['', 'Strict', 'Lax', 'None'];
const EQUALS = 61;
const SEMICOLON = 59;

const written = new ByteWriter(512);

class Named {
  constructor(
    readonly name: ArrayBuffer,
    readonly to: ArrayBuffer,
    readonly value: Template | null,
  ) {}
}

/** What cookies of some names must have. */
class Attributes {
  private names: ArrayBuffer[] = [];
  private secure: bool = false;
  private httpOnly: bool = false;
  private sameSite: string = '';
  private domain: ArrayBuffer | null = null;
  private path: ArrayBuffer | null = null;

  constructor(config: Config) {
    const names = config.items('names');
    for (let i = 0; i < names.length; i++) this.names.push(checked(names[i], textOf(names[i])));
    this.secure = isTrue(config, 'secure');
    this.httpOnly = isTrue(config, 'httpOnly');
    this.sameSite = SAME_SITE[config.choice('sameSite', SAME_SITE)];
    if (this.sameSite == 'None' && !this.secure)
      config.fault('sameSite', 'browsers take None together with secure alone');
    if (config.has('domain')) this.domain = attributeText(config, 'domain');
    if (config.has('path')) this.path = attributeText(config, 'path');
  }

  isFor(name: Bytes): bool {
    for (let i = 0; i < this.names.length; i++) if (name.equals(this.names[i])) return true;
    return this.names.length == 0;
  }

  /** Whether an attribute of a cookie gives way to what stands here. */
  replaces(attribute: Bytes): bool {
    const equals = attribute.indexOf(EQUALS);
    const name = (equals < 0 ? attribute : attribute.slice(0, equals)).trim();
    if (this.secure && name.equalsIgnoreCase('secure')) return true;
    if (this.httpOnly && name.equalsIgnoreCase('httponly')) return true;
    if (this.sameSite != '' && name.equalsIgnoreCase('samesite')) return true;
    if (this.domain !== null && name.equalsIgnoreCase('domain')) return true;
    return this.path !== null && name.equalsIgnoreCase('path');
  }

  write(out: ByteWriter): void {
    const domain = this.domain;
    const path = this.path;
    if (domain !== null && domain.byteLength > 0) out.add('; Domain=').add(domain);
    if (path !== null && path.byteLength > 0) out.add('; Path=').add(path);
    if (this.secure) out.add('; Secure');
    if (this.httpOnly) out.add('; HttpOnly');
    if (this.sameSite != '') out.add('; SameSite=').add(this.sameSite);
  }
}

/** Changes to the cookies that an answer sets (RFC 6265, section 4.1), in the order rename, remove, set, attributes. */
export class SetCookieEdits {
  private renames: Named[] = [];
  private removes: ArrayBuffer[] = [];
  private sets: Named[] = [];
  private attributes: Attributes[] = [];

  static read(config: Config): SetCookieEdits {
    const edits = new SetCookieEdits();
    const rename = config.object('rename').all();
    for (let i = 0; i < rename.length; i++) {
      const to = checked(rename[i], textOf(rename[i]));
      edits.renames.push(new Named(checked(rename[i], rename[i].name), to, null));
    }
    const remove = config.items('remove');
    for (let i = 0; i < remove.length; i++) edits.removes.push(checked(remove[i], textOf(remove[i])));
    const set = config.object('set').all();
    for (let i = 0; i < set.length; i++) {
      edits.sets.push(new Named(checked(set[i], set[i].name), NOTHING, templateOf(set[i])));
    }
    const attributes = config.items('attributes');
    for (let i = 0; i < attributes.length; i++) {
      const item = Config.of(attributes[i]);
      edits.attributes.push(new Attributes(item));
      item.end();
    }
    return edits;
  }

  apply(): void {
    const fields = responseHeaders.all();
    let any = this.sets.length > 0;
    while (!any && fields.nextNamed(SET_COOKIE)) any = true;
    if (!any) return;
    fields.rewind();
    responseHeaders.remove(SET_COOKIE);
    while (fields.nextNamed(SET_COOKIE)) this.pass(fields.value);
    for (let i = 0; i < this.sets.length; i++) this.add(this.sets[i]);
  }

  private pass(cookie: Bytes): void {
    const semicolon = cookie.indexOf(SEMICOLON);
    const pair = cookie.slice(0, semicolon < 0 ? cookie.length : semicolon);
    const equals = pair.indexOf(EQUALS);
    const name = this.renamed(pair.slice(0, max(equals, 0)).trim());
    for (let i = 0; i < this.removes.length; i++) if (name.equals(this.removes[i])) return;
    for (let i = 0; i < this.sets.length; i++) if (name.equals(this.sets[i].name)) return;
    written.clear();
    if (equals >= 0) written.add(name).add(pair.slice(equals));
    else written.add(pair);
    this.finish(name, semicolon < 0 ? cookie.slice(cookie.length) : cookie.slice(semicolon));
  }

  private renamed(name: Bytes): Bytes {
    for (let i = 0; i < this.renames.length; i++) {
      if (name.equals(this.renames[i].name)) return view(this.renames[i].to);
    }
    return name;
  }

  private add(cookie: Named): void {
    written.clear().add(cookie.name).addByte(EQUALS);
    writeCookieText(cookie.value!.render(), written);
    this.finish(view(cookie.name), view(ROOT_PATH));
  }

  /** @param rest attributes, each behind its semicolon */
  private finish(name: Bytes, rest: Bytes): void {
    for (let from = 0; from < rest.length;) {
      const next = rest.indexOf(SEMICOLON, from + 1);
      const end = next < 0 ? rest.length : next;
      if (!this.isReplaced(name, rest.slice(from + 1, end))) written.add(rest.slice(from, end));
      from = end;
    }
    for (let i = 0; i < this.attributes.length; i++) {
      if (this.attributes[i].isFor(name)) this.attributes[i].write(written);
    }
    responseHeaders.add(SET_COOKIE, written.view());
  }

  private isReplaced(name: Bytes, attribute: Bytes): bool {
    for (let i = 0; i < this.attributes.length; i++) {
      const item = this.attributes[i];
      if (item.isFor(name) && item.replaces(attribute)) return true;
    }
    return false;
  }
}

function checked(at: JsonValue, name: ArrayBuffer): ArrayBuffer {
  if (!isCookieName(name)) faultAt(at, 'not the name of a cookie');
  return name;
}

/** An attribute can be asked for, and not forbidden. */
function isTrue(config: Config, name: string): bool {
  const asked = config.boolean(name, false);
  if (config.has(name) && !asked) config.fault(name, 'can be true alone; leave it out otherwise');
  return asked;
}

function attributeText(config: Config, name: string): ArrayBuffer {
  const text = config.text(name);
  const bytes = view(text);
  for (let i = 0; i < bytes.length; i++) {
    const byte = bytes.at(i);
    if (byte <= 32 || byte >= 127 || byte == SEMICOLON || byte == 44)
      config.fault(name, 'a character in it may not stand in an attribute');
  }
  return text;
}
