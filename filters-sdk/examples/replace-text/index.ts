// A body as it streams: replaces a text in answers without gathering them. What lies across two parts is found too.
export * from '@weir/filters-sdk/assembly/exports';
import {
  Action,
  ByteWriter,
  Bytes,
  RootContext,
  StreamContext,
  logError,
  registerRoot,
  responseBody,
  responseHeaders,
  utf8,
  view,
} from '@weir/filters-sdk/assembly';
import { readConfig } from '@weir/filters-sdk/assembly/config';

const CONTENT_LENGTH = utf8('content-length');
const CONTENT_TYPE = utf8('content-type');
const TEXT = utf8('text/');

const joined = new ByteWriter(16 * 1024);
const rewritten = new ByteWriter(16 * 1024);

class ReplaceRoot extends RootContext {
  find: ArrayBuffer = new ArrayBuffer(0);
  replacement: ArrayBuffer = new ArrayBuffer(0);

  onConfigure(configuration: ArrayBuffer): bool {
    const config = readConfig(configuration);
    this.find = config.text('find');
    this.replacement = config.text('replacement', new ArrayBuffer(0));
    if (!config.end()) return false;
    if (this.find.byteLength == 0) logError('configuration: find must not be empty');
    return this.find.byteLength > 0;
  }

  createStream(): StreamContext {
    return new Replace(this);
  }
}

class Replace extends StreamContext {
  private isText: bool = false;
  /**
   * Bytes at the end of the last part that may be the beginning of a match. They are a prefix of what is
   * looked for, so their number is all that must be kept.
   */
  private held: i32 = 0;

  constructor(private root: ReplaceRoot) {
    super();
  }

  onResponseHeaders(_count: i32, endOfStream: bool): Action {
    const type = responseHeaders.get(CONTENT_TYPE);
    this.isText = !endOfStream && type !== null && type.startsWith(TEXT);
    if (this.isText) responseHeaders.remove(CONTENT_LENGTH);
    return Action.Continue;
  }

  onResponseBody(_size: i32, endOfStream: bool): Action {
    if (!this.isText) return Action.Continue;
    const find = view(this.root.find);
    joined.clear().add(find.slice(0, this.held)).add(responseBody.read());
    const text = joined.view();

    rewritten.clear();
    let from = 0;
    for (let at = text.indexOfBytes(find); at >= 0; at = text.indexOfBytes(find, from)) {
      rewritten.add(text.slice(from, at)).add(this.root.replacement);
      from = at + find.length;
    }
    this.held = endOfStream ? 0 : heldBack(text, from, find);
    rewritten.add(text.slice(from, text.length - this.held));
    responseBody.replace(rewritten.view());
    return Action.Continue;
  }

  recycle(): bool {
    this.isText = false;
    this.held = 0;
    return true;
  }
}

/** How many bytes at the end of `text` begin what is looked for. */
function heldBack(text: Bytes, from: i32, find: Bytes): i32 {
  for (let size = min(find.length - 1, text.length - from); size > 0; size--) {
    if (text.slice(text.length - size).equals(find.slice(0, size))) return size;
  }
  return 0;
}

registerRoot(new ReplaceRoot());
