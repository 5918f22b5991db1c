// The functions a Proxy-Wasm host offers, declarations only, in the ABI's spelling. The file is named env
// because AssemblyScript takes the import module's name from the file that declares the function. What a
// filter does not use is not imported.

export declare function proxy_log(level: i32, message: usize, size: i32): i32;
export declare function proxy_get_log_level(outLevel: usize): i32;
export declare function proxy_get_current_time_nanoseconds(outTime: usize): i32;
export declare function proxy_set_tick_period_milliseconds(period: u32): i32;
export declare function proxy_set_effective_context(context: u32): i32;
export declare function proxy_done(): i32;

export declare function proxy_get_buffer_bytes(
  buffer: i32,
  start: i32,
  maxSize: i32,
  outData: usize,
  outSize: usize,
): i32;
export declare function proxy_set_buffer_bytes(
  buffer: i32,
  start: i32,
  size: i32,
  data: usize,
  dataSize: i32,
): i32;

export declare function proxy_get_buffer_status(buffer: i32, outSize: usize, outFlags: usize): i32;

export declare function proxy_get_header_map_pairs(map: i32, outData: usize, outSize: usize): i32;
export declare function proxy_set_header_map_pairs(map: i32, data: usize, size: i32): i32;
export declare function proxy_get_header_map_value(
  map: i32,
  name: usize,
  nameSize: i32,
  outData: usize,
  outSize: usize,
): i32;
export declare function proxy_add_header_map_value(
  map: i32,
  name: usize,
  nameSize: i32,
  value: usize,
  valueSize: i32,
): i32;
export declare function proxy_replace_header_map_value(
  map: i32,
  name: usize,
  nameSize: i32,
  value: usize,
  valueSize: i32,
): i32;
export declare function proxy_remove_header_map_value(map: i32, name: usize, nameSize: i32): i32;

export declare function proxy_continue_stream(stream: i32): i32;
export declare function proxy_close_stream(stream: i32): i32;
export declare function proxy_send_local_response(
  status: i32,
  details: usize,
  detailsSize: i32,
  body: usize,
  bodySize: i32,
  headers: usize,
  headersSize: i32,
  grpcStatus: i32,
): i32;

export declare function proxy_http_call(
  upstream: usize,
  upstreamSize: i32,
  headers: usize,
  headersSize: i32,
  body: usize,
  bodySize: i32,
  trailers: usize,
  trailersSize: i32,
  timeoutMs: u32,
  outToken: usize,
): i32;
export declare function proxy_grpc_call(
  upstream: usize,
  upstreamSize: i32,
  service: usize,
  serviceSize: i32,
  method: usize,
  methodSize: i32,
  metadata: usize,
  metadataSize: i32,
  message: usize,
  messageSize: i32,
  timeoutMs: u32,
  outToken: usize,
): i32;
export declare function proxy_grpc_stream(
  upstream: usize,
  upstreamSize: i32,
  service: usize,
  serviceSize: i32,
  method: usize,
  methodSize: i32,
  metadata: usize,
  metadataSize: i32,
  outToken: usize,
): i32;
export declare function proxy_grpc_send(token: u32, message: usize, size: i32, endStream: i32): i32;
export declare function proxy_grpc_cancel(token: u32): i32;
export declare function proxy_grpc_close(token: u32): i32;
export declare function proxy_get_status(outCode: usize, outData: usize, outSize: usize): i32;

export declare function proxy_get_shared_data(
  key: usize,
  keySize: i32,
  outData: usize,
  outSize: usize,
  outCas: usize,
): i32;
export declare function proxy_set_shared_data(
  key: usize,
  keySize: i32,
  value: usize,
  valueSize: i32,
  cas: u32,
): i32;
export declare function proxy_register_shared_queue(name: usize, nameSize: i32, outId: usize): i32;
export declare function proxy_resolve_shared_queue(
  vmId: usize,
  vmIdSize: i32,
  name: usize,
  nameSize: i32,
  outId: usize,
): i32;
export declare function proxy_enqueue_shared_queue(id: u32, data: usize, size: i32): i32;
export declare function proxy_dequeue_shared_queue(id: u32, outData: usize, outSize: usize): i32;

export declare function proxy_define_metric(type: i32, name: usize, nameSize: i32, outId: usize): i32;
export declare function proxy_increment_metric(id: u32, delta: i64): i32;
export declare function proxy_record_metric(id: u32, value: u64): i32;
export declare function proxy_get_metric(id: u32, outValue: usize): i32;

export declare function proxy_get_property(path: usize, pathSize: i32, outData: usize, outSize: usize): i32;
export declare function proxy_set_property(path: usize, pathSize: i32, value: usize, valueSize: i32): i32;

export declare function proxy_call_foreign_function(
  name: usize,
  nameSize: i32,
  args: usize,
  argsSize: i32,
  outData: usize,
  outSize: usize,
): i32;
