// Sets, adds, removes and renames header fields of requests and answers. See README.md.
export * from '@weir/filters-sdk/assembly/exports';
import {
  Action,
  HeaderMap,
  RootContext,
  StreamContext,
  registerRoot,
  requestHeaders,
  responseHeaders,
} from '@weir/filters-sdk/assembly';
import { readConfig } from '@weir/filters-sdk/assembly/config';
import { Edit, readEdits } from './edits';

class HeadersRoot extends RootContext {
  private stream: Headers = new Headers([], []);

  onConfigure(configuration: ArrayBuffer): bool {
    const config = readConfig(configuration);
    const request = readEdits(config.object('request'), true);
    const response = readEdits(config.object('response'), false);
    this.stream = new Headers(request, response);
    return config.end();
  }

  /** One object serves all streams: it keeps nothing of them. */
  createStream(): StreamContext {
    return this.stream;
  }
}

class Headers extends StreamContext {
  constructor(
    private request: Edit[],
    private response: Edit[],
  ) {
    super();
  }

  onRequestHeaders(_count: i32, _endOfStream: bool): Action {
    apply(this.request, requestHeaders);
    return Action.Continue;
  }

  onResponseHeaders(_count: i32, _endOfStream: bool): Action {
    apply(this.response, responseHeaders);
    return Action.Continue;
  }
}

/** In the documented order: rename, remove, set, add. */
function apply(edits: Edit[], headers: HeaderMap): void {
  for (let i = 0; i < edits.length; i++) unchecked(edits[i]).apply(headers);
}

registerRoot(new HeadersRoot());
