// Admits requests that carry a known API key. See README.md.
export * from '@weir/filters-sdk/assembly/exports';
import {
  Action,
  ByteWriter,
  Bytes,
  Pairs,
  RootContext,
  StreamContext,
  registerRoot,
  requestHeaders,
  utf8,
} from '@weir/filters-sdk/assembly';
import { isOver } from '@weir/filters-sdk/assembly/consumer';
import { credentialOf, isSpellingOf } from '@weir/filters-sdk/assembly/fields';
import { Parts, decodeQuery } from '@weir/filters-sdk/assembly/parts';
import { ApiKeyConfig, From, Source } from './config';

const PATH = utf8(':path');
const COOKIE = utf8('cookie');

const parts = new Parts();
const decoded = new ByteWriter(128);
const rewritten = new ByteWriter(1024);

class ApiKeyRoot extends RootContext {
  private stream: ApiKey = new ApiKey(new ApiKeyConfig());

  onConfigure(configuration: ArrayBuffer): bool {
    const config = new ApiKeyConfig();
    this.stream = new ApiKey(config);
    return config.read(configuration);
  }

  /** One object serves all streams: it keeps nothing of them between callbacks. */
  createStream(): StreamContext {
    return this.stream;
  }
}

class ApiKey extends StreamContext {
  /** The key that was found in this request, -1 for none. */
  private key: i32 = -1;
  /** A credential that is no key, or two of different keys. */
  private bad: bool = false;

  constructor(private config: ApiKeyConfig) {
    super();
  }

  onRequestHeaders(_count: i32, _endOfStream: bool): Action {
    const config = this.config;
    this.key = -1;
    this.bad = false;
    for (let i = 0; i < config.sources.length; i++) unchecked(config.sources[i]).seen = false;
    const fields = requestHeaders.all();
    while (fields.next()) this.look(fields);

    if (this.bad) return config.invalid.send();
    if (this.key < 0) return config.missing.send();
    if (isOver(config.keys.end(this.key))) return config.expired.send();
    const owner = config.keys.owner(this.key);
    if (config.strip) this.strip(fields);
    if (config.consumerHeader.byteLength > 0) requestHeaders.set(config.consumerHeader, owner.name);
    owner.announce();
    return Action.Continue;
  }

  /** Every value of every source counts: a request with one good and one bad credential is refused. */
  private look(fields: Pairs): void {
    const config = this.config;
    const name = fields.name;
    const sources = config.sources;
    for (let i = 0; i < sources.length; i++) {
      const source = unchecked(sources[i]);
      if (source.from == From.Header && name.equals(source.name)) this.checkHeader(source, fields.value);
    }
    if (config.hasQuery && name.equals(PATH)) this.lookInParts(From.Query, fields.value);
    else if (config.hasCookie && name.equals(COOKIE)) this.lookInParts(From.Cookie, fields.value);
    // The field as it is spelled goes when it is set.
    const header = config.consumerHeader;
    if (isSpellingOf(name, header) && !name.equals(header)) requestHeaders.remove(name);
  }

  private checkHeader(source: Source, value: Bytes): void {
    const credential = source.scheme.byteLength > 0 ? credentialOf(value, source.scheme) : value;
    // Another scheme is another filter's business.
    if (credential === null) return;
    source.seen = true;
    this.check(credential);
  }

  private check(credential: Bytes): void {
    const key = this.config.keys.find(credential);
    if (key < 0 || (this.key >= 0 && this.key != key)) this.bad = true;
    else this.key = key;
  }

  private lookInParts(from: From, text: Bytes): void {
    if (from == From.Query) parts.query(text);
    else parts.cookies(text);
    while (parts.next()) {
      if (!this.isCredential(from)) continue;
      this.check(from == From.Query ? decodeQuery(parts.value, decoded) : parts.value);
    }
  }

  private isCredential(from: From): bool {
    const sources = this.config.sources;
    for (let i = 0; i < sources.length; i++) {
      const source = unchecked(sources[i]);
      if (source.from != from) continue;
      const name = from == From.Query ? decodeQuery(parts.name, decoded) : parts.name;
      if (name.equals(source.name)) return true;
    }
    return false;
  }

  /** Takes the credential out of what goes upstream. */
  private strip(fields: Pairs): void {
    const config = this.config;
    const sources = config.sources;
    if (config.hasQuery || config.hasCookie) this.stripParts(fields);
    for (let i = 0; i < sources.length; i++) {
      const source = unchecked(sources[i]);
      if (source.seen) requestHeaders.remove(source.name);
    }
  }

  private stripParts(fields: Pairs): void {
    const config = this.config;
    let before = 0;
    rewritten.clear();
    fields.rewind();
    while (fields.next()) {
      if (config.hasQuery && fields.name.equals(PATH)) this.stripQuery(fields.value);
      if (!config.hasCookie || !fields.name.equals(COOKIE)) continue;
      before += fields.value.length;
      this.keepParts(From.Cookie, fields.value);
    }
    if (before == 0 || rewritten.length == before) return;
    if (rewritten.length == 0) requestHeaders.remove(COOKIE);
    else requestHeaders.set(COOKIE, rewritten.view());
  }

  private stripQuery(path: Bytes): void {
    const mark = path.indexOf(63);
    if (mark < 0) return;
    this.keepParts(From.Query, path);
    const query = rewritten.copy();
    rewritten.clear().add(path.slice(0, mark));
    if (query.byteLength > 0) rewritten.addByte(63).add(query);
    if (rewritten.length != path.length) requestHeaders.set(PATH, rewritten.view());
    rewritten.clear();
  }

  /** Adds the parts that are no credentials to `rewritten`. */
  private keepParts(from: From, text: Bytes): void {
    if (from == From.Query) parts.query(text);
    else parts.cookies(text);
    while (parts.next()) {
      if (this.isCredential(from)) continue;
      const part = parts.whole;
      if (from == From.Query) {
        if (rewritten.length > 0) rewritten.addByte(38);
        rewritten.add(part);
      } else if (part.length > 0) {
        if (rewritten.length > 0) rewritten.addByte(59).addByte(32);
        rewritten.add(part);
      }
    }
  }
}

registerRoot(new ApiKeyRoot());
