// Puts a script at the end of the HTML pages that people look at, under `weir dev` alone: it shows what is wrong with the
// filters that are being worked on. Configuration: the URL of the script.
export * from '@weir/filters-sdk/assembly/exports';
import {
  Action,
  RootContext,
  StreamContext,
  registerRoot,
  requestHeaders,
  responseBody,
  responseHeaders,
  utf8,
} from '@weir/filters-sdk/assembly';

const METHOD = utf8(':method');
const ACCEPT = utf8('accept');
const RANGE = utf8('range');
const ACCEPT_ENCODING = utf8('accept-encoding');
const IF_NONE_MATCH = utf8('if-none-match');
const IF_MODIFIED_SINCE = utf8('if-modified-since');
const CONTENT_TYPE = utf8('content-type');
const CONTENT_ENCODING = utf8('content-encoding');
const CONTENT_LENGTH = utf8('content-length');
const HTML = utf8('text/html');
const GET = utf8('GET');

class OverlayRoot extends RootContext {
  private tag: ArrayBuffer = new ArrayBuffer(0);

  onConfigure(configuration: ArrayBuffer): bool {
    this.tag = utf8(`<script src="${String.UTF8.decode(configuration)}" async></script>`);
    return true;
  }

  createStream(): StreamContext {
    return new Overlay(this.tag);
  }
}

class Overlay extends StreamContext {
  /** A person opens a page; what comes back is that page. */
  private isPage: bool = false;

  constructor(private tag: ArrayBuffer) {
    super();
  }

  onRequestHeaders(_count: i32, _endOfStream: bool): Action {
    const method = requestHeaders.get(METHOD);
    const accept = requestHeaders.get(ACCEPT);
    if (method === null || accept === null) return Action.Continue;
    if (!method.equals(GET) || !accept.toString().includes('text/html') || requestHeaders.has(RANGE))
      return Action.Continue;
    this.isPage = true;
    // The page has to come, whole and as it is: to what is compressed nothing can be added.
    requestHeaders.remove(ACCEPT_ENCODING);
    requestHeaders.remove(IF_NONE_MATCH);
    requestHeaders.remove(IF_MODIFIED_SINCE);
    return Action.Continue;
  }

  onResponseHeaders(_count: i32, endOfStream: bool): Action {
    const type = responseHeaders.get(CONTENT_TYPE);
    const isHtml = type !== null && type.startsWith(HTML);
    this.isPage = this.isPage && isHtml && !endOfStream && !responseHeaders.has(CONTENT_ENCODING);
    if (this.isPage) responseHeaders.remove(CONTENT_LENGTH);
    return Action.Continue;
  }

  onResponseBody(_size: i32, endOfStream: bool): Action {
    if (this.isPage && endOfStream) responseBody.append(this.tag);
    return Action.Continue;
  }
}

registerRoot(new OverlayRoot());
