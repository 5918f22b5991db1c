/** Why a stream ended as it did, one bit each; the text of each is Envoy's, so that its tools read weir's logs. */
export const ResponseFlag = {
  /** Failed local health check. */
  FailedLocalHealthCheck: 1 << 0,
  /** No healthy endpoint in the cluster, 503. */
  NoHealthyUpstream: 1 << 1,
  /** The upstream did not answer in time, 504. */
  UpstreamRequestTimeout: 1 << 2,
  /** Weir reset the stream, 503. */
  LocalReset: 1 << 3,
  /** The upstream reset the stream, 503. */
  UpstreamRemoteReset: 1 << 4,
  /** The connection to the upstream could not be made, 503. */
  UpstreamConnectionFailure: 1 << 5,
  /** The upstream closed its connection, 503. */
  UpstreamConnectionTermination: 1 << 6,
  /** `maxRequests`, `maxPending` or `maxConnections` of the cluster was reached, 503. */
  UpstreamOverflow: 1 << 7,
  /** No route matched, 404. */
  NoRouteFound: 1 << 8,
  /** A filter answered 429. */
  RateLimited: 1 << 9,
  /** A filter refused the request as not authorised. */
  Unauthorized: 1 << 10,
  /** The client closed its connection. */
  DownstreamConnectionTermination: 1 << 11,
  /** All attempts were used up, or the retry budget was. */
  UpstreamRetryLimitExceeded: 1 << 12,
  /** Idle for too long, 408 or 504. */
  StreamIdleTimeout: 1 << 13,
  /** The request broke the rules of HTTP. */
  DownstreamProtocolError: 1 << 14,
  /** The answer broke the rules of HTTP, 502. */
  UpstreamProtocolError: 1 << 15,
  /** The whole request took too long, 504. */
  DurationTimeout: 1 << 16,
  /** The cluster does not exist, 500. */
  NoClusterFound: 1 << 17,
  /** Refused because the worker is overloaded, 503. */
  OverloadManager: 1 << 18,
  /** Names of the cluster do not resolve, 503. */
  DnsResolutionFailed: 1 << 19,
} as const;

const TEXTS: readonly string[] = [
  'LH',
  'UH',
  'UT',
  'LR',
  'UR',
  'UF',
  'UC',
  'UO',
  'NR',
  'RL',
  'UAEX',
  'DC',
  'URX',
  'SI',
  'DPE',
  'UPE',
  'DT',
  'NC',
  'OM',
  'DF',
];

/** As in an access log: `UF,URX`, or `-` where no flag is set. */
export function responseFlagsText(flags: number): string {
  if (flags === 0) return '-';
  return TEXTS.filter((_, bit) => (flags & (1 << bit)) !== 0).join(',');
}
