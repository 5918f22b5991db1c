/** What a call of the host costs: some nanoseconds, and `BYTE_UNITS` a byte. */
export interface Price {
  readonly ns: number;
  /**
   * Parameters that are sizes in bytes of what the host copies, where they may be large. Calls with any go
   * through a function of ours; others are paid for with the instructions around them.
   */
  readonly sizes: readonly number[];
}

/** A size that is paid for by the byte; the host refuses most of what is larger. */
export const PAID_BYTES = 1024 * 1024;

/** Units that a fast machine works off in a nanosecond. */
export const UNITS_PER_NS = 6;
/** Units for each byte that the host copies or reads. */
export const BYTE_UNITS = 2;

const row = (ns: number, ...sizes: number[]): Price => ({ ns, sizes });

/** Where a name is not here. */
const OTHER = row(500);

/** On the upper side: a guest that makes many calls has to ask for fuel about when the time of a slice is over. */
const PRICES: Readonly<Record<string, Price>> = {
  proxy_log: row(1000),
  proxy_get_buffer_bytes: row(100),
  proxy_get_buffer_status: row(50),
  proxy_set_buffer_bytes: row(300, 4),
  proxy_get_header_map_size: row(300),
  proxy_get_header_map_pairs: row(1000),
  proxy_set_header_map_pairs: row(2000, 2),
  proxy_get_header_map_value: row(150),
  proxy_add_header_map_value: row(400),
  proxy_replace_header_map_value: row(400),
  proxy_remove_header_map_value: row(200),
  proxy_send_local_response: row(1000, 2, 4, 6),
  proxy_http_call: row(10_000, 1, 3, 5, 7),
  proxy_grpc_call: row(10_000, 1, 3, 5, 7, 9),
  proxy_grpc_stream: row(10_000, 1, 3, 5, 7),
  proxy_grpc_send: row(1000, 2),
  proxy_get_shared_data: row(700, 1),
  proxy_set_shared_data: row(1000, 1, 3),
  proxy_register_shared_queue: row(1000, 1),
  proxy_resolve_shared_queue: row(1000, 1, 3),
  proxy_enqueue_shared_queue: row(1000, 2),
  proxy_define_metric: row(2000),
  proxy_increment_metric: row(60),
  proxy_record_metric: row(60),
  proxy_get_property: row(500),
  proxy_set_property: row(2000),
  proxy_call_foreign_function: row(1000, 1, 3),
  random_get: row(5000),
  proxy_get_current_time_nanoseconds: row(100),
  pthread_equal: row(10),
  emscripten_notify_memory_growth: row(10),
};

export function priceOf(name: string): Price {
  return Object.hasOwn(PRICES, name) ? PRICES[name]! : OTHER;
}
