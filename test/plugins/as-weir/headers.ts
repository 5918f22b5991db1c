import {
  Action,
  LogLevel,
  PairsWriter,
  Reply,
  StreamContext,
  log,
  requestHeader,
  requestHeaders,
  requestTrailers,
  responseHeader,
  responseHeaders,
  responseTrailers,
  utf8,
} from '@weir/filters-sdk/assembly';
import { proxy_send_local_response } from '@weir/filters-sdk/assembly/env';

export const LANGUAGE = 'as-weir';

export class Headers extends StreamContext {
  onRequestHeaders(count: i32, endOfStream: bool): Action {
    const path = requestHeader(':path')!;
    if (path.equals('/hello')) {
      const reply = new Reply(200, 'Hello, World!\n');
      reply.headers.add('hello', 'World').add('powered-by', 'proxy-wasm');
      return reply.send();
    }
    if (path.startsWith('/old')) requestHeaders.set(':path', '/new' + path.slice(4).toString());
    let doubles = 0;
    const all = requestHeaders.all();
    while (all.nextNamed('x-double')) doubles++;
    requestHeaders.set('x-double-count', doubles.toString());
    requestHeaders.set('x-plugin', LANGUAGE);
    requestHeaders.add('x-many', 'a');
    requestHeaders.add('x-many', 'b');
    requestHeaders.remove('x-remove');
    const echo = requestHeader('x-in');
    requestHeaders.set('x-echo', echo === null ? 'none' : echo.toString());
    return Action.Continue;
  }

  onResponseHeaders(count: i32, endOfStream: bool): Action {
    responseHeaders.add('x-response', LANGUAGE);
    responseHeaders.remove('x-internal');
    const status = responseHeader('x-want-status');
    if (status !== null) responseHeaders.set(':status', status);
    return Action.Continue;
  }

  onLog(): void {
    log(
      LogLevel.Info,
      'done ' + requestHeader(':path')!.toString() + ' ' + responseHeader(':status')!.toString(),
    );
  }
}

const USER_AGENT = utf8('user-agent');
const ACCEPT = utf8('accept');
const COOKIE = utf8('cookie');
const LENGTH = utf8('x-length');

export class Typical extends StreamContext {
  onRequestHeaders(count: i32, endOfStream: bool): Action {
    const total = lengthOf(USER_AGENT) + lengthOf(ACCEPT) + lengthOf(COOKIE);
    requestHeaders.set(LENGTH, total.toString());
    return Action.Continue;
  }
}

function lengthOf(name: ArrayBuffer): i32 {
  const value = requestHeader(name);
  return value === null ? 0 : value.length;
}

export class Replies extends StreamContext {
  onRequestHeaders(count: i32, endOfStream: bool): Action {
    const grpc = requestHeader('x-grpc');
    if (grpc !== null) return replyGrpc('aborted, not ' + grpc.toString());
    const status = requestHeader('x-reply');
    if (status === null) return Action.Continue;
    const reply = new Reply(<i32>status.toUnsigned(), 'replied ' + status.toString() + '\n');
    reply.headers.add('x-reason', 'asked');
    return reply.send();
  }

  onResponseHeaders(count: i32, endOfStream: bool): Action {
    if (responseHeader('x-bad') === null) return Action.Continue;
    const reply = new Reply(502, 'replaced\n');
    reply.headers.add('x-reason', 'bad');
    return reply.send();
  }
}

/** The SDK has no replies with a gRPC status. */
function replyGrpc(message: string): Action {
  const body = utf8(message);
  const fields = new PairsWriter().add('x-reason', 'asked').view();
  const start = changetype<usize>(body);
  proxy_send_local_response(200, 0, 0, start, body.byteLength, fields.start, fields.length, 10);
  return Action.Pause;
}

export class Trailers extends StreamContext {
  onRequestTrailers(count: i32): Action {
    const seen = requestTrailers.get('x-in');
    requestTrailers.add('x-seen', seen === null ? 'none' : seen.toString());
    return Action.Continue;
  }

  onResponseTrailers(count: i32): Action {
    responseTrailers.set('x-response-trailer', LANGUAGE);
    responseTrailers.remove('x-drop');
    return Action.Continue;
  }
}
