// Cache key: the same key for requests that mean the same, so that a cache behind the filter keeps one answer for them.
export * from '@weir/filters-sdk/assembly/exports';
import {
  Action,
  ByteWriter,
  Bytes,
  RootContext,
  StreamContext,
  registerRoot,
  requestHeaders,
  utf8,
} from '@weir/filters-sdk/assembly';
import { readConfig } from '@weir/filters-sdk/assembly/config';

const METHOD = utf8(':method');
const AUTHORITY = utf8(':authority');
const PATH = utf8(':path');
const KEY = utf8('x-cache-key');
const AMPERSAND: i32 = 38;
const QUESTION_MARK: i32 = 63;
const MAX_PARAMETERS = 32;

const key = new ByteWriter(512);
/** The parameters of the running request, in order of their bytes. Views are not managed: an array of their addresses. */
const parameters = new StaticArray<usize>(MAX_PARAMETERS);

class KeyRoot extends RootContext {
  /** Parameters that make no difference, by how their names begin. */
  ignore: ArrayBuffer[] = [];
  /** Fields that do. */
  vary: ArrayBuffer[] = [];

  onConfigure(configuration: ArrayBuffer): bool {
    const config = readConfig(configuration);
    const ignore = config.items('ignore');
    for (let i = 0; i < ignore.length; i++) this.ignore.push(ignore[i].text);
    const vary = config.items('vary');
    for (let i = 0; i < vary.length; i++) this.vary.push(vary[i].text);
    return config.end();
  }

  createStream(): StreamContext {
    return new Keyed(this);
  }
}

class Keyed extends StreamContext {
  constructor(private root: KeyRoot) {
    super();
  }

  onRequestHeaders(_count: i32, _endOfStream: bool): Action {
    // A client must not choose the key itself.
    requestHeaders.remove(KEY);
    const method = requestHeaders.get(METHOD);
    const authority = requestHeaders.get(AUTHORITY);
    const path = requestHeaders.get(PATH);
    if (method === null || authority === null || path === null) return Action.Continue;
    if (!method.equals('GET') && !method.equals('HEAD')) return Action.Continue;

    const query = path.indexOf(QUESTION_MARK);
    key
      .clear()
      .add('GET ')
      .add(authority)
      .add(query < 0 ? path : path.slice(0, query));
    if (query >= 0 && !this.addQuery(path.slice(query + 1))) return Action.Continue;
    const vary = this.root.vary;
    for (let i = 0; i < vary.length; i++) {
      const value = requestHeaders.get(vary[i]);
      key.addByte(32).add(vary[i]).addByte(61);
      if (value !== null) key.add(value);
    }
    requestHeaders.set(KEY, key.view());
    return Action.Continue;
  }

  /** False where there are too many parameters: such a request has no key. */
  private addQuery(query: Bytes): bool {
    let count = 0;
    for (let from = 0; from <= query.length;) {
      const next = query.indexOf(AMPERSAND, from);
      const to = next < 0 ? query.length : next;
      const parameter = query.slice(from, to);
      from = to + 1;
      if (parameter.length == 0 || this.isIgnored(parameter)) continue;
      if (count == MAX_PARAMETERS) return false;
      // Into its place among those before.
      let at = count++;
      for (; at > 0 && isLess(parameter, changetype<Bytes>(parameters[at - 1])); at--) {
        parameters[at] = parameters[at - 1];
      }
      parameters[at] = changetype<usize>(parameter);
    }
    for (let i = 0; i < count; i++) {
      key.addByte(i == 0 ? QUESTION_MARK : AMPERSAND).add(changetype<Bytes>(parameters[i]));
    }
    return true;
  }

  private isIgnored(parameter: Bytes): bool {
    const ignore = this.root.ignore;
    for (let i = 0; i < ignore.length; i++) if (parameter.startsWith(ignore[i])) return true;
    return false;
  }

  recycle(): bool {
    return true;
  }
}

function isLess(left: Bytes, right: Bytes): bool {
  const common = min(left.length, right.length);
  for (let i = 0; i < common; i++) if (left.at(i) != right.at(i)) return left.at(i) < right.at(i);
  return left.length < right.length;
}

registerRoot(new KeyRoot());
