import {
  BufferTypeValues,
  Headers,
  call_foreign_function,
  get_buffer_bytes,
  get_property,
  makeHeaderPair,
  send_local_response,
  stream_context,
} from '@gcoredev/proxy-wasm-sdk-as/assembly';

import { proxy_call_foreign_function, proxy_get_metric, proxy_log } from './env';

export const LANGUAGE = 'as-gcore';

export const TRACE = 0;
export const INFO = 2;
export const ERROR = 4;

const out = memory.data(16);

export function logLine(level: i32, text: string): void {
  const bytes = utf8(text);
  proxy_log(level, changetype<usize>(bytes), bytes.byteLength);
}

export function metricValue(metric: u32): string {
  assert(proxy_get_metric(metric, out) == 0);
  return load<u64>(out).toString();
}

export function foreignStatus(name: string): i32 {
  const bytes = utf8(name);
  return proxy_call_foreign_function(changetype<usize>(bytes), bytes.byteLength, 0, 0, out, out + 8);
}

/** A result is an ArrayBuffer, as the SDK's malloc makes them. */
export function foreign(name: string, args: ArrayBuffer): ArrayBuffer {
  const bytes = utf8(name);
  const status = proxy_call_foreign_function(
    changetype<usize>(bytes),
    bytes.byteLength,
    changetype<usize>(args),
    args.byteLength,
    out,
    out + 8,
  );
  return status == 0 ? changetype<ArrayBuffer>(load<usize>(out)) : new ArrayBuffer(0);
}

export function foreignText(name: string, args: string): ArrayBuffer {
  return call_foreign_function(name, args);
}

export function vmConfiguration(size: u32): string {
  return size == 0 ? '' : text(get_buffer_bytes(BufferTypeValues.VmConfiguration, 0, size));
}

export function utf8(value: string): ArrayBuffer {
  return String.UTF8.encode(value);
}

export function text(bytes: ArrayBuffer): string {
  return String.UTF8.decode(bytes);
}

export function requestHeader(name: string): string {
  return stream_context.headers.request.get(name);
}

export function setRequestHeader(name: string, value: string): void {
  stream_context.headers.request.replace(name, value);
}

export function property(dotted: string): ArrayBuffer {
  return get_property(dotted.split('.').join('\0'));
}

export function reply(status: u32, names: string[], values: string[], body: string, grpc: i32 = -1): void {
  const fields: Headers = [];
  for (let i = 0; i < names.length; i++) fields.push(makeHeaderPair(names[i], values[i]));
  send_local_response(status, '', utf8(body), fields, grpc);
}
