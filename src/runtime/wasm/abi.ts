/**
 * The Proxy-Wasm ABI as weir hosts it: every enumeration, every callback and every host function.
 * Registration, the check of a module's imports and docs/abi.md all come from the tables below.
 *
 * @see https://github.com/proxy-wasm/spec, versions 0.1.0, 0.2.0 and 0.2.1
 */

export const ABI_VERSIONS = ['0.1.0', '0.2.0', '0.2.1'] as const;
export type AbiVersion = (typeof ABI_VERSIONS)[number];

/** What a host call answers. */
export const Status = {
  Ok: 0,
  NotFound: 1,
  BadArgument: 2,
  SerializationFailure: 3,
  ParseFailure: 4,
  BadExpression: 5,
  InvalidMemoryAccess: 6,
  Empty: 7,
  CasMismatch: 8,
  ResultMismatch: 9,
  InternalFailure: 10,
  BrokenConnection: 11,
  Unimplemented: 12,
} as const;
export type Status = (typeof Status)[keyof typeof Status];

export const LogLevel = { Trace: 0, Debug: 1, Info: 2, Warn: 3, Error: 4, Critical: 5 } as const;

/** What a header callback may return; body and trailer callbacks have their own. */
export const HeadersAction = {
  Continue: 0,
  StopIteration: 1,
  ContinueAndEndStream: 2,
  StopAllIterationAndBuffer: 3,
  StopAllIterationAndWatermark: 4,
} as const;

export const BodyAction = {
  Continue: 0,
  StopIterationAndBuffer: 1,
  StopIterationAndWatermark: 2,
  StopIterationNoBuffer: 3,
} as const;

export const TrailersAction = { Continue: 0, StopIteration: 1 } as const;

/** Of TCP callbacks: new connections and data. */
export const TcpAction = { Continue: 0, StopIteration: 1 } as const;

export const BufferType = {
  RequestBody: 0,
  ResponseBody: 1,
  DownstreamData: 2,
  UpstreamData: 3,
  HttpCallResponseBody: 4,
  GrpcReceiveBuffer: 5,
  VmConfiguration: 6,
  PluginConfiguration: 7,
  CallData: 8,
} as const;

export const MapType = {
  RequestHeaders: 0,
  RequestTrailers: 1,
  ResponseHeaders: 2,
  ResponseTrailers: 3,
  GrpcInitialMetadata: 4,
  GrpcTrailingMetadata: 5,
  HttpCallResponseHeaders: 6,
  HttpCallResponseTrailers: 7,
} as const;

export const StreamType = { Request: 0, Response: 1, Downstream: 2, Upstream: 3 } as const;
/** Who closed a connection of a TCP stream. */
export const CloseType = { Unknown: 0, Local: 1, Remote: 2 } as const;
export type CloseType = (typeof CloseType)[keyof typeof CloseType];
export const MetricType = { Counter: 0, Gauge: 1, Histogram: 2 } as const;
export type MetricType = (typeof MetricType)[keyof typeof MetricType];

/** Bit for each callback of a stream that a module exports: what is not wanted is not delivered. */
export const Wants = {
  RequestHeaders: 1,
  RequestBody: 2,
  RequestTrailers: 4,
  ResponseHeaders: 8,
  ResponseBody: 16,
  ResponseTrailers: 32,
  /** `proxy_on_done` or `proxy_on_log`. */
  End: 64,
  NewConnection: 128,
  DownstreamData: 256,
  UpstreamData: 512,
  DownstreamClose: 1024,
  UpstreamClose: 2048,
} as const;

/** What follows heads. */
export const BODY_PHASES =
  Wants.RequestBody | Wants.RequestTrailers | Wants.ResponseBody | Wants.ResponseTrailers;
/** What a filter of HTTP streams, and one of TCP streams, hears before the end. */
export const HTTP_PHASES = Wants.RequestHeaders | Wants.ResponseHeaders | BODY_PHASES;
export const TCP_PHASES =
  Wants.NewConnection |
  Wants.DownstreamData |
  Wants.UpstreamData |
  Wants.DownstreamClose |
  Wants.UpstreamClose;

/** A row of docs/abi.md. */
export interface AbiRow {
  readonly name: string;
  /** One letter a value: `i` i32, `I` i64, `F` f64. */
  readonly params: string;
  readonly results: string;
  readonly versions: readonly AbiVersion[];
  /** Heading of the specification. */
  readonly section: string;
  /** The file that holds it, below src/runtime/wasm. */
  readonly file: string;
  readonly note: string;
}

/** A callback: what the host calls in the guest. A missing export means Continue. */
export interface CallbackRow extends AbiRow {
  /** Fewest parameters that a module may declare: 0.1.0 has no end-of-stream flag. */
  readonly least: number;
  readonly wants: number;
}

export interface HostFunctionRow extends AbiRow {
  readonly module: 'env' | 'wasi';
  /** Whether the start function and the allocator may call it. */
  readonly atStart: boolean;
  /** Names of the statuses that it answers besides Ok and InvalidMemoryAccess. */
  readonly statuses: string;
}

const ALL = ABI_VERSIONS;
const OLD: readonly AbiVersion[] = ['0.1.0'];
const NEW: readonly AbiVersion[] = ['0.2.0', '0.2.1'];
const NEWEST: readonly AbiVersion[] = ['0.2.1'];

/** Callbacks that come to root contexts; the others are of streams, or of both. */
const OF_ROOTS = new Set([
  'proxy_on_vm_start',
  'proxy_on_configure',
  'proxy_on_tick',
  'proxy_on_http_call_response',
  'proxy_on_queue_ready',
  'proxy_on_foreign_function',
]);
const OF_GRPC = /^proxy_on_grpc_/;

function callback(
  section: string,
  name: string,
  params: string,
  results: string,
  wants = 0,
  least = params.length,
  note = '',
  versions: readonly AbiVersion[] = ALL,
): CallbackRow {
  const file = OF_GRPC.test(name) ? 'grpc.ts' : OF_ROOTS.has(name) ? 'root.ts' : 'context.ts';
  return { name, params, results, versions, section, file, note, least, wants };
}

const tcp = (name: string, params: string, results: string, wants: number): CallbackRow =>
  callback('TCP streams', name, params, results, wants);
const grpc = (name: string, note = ''): CallbackRow => callback('gRPC calls', name, 'iii', '', 0, 3, note);

export const CALLBACKS: readonly CallbackRow[] = [
  callback('Context lifecycle', 'proxy_on_context_create', 'ii', ''),
  callback('Context lifecycle', 'proxy_on_vm_start', 'ii', 'i'),
  callback('Context lifecycle', 'proxy_on_configure', 'ii', 'i'),
  callback('Context lifecycle', 'proxy_on_done', 'i', 'i', Wants.End),
  callback('Context lifecycle', 'proxy_on_log', 'i', '', Wants.End),
  callback('Context lifecycle', 'proxy_on_delete', 'i', ''),
  callback('HTTP streams', 'proxy_on_request_headers', 'iii', 'i', Wants.RequestHeaders, 2),
  callback('HTTP streams', 'proxy_on_request_body', 'iii', 'i', Wants.RequestBody),
  callback('HTTP streams', 'proxy_on_request_trailers', 'ii', 'i', Wants.RequestTrailers),
  callback('HTTP streams', 'proxy_on_response_headers', 'iii', 'i', Wants.ResponseHeaders, 2),
  callback('HTTP streams', 'proxy_on_response_body', 'iii', 'i', Wants.ResponseBody),
  callback('HTTP streams', 'proxy_on_response_trailers', 'ii', 'i', Wants.ResponseTrailers),
  callback('Timers', 'proxy_on_tick', 'i', ''),
  callback('HTTP calls', 'proxy_on_http_call_response', 'iiiii', ''),
  callback('Shared queues', 'proxy_on_queue_ready', 'ii', ''),
  callback('Foreign functions', 'proxy_on_foreign_function', 'iii', '', 0, 3, '', NEW),
  tcp('proxy_on_new_connection', 'i', 'i', Wants.NewConnection),
  tcp('proxy_on_downstream_data', 'iii', 'i', Wants.DownstreamData),
  tcp('proxy_on_upstream_data', 'iii', 'i', Wants.UpstreamData),
  tcp('proxy_on_downstream_connection_close', 'ii', '', Wants.DownstreamClose),
  tcp('proxy_on_upstream_connection_close', 'ii', '', Wants.UpstreamClose),
  grpc('proxy_on_grpc_receive_initial_metadata', 'of streams'),
  grpc('proxy_on_grpc_receive', 'the end of a unary call that succeeded'),
  grpc('proxy_on_grpc_receive_trailing_metadata', 'of streams'),
  grpc('proxy_on_grpc_close', 'not for a unary call that succeeded'),
  callback('Explanations', 'weir_on_explain', 'i', '', 0, 1, 'of weir alone'),
];

interface Details {
  readonly versions?: readonly AbiVersion[];
  readonly atStart?: boolean;
  readonly note?: string;
}

function env(
  section: string,
  file: string,
  name: string,
  params: string,
  statuses: string,
  details: Details = {},
): HostFunctionRow {
  return {
    module: 'env',
    name,
    params,
    results: 'i',
    versions: details.versions ?? ALL,
    section,
    file,
    note: details.note ?? '',
    atStart: details.atStart ?? false,
    statuses,
  };
}

function wasi(name: string, params: string, statuses: string, note = ''): HostFunctionRow {
  const results = name === 'proc_exit' ? '' : 'i';
  const row = env('WASI preview 1', 'wasi.ts', name, params, statuses, { atStart: true, note });
  return { ...row, module: 'wasi', results };
}

const WRITES = 'BadArgument';

export const HOST_FUNCTIONS: readonly HostFunctionRow[] = [
  env('Logging', 'log-calls.ts', 'proxy_log', 'iii', 'BadArgument', { atStart: true }),
  env('Logging', 'log-calls.ts', 'proxy_get_log_level', 'i', '', { versions: NEWEST, atStart: true }),
  env('Clocks', 'log-calls.ts', 'proxy_get_current_time_nanoseconds', 'i', '', { atStart: true }),
  env('Timers', 'lifecycle-calls.ts', 'proxy_set_tick_period_milliseconds', 'i', ''),
  env('Context lifecycle', 'lifecycle-calls.ts', 'proxy_set_effective_context', 'i', 'BadArgument'),
  env('Context lifecycle', 'lifecycle-calls.ts', 'proxy_done', '', 'NotFound'),
  env('Buffers', 'buffer-calls.ts', 'proxy_get_buffer_bytes', 'iiiii', 'NotFound BadArgument'),
  env('Buffers', 'buffer-calls.ts', 'proxy_get_buffer_status', 'iii', 'NotFound BadArgument'),
  env('Buffers', 'buffer-calls.ts', 'proxy_set_buffer_bytes', 'iiiii', 'NotFound BadArgument'),
  env('Buffers', 'buffer-calls.ts', 'proxy_get_configuration', 'ii', '', { versions: OLD }),
  env('HTTP fields', 'header-calls.ts', 'proxy_get_header_map_size', 'ii', WRITES),
  env('HTTP fields', 'header-calls.ts', 'proxy_get_header_map_pairs', 'iii', WRITES),
  env('HTTP fields', 'header-calls.ts', 'proxy_set_header_map_pairs', 'iii', WRITES),
  env('HTTP fields', 'header-calls.ts', 'proxy_get_header_map_value', 'iiiii', 'NotFound BadArgument'),
  env('HTTP fields', 'header-calls.ts', 'proxy_add_header_map_value', 'iiiii', WRITES),
  env('HTTP fields', 'header-calls.ts', 'proxy_replace_header_map_value', 'iiiii', WRITES),
  env('HTTP fields', 'header-calls.ts', 'proxy_remove_header_map_value', 'iii', WRITES),
  env('HTTP streams', 'stream-calls.ts', 'proxy_send_local_response', 'iiiiiiii', WRITES),
  env('HTTP streams', 'stream-calls.ts', 'proxy_continue_stream', 'i', WRITES, { versions: NEW }),
  env('HTTP streams', 'stream-calls.ts', 'proxy_close_stream', 'i', WRITES, { versions: NEW }),
  env('HTTP streams', 'stream-calls.ts', 'proxy_continue_request', '', '', { versions: OLD }),
  env('HTTP streams', 'stream-calls.ts', 'proxy_continue_response', '', '', { versions: OLD }),
  env('HTTP streams', 'stream-calls.ts', 'proxy_clear_route_cache', '', '', { versions: OLD }),
  env('HTTP calls', 'callout-calls.ts', 'proxy_http_call', 'iiiiiiiiii', 'BadArgument InternalFailure'),
  env('HTTP calls', 'callout-calls.ts', 'proxy_get_status', 'iii', ''),
  env('gRPC calls', 'grpc-calls.ts', 'proxy_grpc_call', 'iiiiiiiiiiii', 'ParseFailure InternalFailure'),
  env('gRPC calls', 'grpc-calls.ts', 'proxy_grpc_stream', 'iiiiiiiii', 'ParseFailure InternalFailure'),
  env('gRPC calls', 'grpc-calls.ts', 'proxy_grpc_send', 'iiii', 'NotFound BadArgument'),
  env('gRPC calls', 'grpc-calls.ts', 'proxy_grpc_cancel', 'i', 'NotFound'),
  env('gRPC calls', 'grpc-calls.ts', 'proxy_grpc_close', 'i', 'NotFound'),
  env('Shared data', 'shared-calls.ts', 'proxy_get_shared_data', 'iiiii', 'NotFound'),
  env('Shared data', 'shared-calls.ts', 'proxy_set_shared_data', 'iiiii', 'CasMismatch InternalFailure'),
  env('Shared queues', 'shared-calls.ts', 'proxy_register_shared_queue', 'iii', 'InternalFailure'),
  env('Shared queues', 'shared-calls.ts', 'proxy_resolve_shared_queue', 'iiiii', 'NotFound'),
  env('Shared queues', 'shared-calls.ts', 'proxy_enqueue_shared_queue', 'iii', 'NotFound InternalFailure'),
  env('Shared queues', 'shared-calls.ts', 'proxy_dequeue_shared_queue', 'iii', 'NotFound Empty'),
  env('Metrics', 'metric-calls.ts', 'proxy_define_metric', 'iiii', 'BadArgument InternalFailure'),
  env('Metrics', 'metric-calls.ts', 'proxy_increment_metric', 'iI', 'NotFound BadArgument'),
  env('Metrics', 'metric-calls.ts', 'proxy_record_metric', 'iI', 'NotFound'),
  env('Metrics', 'metric-calls.ts', 'proxy_get_metric', 'ii', 'NotFound BadArgument'),
  env('Properties', 'property-calls.ts', 'proxy_get_property', 'iiii', 'NotFound SerializationFailure'),
  env('Properties', 'property-calls.ts', 'proxy_set_property', 'iiii', 'NotFound BadArgument'),
  env(
    'Foreign functions',
    'foreign.ts',
    'proxy_call_foreign_function',
    'iiiiii',
    'NotFound BadArgument InternalFailure',
  ),
  {
    ...env('Integration', 'log-calls.ts', 'emscripten_notify_memory_growth', 'i', '', { atStart: true }),
    results: '',
  },
  env('Integration', 'log-calls.ts', 'pthread_equal', 'ii', '', { atStart: true }),
  {
    ...env('Integration', 'log-calls.ts', 'abort', 'iiii', '', {
      atStart: true,
      note: 'AssemblyScript: logs, then traps',
    }),
    results: '',
  },
  {
    ...env('Integration', 'log-calls.ts', 'seed', '', '', {
      atStart: true,
      note: 'AssemblyScript: for Math.random',
    }),
    results: 'F',
  },
  wasi('fd_write', 'iiii', 'BADF FAULT', 'descriptor 1 logs at info, 2 at error'),
  wasi('fd_pwrite', 'iiiIi', 'BADF FAULT', 'as fd_write, the offset is ignored'),
  wasi('fd_read', 'iiii', 'ENOSYS'),
  wasi('fd_pread', 'iiiIi', 'ENOSYS'),
  wasi('fd_seek', 'iIii', '', 'does nothing'),
  wasi('fd_close', 'i', '', 'does nothing'),
  wasi('fd_fdstat_get', 'ii', 'BADF FAULT'),
  wasi('fd_fdstat_set_flags', 'ii', 'ENOSYS'),
  wasi('fd_prestat_get', 'ii', 'BADF'),
  wasi('fd_prestat_dir_name', 'iii', 'ENOSYS'),
  wasi('fd_filestat_get', 'ii', 'BADF'),
  wasi('path_open', 'iiiiiIIii', 'NOENT'),
  wasi('clock_time_get', 'iIi', 'NOTSUP FAULT', 'resolution 1 ms'),
  wasi('clock_res_get', 'ii', 'NOTSUP FAULT'),
  wasi('random_get', 'ii', 'INVAL FAULT', 'at most 64 KiB a call'),
  wasi('environ_sizes_get', 'ii', 'FAULT', '`vm.env` of the Module'),
  wasi('environ_get', 'ii', 'FAULT'),
  wasi('args_sizes_get', 'ii', 'FAULT', 'no argument is passed'),
  wasi('args_get', 'ii', ''),
  wasi('poll_oneoff', 'iiii', 'FAULT', 'reports no event'),
  wasi('sched_yield', '', ''),
  wasi('proc_exit', 'i', '', 'ends the instance; 0 in _start is a normal end'),
];
