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
import { readConfig } from '@weir/filters-sdk/assembly/config';

const CONTENT_TYPE = utf8('content-type');
const CONTENT_LENGTH = utf8('content-length');
const CONTENT_ENCODING = utf8('content-encoding');
const ETAG = utf8('etag');
const NOTHING = utf8('');

/** The new body; its memory is used again for every answer. */
const rewritten = new ByteWriter(64 * 1024);

class RewriteRoot extends RootContext {
  find: ArrayBuffer = NOTHING;
  replacement: ArrayBuffer = NOTHING;
  contentType: ArrayBuffer = NOTHING;

  onConfigure(configuration: ArrayBuffer): bool {
    const config = readConfig(configuration);
    this.find = config.text('find');
    this.replacement = config.text('replacement', NOTHING);
    this.contentType = config.text('contentType', utf8('text/html'));
    return config.end() && this.find.byteLength > 0;
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
    const isWanted = type !== null && type.startsWith(this.root.contentType);
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
    const find = view(this.root.find);
    rewritten.clear();
    let from = 0;
    for (let at = body.indexOfBytes(find); at >= 0; at = body.indexOfBytes(find, from)) {
      rewritten.add(body.slice(from, at)).add(this.root.replacement);
      from = at + find.length;
    }
    if (from == 0) return;
    rewritten.add(body.slice(from));
    responseBody.replace(rewritten.view());
  }
}

registerRoot(new RewriteRoot());
