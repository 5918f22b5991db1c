/** Host calls are counted by what they are about; the names are those of capabilities where there is one. */
export const HOST_GROUPS = [
  'headers',
  'body',
  'reply',
  'properties',
  'httpCall',
  'grpcCall',
  'sharedData',
  'sharedQueues',
  'metrics',
  'tick',
  'foreign',
  'log',
  'other',
  'denied',
] as const;

/** Index of each group. */
export const HostGroup = {
  Headers: 0,
  Body: 1,
  Reply: 2,
  Properties: 3,
  HttpCall: 4,
  GrpcCall: 5,
  SharedData: 6,
  SharedQueues: 7,
  Metrics: 8,
  Tick: 9,
  Foreign: 10,
  /** Lines, clocks. */
  Log: 11,
  /** Contexts, resuming, the configuration, what runtimes of compilers ask. */
  Other: 12,
  /** Calls that were refused for want of a capability. */
  Denied: 13,
} as const;

/** What a plugin has used since it started. Only ever grows. */
export class PluginUsage {
  /** Fuel of all callbacks. */
  fuel = 0;
  /** HTTP and gRPC calls that were sent. */
  callouts = 0;
  /** By `HostGroup`. */
  readonly hostCalls = new Float64Array(HOST_GROUPS.length);
}
