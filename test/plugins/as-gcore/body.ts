import {
  BufferTypeValues,
  Context,
  FilterDataStatusValues,
  FilterHeadersStatusValues,
  get_buffer_bytes,
  set_buffer_bytes,
  stream_context,
} from '@gcoredev/proxy-wasm-sdk-as/assembly';
import { reply, requestHeader, text, utf8 } from './support';

export class Body extends Context {
  private mode: string = '';

  onRequestHeaders(count: u32, end: bool): FilterHeadersStatusValues {
    this.mode = requestHeader('x-body');
    stream_context.headers.request.remove('content-length');
    return FilterHeadersStatusValues.Continue;
  }

  onRequestBody(size: usize, end: bool): FilterDataStatusValues {
    if (!end) return FilterDataStatusValues.StopIterationAndBuffer;
    const request = BufferTypeValues.HttpRequestBody;
    if (this.mode == 'append') set_buffer_bytes(request, <u32>size, 0, utf8('[end]'));
    else if (this.mode == 'prepend') set_buffer_bytes(request, 0, 0, utf8('[begin]'));
    else if (this.mode == 'replace') set_buffer_bytes(request, 0, <u32>size, utf8('[replaced]'));
    else redact(request, <u32>size);
    return FilterDataStatusValues.Continue;
  }

  onResponseHeaders(count: u32, end: bool): FilterHeadersStatusValues {
    stream_context.headers.response.remove('content-length');
    return FilterHeadersStatusValues.Continue;
  }

  onResponseBody(size: usize, end: bool): FilterDataStatusValues {
    if (!end) return FilterDataStatusValues.StopIterationAndBuffer;
    redact(BufferTypeValues.HttpResponseBody, <u32>size);
    return FilterDataStatusValues.Continue;
  }
}

function redact(buffer: BufferTypeValues, size: u32): void {
  if (text(get_buffer_bytes(buffer, 0, size)).indexOf('secret') < 0) return;
  const told = 'Original message body (' + size.toString() + ' bytes) redacted.\n';
  set_buffer_bytes(buffer, 0, size, utf8(told));
}

export class Scan extends Context {
  onRequestBody(size: usize, end: bool): FilterDataStatusValues {
    const at = text(get_buffer_bytes(BufferTypeValues.HttpRequestBody, 0, <u32>size)).indexOf('pattern');
    if (at >= 0) {
      reply(403, ['x-scan'], ['found'], 'pattern at ' + at.toString() + '\n');
      return FilterDataStatusValues.StopIterationNoBuffer;
    }
    return end ? FilterDataStatusValues.Continue : FilterDataStatusValues.StopIterationAndBuffer;
  }
}
