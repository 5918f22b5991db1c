// Numbers of the ABI, under the ABI's names.

/** What a host call answers. Authors do not meet it: see each function for what it makes of it. */
export enum Status {
  Ok = 0,
  NotFound = 1,
  BadArgument = 2,
  Empty = 7,
  CasMismatch = 8,
  InternalFailure = 10,
  Unimplemented = 12,
}

/**
 * What a callback tells the chain.
 *
 * From a header callback `Pause` holds the message until it is resumed; no body callback comes until
 * then. From a body callback it keeps the body that has come, so the next callback sees all of it;
 * `PauseAndDrop` takes the chunk out of the message instead.
 */
export enum Action {
  Continue = 0,
  Pause = 1,
  /** Body callbacks alone: as `Pause`, but a full buffer slows the sender down in place of a 413. */
  PauseAndWatermark = 2,
  /** Body callbacks alone: the chunk is dropped and the message waits. */
  PauseAndDrop = 3,
}

export enum MapType {
  RequestHeaders = 0,
  RequestTrailers = 1,
  ResponseHeaders = 2,
  ResponseTrailers = 3,
  GrpcInitialMetadata = 4,
  GrpcTrailingMetadata = 5,
  HttpCallResponseHeaders = 6,
  HttpCallResponseTrailers = 7,
}

export enum BufferType {
  RequestBody = 0,
  ResponseBody = 1,
  DownstreamData = 2,
  UpstreamData = 3,
  HttpCallResponseBody = 4,
  GrpcReceiveBuffer = 5,
  VmConfiguration = 6,
  PluginConfiguration = 7,
  CallData = 8,
}

export enum StreamType {
  Request = 0,
  Response = 1,
  Downstream = 2,
  Upstream = 3,
}

/** Who closed a connection: `Local` is the host. */
export enum CloseType {
  Unknown = 0,
  Local = 1,
  Remote = 2,
}

export enum MetricType {
  Counter = 0,
  Gauge = 1,
  Histogram = 2,
}

/** How much a line in the host's log matters. */
export enum LogLevel {
  Trace = 0,
  Debug = 1,
  Info = 2,
  Warn = 3,
  Error = 4,
  Critical = 5,
}
