/**
 * What the arguments of host functions are, so that a call can be written down by what it says and not by
 * where in memory it says it. One letter each:
 *
 *     i  a number          I  a 64-bit number
 *     b  bytes that the guest hands over: pointer, size
 *     D  bytes that the host hands over: pointer to their place, pointer to their size
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
  proxy_get_buffer_bytes: 'iiiD',
  proxy_get_buffer_status: 'iw-',
  proxy_set_buffer_bytes: 'iiib',
  proxy_get_configuration: 'D',
  proxy_get_header_map_size: 'iw',
  proxy_get_header_map_pairs: 'iD',
  proxy_set_header_map_pairs: 'ib',
  proxy_get_header_map_value: 'ibD',
  proxy_add_header_map_value: 'ibb',
  proxy_replace_header_map_value: 'ibb',
  proxy_remove_header_map_value: 'ib',
  proxy_send_local_response: 'ibbbi',
  proxy_continue_stream: 'i',
  proxy_close_stream: 'i',
  proxy_http_call: 'bbbbiw',
  proxy_get_status: 'wD',
  proxy_grpc_call: 'bbbbbiw',
  proxy_grpc_stream: 'bbbbw',
  proxy_grpc_send: 'ibi',
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
  proxy_get_property: 'bD',
  proxy_set_property: 'bb',
  proxy_call_foreign_function: 'bbD',
  fd_write: 'ilw',
  clock_time_get: 'i-W',
  clock_res_get: 'iW',
  random_get: 'r',
};

/** Of a function without arguments, or whose arguments say nothing (`pthread_equal`, `sched_yield`): empty. */
export function shapeOf(name: string): string {
  return SHAPES[name] ?? '';
}
