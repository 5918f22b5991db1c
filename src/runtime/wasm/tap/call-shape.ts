/**
 * What the arguments of host functions are, so that a call can be written down by what it says and not by
 * where in memory it says it. One letter each:
 *
 *     i  a number          I  a 64-bit number
 *     b  bytes that the guest hands over: pointer, size
 *     B  the same, a body                   p  the same, a map of fields
 *     v  the same, the value of the field that the argument before names
 *     f  the same, for the foreign function that the argument before names
 *     D  bytes that the host hands over: pointer to their place, pointer to their size
 *     E  the same, of the buffer that the first argument names
 *     P  the same, a map of fields          V  the same, the value of the field that the argument before names
 *     F  the same, of the foreign function that the first argument names
 *     Q  the same, the property that the argument before names
 *     w  where the host writes a u32        W  where it writes a u64
 *     r  memory that the host fills: pointer, size
 *     l  a line in pieces: pointer to (pointer, size) pairs, their number
 *     -  is left out
 */
const SHAPES: Readonly<Record<string, string>> = {
  proxy_log: 'ib',
  proxy_get_log_level: 'w',
  proxy_get_current_time_nanoseconds: 'W',
  proxy_set_tick_period_milliseconds: 'i',
  proxy_set_effective_context: 'i',
  proxy_get_buffer_bytes: 'iiiE',
  proxy_get_buffer_status: 'iw-',
  proxy_set_buffer_bytes: 'iiiB',
  proxy_get_configuration: 'D',
  proxy_get_header_map_size: 'iw',
  proxy_get_header_map_pairs: 'iP',
  proxy_set_header_map_pairs: 'ip',
  proxy_get_header_map_value: 'ibV',
  proxy_add_header_map_value: 'ibv',
  proxy_replace_header_map_value: 'ibv',
  proxy_remove_header_map_value: 'ib',
  proxy_send_local_response: 'ibbpi',
  proxy_continue_stream: 'i',
  proxy_close_stream: 'i',
  proxy_http_call: 'bpBpiw',
  proxy_get_status: 'wD',
  proxy_grpc_call: 'bbbpBiw',
  proxy_grpc_stream: 'bbbpw',
  proxy_grpc_send: 'iBi',
  proxy_grpc_cancel: 'i',
  proxy_grpc_close: 'i',
  proxy_get_shared_data: 'bDw',
  proxy_set_shared_data: 'bbi',
  proxy_register_shared_queue: 'bw',
  proxy_resolve_shared_queue: 'bbw',
  proxy_enqueue_shared_queue: 'ib',
  proxy_dequeue_shared_queue: 'iD',
  proxy_define_metric: 'ibw',
  proxy_increment_metric: 'iI',
  proxy_record_metric: 'iI',
  proxy_get_metric: 'iW',
  proxy_get_property: 'bQ',
  proxy_set_property: 'bb',
  proxy_call_foreign_function: 'bfF',
  fd_write: 'ilw',
  clock_time_get: 'i-W',
  clock_res_get: 'iW',
  random_get: 'r',
};

/** Of a function without arguments, or whose arguments say nothing (`pthread_equal`, `sched_yield`): empty. */
export function shapeOf(name: string): string {
  return SHAPES[name] ?? '';
}
