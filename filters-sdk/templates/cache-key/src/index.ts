// Works out the key under which a cache may keep the answer to a request.

// Hands on the callbacks that the host makes. Without this line the module is no filter.
export * from '@weir/filters-sdk/assembly/exports';
import {
  Action,
  ByteWriter,
  Bytes,
  RootContext,
  StreamContext,
  lower,
  registerRoot,
  requestHeaders,
  utf8,
} from '@weir/filters-sdk/assembly';
import { configuration, items, pattern, readConfiguration } from '@weir/filters-sdk/assembly/configuration';
import { Parameters } from './parameters';

const METHOD = utf8(':method');
const PATH = utf8(':path');
const AUTHORITY = utf8(':authority');
const GET = utf8('GET');
const HEAD = utf8('HEAD');
const CACHE_KEY = utf8('x-cache-key');
const QUESTION: i32 = 63;
const SPACE: i32 = 32;

/** The key, and the query's parameters; their memory is used again for every request. */
const key = new ByteWriter(512);
const parameters = new Parameters();

/** Works out the key under which a cache may keep the answer to a request. */
@configuration({ title: 'my-filter', phase: 'transform', capabilities: ['headers'] })
class Settings {
  /** Parameters of the query that make no difference. */
  @items(0, 100) ignore: ArrayBuffer[] = [];
  /** Names of request fields that do. */
  @items(0, 100) @pattern('[A-Za-z0-9_-]+') vary: ArrayBuffer[] = [];
}

class CacheKeyRoot extends RootContext {
  settings: Settings = new Settings();

  onConfigure(text: ArrayBuffer): bool {
    // Null refuses the configuration: the log has each fault, with line and column.
    const settings = readConfiguration<Settings>(text);
    if (settings === null) return false;
    this.settings = settings;
    return true;
  }

  createStream(): StreamContext {
    return new CacheKey(this);
  }
}

class CacheKey extends StreamContext {
  constructor(private root: CacheKeyRoot) {
    super();
  }

  onRequestHeaders(_count: i32, _endOfStream: bool): Action {
    // What the client says of it counts for nothing.
    requestHeaders.remove(CACHE_KEY);
    const method = requestHeaders.get(METHOD);
    const path = requestHeaders.get(PATH);
    const authority = requestHeaders.get(AUTHORITY);
    if (method === null || path === null || authority === null) return Action.Continue;
    if (!method.equals(GET) && !method.equals(HEAD)) return Action.Continue;

    key.clear();
    for (let i = 0; i < authority.length; i++) key.addByte(lower(authority.at(i)));
    const question = path.indexOf(QUESTION);
    key.add(question < 0 ? path : path.slice(0, question));
    // A query of any size is not worth sorting: no key, so nothing is kept.
    if (question >= 0 && !parameters.split(path.slice(question + 1))) return Action.Continue;
    if (question >= 0) parameters.write(key, this.root.settings.ignore);
    this.addVaried();
    requestHeaders.set(CACHE_KEY, key.view());
    return Action.Continue;
  }

  /** ` name=value` for each field, so that no value can pass for another field's. */
  private addVaried(): void {
    const vary = this.root.settings.vary;
    for (let i = 0; i < vary.length; i++) {
      const value = requestHeaders.get(vary[i]);
      key.addByte(SPACE).add(vary[i]).add('=');
      if (value !== null) escape(value);
    }
  }
}

/** Spaces become `+`, and `+` becomes `%2B`. */
function escape(value: Bytes): void {
  for (let i = 0; i < value.length; i++) {
    const byte = value.at(i);
    if (byte == 43) key.add('%2B');
    else key.addByte(byte == SPACE ? 43 : byte);
  }
}

registerRoot(new CacheKeyRoot());
