// Compression: sends answers compressed to clients that take them so. The host compresses.
export * from '@weir/filters-sdk/assembly/exports';
import {
  Action,
  ByteWriter,
  Bytes,
  RootContext,
  StreamContext,
  logError,
  registerRoot,
  requestHeaders,
  resetStream,
  responseBody,
  responseHeaders,
  utf8,
} from '@weir/filters-sdk/assembly';
import {
  configuration,
  items,
  length,
  readConfiguration,
  size,
} from '@weir/filters-sdk/assembly/configuration';
import { compress } from '@weir/filters-sdk/assembly/foreign';

const METHOD = utf8(':method');
const STATUS = utf8(':status');
const ACCEPT_ENCODING = utf8('accept-encoding');
const CACHE_CONTROL = utf8('cache-control');
const CONTENT_ENCODING = utf8('content-encoding');
const CONTENT_LENGTH = utf8('content-length');
const CONTENT_TYPE = utf8('content-type');
const ETAG = utf8('etag');
const VARY = utf8('vary');
const DEFLATE = utf8('deflate');
const OK = utf8('200');
const COMMA: i32 = 44;
const SEMICOLON: i32 = 59;

const tag = new ByteWriter(64);

/** Sends answers compressed to clients that take them so. */
@configuration({ title: 'compress', phase: 'transform', capabilities: ['headers', 'body', 'foreign'] })
class Settings {
  /** Answers of these types, or of types that begin so. */
  @items(1, 50) @length(1, 100) types: ArrayBuffer[] = [utf8('text/'), utf8('application/json')];
  /** Shorter answers are left as they are. */
  @size('0', '256Ki') least: i64 = 1024;
  /** Longer ones too: the host compresses up to 256Ki at once. */
  @size('1', '256Ki') most: i64 = 262144;
}

class CompressRoot extends RootContext {
  settings: Settings = new Settings();

  onConfigure(text: ArrayBuffer): bool {
    const settings = readConfiguration<Settings>(text);
    if (settings === null) return false;
    this.settings = settings;
    return true;
  }

  createStream(): StreamContext {
    return new Compressed(this);
  }
}

class Compressed extends StreamContext {
  /** The client takes a compressed answer. */
  private accepted: bool = false;
  /** This answer becomes one. */
  private chosen: bool = false;

  constructor(private root: CompressRoot) {
    super();
  }

  onRequestHeaders(_count: i32, _endOfStream: bool): Action {
    const method = requestHeaders.get(METHOD);
    if (method !== null && method.equals('HEAD')) return Action.Continue;
    const fields = requestHeaders.all();
    while (fields.nextNamed(ACCEPT_ENCODING)) if (takesDeflate(fields.value)) this.accepted = true;
    return Action.Continue;
  }

  onResponseHeaders(_count: i32, endOfStream: bool): Action {
    if (endOfStream || !this.isFit()) return Action.Continue;
    // Also where this client takes none: a cache must know that the next one may get another.
    responseHeaders.add(VARY, 'Accept-Encoding');
    this.chosen = this.accepted;
    if (!this.chosen) return Action.Continue;
    responseHeaders.remove(CONTENT_LENGTH);
    responseHeaders.set(CONTENT_ENCODING, DEFLATE);
    // The bytes are others than those that a strong tag stands for.
    const strong = responseHeaders.get(ETAG);
    if (strong !== null && !strong.startsWith('W/')) {
      responseHeaders.set(ETAG, tag.clear().add('W/').add(strong).view());
    }
    return Action.Continue;
  }

  onResponseBody(_size: i32, endOfStream: bool): Action {
    if (!this.chosen) return Action.Continue;
    // The host compresses a body as a whole.
    if (!endOfStream) return Action.Pause;
    const compressed = compress(responseBody.read());
    if (compressed !== null) {
      responseBody.replace(compressed);
      return Action.Continue;
    }
    // The head is gone and says that what follows is compressed.
    logError('the host did not compress');
    resetStream();
    return Action.Pause;
  }

  /** A whole answer of a length and a type that are worth it, and nobody forbids it. */
  private isFit(): bool {
    const settings = this.root.settings;
    const status = responseHeaders.get(STATUS);
    if (status === null || !status.equals(OK) || responseHeaders.has(CONTENT_ENCODING)) return false;
    const length = responseHeaders.get(CONTENT_LENGTH);
    if (length === null) return false;
    const bytes = length.toUnsigned();
    if (bytes < settings.least || bytes > settings.most) return false;
    const cache = responseHeaders.get(CACHE_CONTROL);
    if (cache !== null && cache.indexOfBytes('no-transform') >= 0) return false;
    const type = responseHeaders.get(CONTENT_TYPE);
    if (type === null) return false;
    for (let i = 0; i < settings.types.length; i++) if (type.startsWith(settings.types[i])) return true;
    return false;
  }

  recycle(): bool {
    this.accepted = false;
    this.chosen = false;
    return true;
  }
}

/** Whether `deflate` stands in the list, and not with the weight 0 (RFC 9110, section 12.5.3). */
function takesDeflate(list: Bytes): bool {
  for (let from = 0; from < list.length;) {
    const comma = list.indexOf(COMMA, from);
    const to = comma < 0 ? list.length : comma;
    const item = list.slice(from, to);
    const semicolon = item.indexOf(SEMICOLON);
    const coding = semicolon < 0 ? item : item.slice(0, semicolon);
    if (coding.trim().equalsIgnoreCase(DEFLATE))
      return semicolon < 0 || !isZero(item.slice(semicolon + 1).trim());
    from = to + 1;
  }
  return false;
}

/** `q=0`, `q=0.00` */
function isZero(weight: Bytes): bool {
  for (let i = 2; i < weight.length; i++) if (weight.at(i) != 48 && weight.at(i) != 46) return false;
  return weight.length > 2;
}

registerRoot(new CompressRoot());
