import {
  Context,
  FilterHeadersStatusValues,
  FilterTrailersStatusValues,
  stream_context,
} from '@gcoredev/proxy-wasm-sdk-as/assembly';
import { INFO, LANGUAGE, logLine, reply, requestHeader, setRequestHeader, text } from './support';

export class Headers extends Context {
  onRequestHeaders(count: u32, end: bool): FilterHeadersStatusValues {
    const headers = stream_context.headers.request;
    const path = headers.get(':path');
    if (path == '/hello') {
      reply(200, ['hello', 'powered-by'], ['World', 'proxy-wasm'], 'Hello, World!\n');
      return FilterHeadersStatusValues.StopIteration;
    }
    if (path.startsWith('/old')) headers.replace(':path', '/new' + path.substring(4));
    const all = headers.get_headers();
    let doubles = 0;
    for (let i = 0; i < all.length; i++) if (text(all[i].key) == 'x-double') doubles++;
    headers.replace('x-double-count', doubles.toString());
    headers.replace('x-plugin', LANGUAGE);
    headers.add('x-many', 'a');
    headers.add('x-many', 'b');
    headers.remove('x-remove');
    const echo = headers.get('x-in');
    headers.replace('x-echo', echo == '' ? 'none' : echo);
    return FilterHeadersStatusValues.Continue;
  }

  onResponseHeaders(count: u32, end: bool): FilterHeadersStatusValues {
    const headers = stream_context.headers.response;
    headers.add('x-response', LANGUAGE);
    headers.remove('x-internal');
    const status = headers.get('x-want-status');
    if (status != '') headers.replace(':status', status);
    return FilterHeadersStatusValues.Continue;
  }

  onLog(): void {
    logLine(INFO, 'done ' + requestHeader(':path') + ' ' + stream_context.headers.response.get(':status'));
  }
}

export class Typical extends Context {
  onRequestHeaders(count: u32, end: bool): FilterHeadersStatusValues {
    const length = requestHeader('user-agent').length + requestHeader('accept').length;
    setRequestHeader('x-length', (length + requestHeader('cookie').length).toString());
    return FilterHeadersStatusValues.Continue;
  }
}

export class Replies extends Context {
  onRequestHeaders(count: u32, end: bool): FilterHeadersStatusValues {
    const grpc = requestHeader('x-grpc');
    if (grpc != '') {
      reply(200, ['x-reason'], ['asked'], 'aborted, not ' + grpc, 10);
      return FilterHeadersStatusValues.StopIteration;
    }
    const status = requestHeader('x-reply');
    if (status == '') return FilterHeadersStatusValues.Continue;
    reply(U32.parseInt(status), ['x-reason'], ['asked'], 'replied ' + status + '\n');
    return FilterHeadersStatusValues.StopIteration;
  }

  onResponseHeaders(count: u32, end: bool): FilterHeadersStatusValues {
    if (stream_context.headers.response.get('x-bad') == '') return FilterHeadersStatusValues.Continue;
    reply(502, ['x-reason'], ['bad'], 'replaced\n');
    return FilterHeadersStatusValues.StopIteration;
  }
}

export class Trailers extends Context {
  onRequestTrailers(count: u32): FilterTrailersStatusValues {
    const trailers = stream_context.trailers.request;
    const seen = trailers.get('x-in');
    trailers.add('x-seen', seen == '' ? 'none' : seen);
    return FilterTrailersStatusValues.Continue;
  }

  onResponseTrailers(count: u32): FilterTrailersStatusValues {
    const trailers = stream_context.trailers.response;
    trailers.replace('x-response-trailer', LANGUAGE);
    trailers.remove('x-drop');
    return FilterTrailersStatusValues.Continue;
  }
}
