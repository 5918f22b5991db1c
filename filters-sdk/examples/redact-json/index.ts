// A body as a whole: hides the values of named members in JSON answers, at any depth.
export * from '@weir/filters-sdk/assembly/exports';
import {
  Action,
  ByteWriter,
  Bytes,
  Reply,
  RootContext,
  StreamContext,
  registerRoot,
  requestHeaders,
  responseBody,
  responseHeaders,
  utf8,
} from '@weir/filters-sdk/assembly';
import { readConfig } from '@weir/filters-sdk/assembly/config';

const ACCEPT_ENCODING = utf8('accept-encoding');
const CONTENT_ENCODING = utf8('content-encoding');
const CONTENT_LENGTH = utf8('content-length');
const CONTENT_TYPE = utf8('content-type');
const ETAG = utf8('etag');
const JSON = utf8('application/json');
const MASK = utf8('"***"');
const QUOTE: i32 = 34;
const BACKSLASH: i32 = 92;
const COLON: i32 = 58;

const unreadable = Reply.problem(502, 'Bad Gateway', 'the answer cannot be looked into', 'encoded_answer');

/** The new body; its memory is used again. */
const redacted = new ByteWriter(16 * 1024);

class RedactRoot extends RootContext {
  names: ArrayBuffer[] = [];

  onConfigure(configuration: ArrayBuffer): bool {
    const config = readConfig(configuration);
    const members = config.items('members');
    for (let i = 0; i < members.length; i++) this.names.push(members[i].text);
    return config.end();
  }

  createStream(): StreamContext {
    return new Redact(this);
  }
}

class Redact extends StreamContext {
  private isJson: bool = false;

  constructor(private root: RedactRoot) {
    super();
  }

  onRequestHeaders(_count: i32, _endOfStream: bool): Action {
    // Bytes that are compressed cannot be looked into.
    requestHeaders.remove(ACCEPT_ENCODING);
    return Action.Continue;
  }

  onResponseHeaders(_count: i32, endOfStream: bool): Action {
    const type = responseHeaders.get(CONTENT_TYPE);
    this.isJson = !endOfStream && type !== null && type.startsWith(JSON);
    if (!this.isJson) return Action.Continue;
    if (responseHeaders.has(CONTENT_ENCODING)) return unreadable.send();
    // The length changes, and the answer is another one than the upstream's tag stands for.
    responseHeaders.remove(CONTENT_LENGTH);
    responseHeaders.remove(ETAG);
    return Action.Continue;
  }

  onResponseBody(_size: i32, endOfStream: bool): Action {
    if (!this.isJson) return Action.Continue;
    // Kept by the host: the next callback sees all that has come so far.
    if (!endOfStream) return Action.Pause;
    if (redact(responseBody.read(), this.root.names)) responseBody.replace(redacted.view());
    return Action.Continue;
  }
}

/** Whether something was hidden; then `redacted` has the new text. */
function redact(text: Bytes, names: ArrayBuffer[]): bool {
  redacted.clear();
  let copied = 0;
  for (let at = 0; at < text.length;) {
    if (text.at(at) != QUOTE) {
      at++;
      continue;
    }
    const end = endOfString(text, at);
    const colon = skipBlanks(text, end);
    const isName = colon < text.length && text.at(colon) == COLON;
    if (isName && includes(names, text.slice(at + 1, end - 1))) {
      const value = skipBlanks(text, colon + 1);
      redacted.add(text.slice(copied, value)).add(MASK);
      copied = at = endOfValue(text, value);
    } else {
      at = end;
    }
  }
  if (copied > 0) redacted.add(text.slice(copied));
  return copied > 0;
}

function includes(names: ArrayBuffer[], name: Bytes): bool {
  for (let i = 0; i < names.length; i++) if (name.equals(names[i])) return true;
  return false;
}

/** Index behind the closing quote of the string that begins at `at`. */
function endOfString(text: Bytes, at: i32): i32 {
  for (let i = at + 1; i < text.length; i++) {
    const byte = text.at(i);
    if (byte == BACKSLASH) i++;
    else if (byte == QUOTE) return i + 1;
  }
  return text.length;
}

/** Index behind a value: a string, an object or array with all in it, or a word. */
function endOfValue(text: Bytes, at: i32): i32 {
  let depth = 0;
  for (let i = at; i < text.length; i++) {
    const byte = text.at(i);
    if (byte == QUOTE) {
      i = endOfString(text, i) - 1;
      if (depth == 0) return i + 1;
    } else if (byte == 123 || byte == 91) {
      depth++;
    } else if (byte == 125 || byte == 93) {
      // The brace of a word's own object is not part of it.
      if (depth == 0) return i;
      if (--depth == 0) return i + 1;
    } else if (depth == 0 && byte == 44) {
      return i;
    }
  }
  return text.length;
}

function skipBlanks(text: Bytes, at: i32): i32 {
  while (at < text.length && text.at(at) <= 32) at++;
  return at;
}

registerRoot(new RedactRoot());
