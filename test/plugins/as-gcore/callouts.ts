import {
  BaseContext,
  BufferTypeValues,
  Context,
  FilterHeadersStatusValues,
  Headers,
  WasmResultValues,
  continue_request,
  continue_response,
  get_buffer_bytes,
  makeHeaderPair,
  stream_context,
} from '@gcoredev/proxy-wasm-sdk-as/assembly';
import { reply, requestHeader, setRequestHeader, text, utf8 } from './support';

const TIMEOUT = 2000;

function head(method: string, path: string): Headers {
  return [
    makeHeaderPair(':method', method),
    makeHeaderPair(':path', path),
    makeHeaderPair(':authority', 'authz'),
  ];
}

export class Auth extends Context {
  onRequestHeaders(count: u32, end: bool): FilterHeadersStatusValues {
    const upstream = requestHeader(':path') == '/unknown' ? 'nowhere' : 'authz';
    const fields = head('POST', '/check');
    fields.push(makeHeaderPair('x-token', requestHeader('x-token')));
    const sent = this.root_context.httpCall(
      upstream,
      fields,
      utf8('who is it?'),
      [],
      TIMEOUT,
      this,
      answered,
    );
    if (sent != WasmResultValues.Ok) reply(500, [], [], 'dispatch refused\n');
    return FilterHeadersStatusValues.StopIteration;
  }
}

function answered(context: BaseContext, fields: u32, size: usize, trailers: u32): void {
  const response = stream_context.headers.http_callback;
  const status = fields == 0 ? 'none' : response.get(':status');
  if (status == '200') {
    setRequestHeader('x-user', response.get('x-user'));
    const body = get_buffer_bytes(BufferTypeValues.HttpCallResponseBody, 0, <u32>size);
    setRequestHeader('x-call-body', text(body));
    continue_request();
    return;
  }
  reply(403, ['x-auth-status'], [status], 'Access forbidden.\n');
}

export class Dispatches extends Context {
  pending: i32 = 3;

  onResponseHeaders(count: u32, end: bool): FilterHeadersStatusValues {
    const paths = ['/1', '/2', '/3'];
    for (let i = 0; i < 3; i++) {
      const fields = head('GET', paths[i]);
      this.root_context.httpCall('authz', fields, utf8(''), [], TIMEOUT, this, counted);
    }
    return FilterHeadersStatusValues.StopIteration;
  }
}

function counted(context: BaseContext, fields: u32, size: usize, trailers: u32): void {
  const dispatches = <Dispatches>context;
  dispatches.pending--;
  if (dispatches.pending > 0) return;
  stream_context.headers.response.replace('x-dispatched', '3');
  continue_response();
}
