// Replaces text in the bodies of answers.

// Hands on the callbacks that the host makes. Without this line the module is no filter.
export * from '@weir/filters-sdk/assembly/exports';
import {
  Action,
  ByteWriter,
  RootContext,
  StreamContext,
  registerRoot,
  responseBody,
  responseHeaders,
  utf8,
  view,
} from '@weir/filters-sdk/assembly';
import { configuration, length, readConfiguration } from '@weir/filters-sdk/assembly/configuration';

const CONTENT_TYPE = utf8('content-type');
const CONTENT_LENGTH = utf8('content-length');
const CONTENT_ENCODING = utf8('content-encoding');
const ETAG = utf8('etag');

/** The new body; its memory is used again for every answer. */
const rewritten = new ByteWriter(64 * 1024);

/** Replaces one text by another in the bodies of answers. */
@configuration({ title: 'my-filter', phase: 'transform', capabilities: ['headers', 'body'] })
class Settings {
  /** The text to look for. */
  @length(1, 1000) find: ArrayBuffer;
  /** What stands in its place. */
  @length(0, 1000) replacement: ArrayBuffer = utf8('');
  /** Bodies of this type, or of types that begin so, are looked at. */
  @length(1, 100) contentType: ArrayBuffer = utf8('text/html');
}

class RewriteRoot extends RootContext {
  settings: Settings = new Settings();

  onConfigure(text: ArrayBuffer): bool {
    // Null refuses the configuration: the log has each fault, with line and column.
    const settings = readConfiguration<Settings>(text);
    if (settings === null) return false;
    this.settings = settings;
    return true;
  }

  createStream(): StreamContext {
    return new Rewrite(this);
  }
}

class Rewrite extends StreamContext {
  /** This answer's body is one to look at. */
  private wanted: bool = false;

  constructor(private root: RewriteRoot) {
    super();
  }

  onResponseHeaders(_count: i32, endOfStream: bool): Action {
    const type = responseHeaders.get(CONTENT_TYPE);
    const isWanted = type !== null && type.startsWith(this.root.settings.contentType);
    this.wanted = !endOfStream && isWanted && !responseHeaders.has(CONTENT_ENCODING);
    if (this.wanted) {
      // Neither will be true of the new body. Weir puts a length back where it knows it.
      responseHeaders.remove(CONTENT_LENGTH);
      responseHeaders.remove(ETAG);
    }
    return Action.Continue;
  }

  onResponseBody(_size: i32, endOfStream: bool): Action {
    if (!this.wanted) return Action.Continue;
    // The text may lie across two parts, so all of them are kept until the last one came.
    if (!endOfStream) return Action.Pause;
    this.rewrite();
    return Action.Continue;
  }

  private rewrite(): void {
    const body = responseBody.read();
    const find = view(this.root.settings.find);
    rewritten.clear();
    let from = 0;
    for (let at = body.indexOfBytes(find); at >= 0; at = body.indexOfBytes(find, from)) {
      rewritten.add(body.slice(from, at)).add(this.root.settings.replacement);
      from = at + find.length;
    }
    if (from == 0) return;
    rewritten.add(body.slice(from));
    responseBody.replace(rewritten.view());
  }
}

registerRoot(new RewriteRoot());
