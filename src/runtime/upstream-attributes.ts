import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import { certificateRows } from './certificate-attributes.ts';
import type { Cluster, Endpoint } from './cluster.ts';
import type { AttributePhase, AttributeRow } from './wasm/attribute-table.ts';
import { int, LOCALITY, nanoseconds, text, uint } from './wasm/attribute-values.ts';
import type { AttributeValue } from './wasm/stream-host.ts';

/** What attributes tell of a connection to an endpoint. */
export interface UpstreamFacts {
  /** Weir's end; null: not connected yet. */
  readonly local: { readonly host: string; readonly port: number } | null;
  /** Why it did not come about; empty where it did. */
  readonly failureReason: string;
  readonly connectMs: number;
  readonly socket: Socket;
}

/** What has attempts: a stream, of whichever protocol. */
interface Attempting {
  readonly cluster: Cluster | null;
  /** Of the last attempt. */
  readonly endpoint: Endpoint | null;
  readonly attempts: number;
  readonly attempt: {
    readonly last: UpstreamFacts | null;
    /** Whether it had served before. */
    readonly reused: boolean;
  };
}

const row = (
  name: string,
  type: AttributeValue['type'],
  note: string,
  read: AttributeRow<Attempting>['read'],
  from: AttributePhase = 'attempt',
): AttributeRow<Attempting> => ({ path: `upstream.${name}`, type, from, note, read });

/** The last attempt of a stream. */
export const UPSTREAM_ROWS: readonly AttributeRow<Attempting>[] = [
  row('address', 'address', '', ({ endpoint }) =>
    endpoint === null ? undefined : { type: 'address', host: endpoint.address, port: endpoint.port },
  ),
  row('port', 'int', '', ({ endpoint }) => (endpoint === null ? undefined : int(endpoint.port))),
  row('local_address', 'address', "weir's end of the connection", ({ attempt }) => {
    const local = attempt.last?.local ?? null;
    return local === null ? undefined : { type: 'address', ...local };
  }),
  row('transport_failure_reason', 'string', 'why no connection came about; empty where one did', (s) =>
    s.endpoint === null ? undefined : text(s.attempt.last?.failureReason ?? ''),
  ),
  row('request_attempt_count', 'uint', '0 before the first', (s) => uint(s.attempts), 'request'),
  row('cx_pool_ready_duration', 'duration', 'what connecting took; 0 on a connection of the pool', (s) =>
    s.attempt.last === null
      ? undefined
      : nanoseconds('duration', s.attempt.reused ? 0 : s.attempt.last.connectMs),
  ),
  row('num_endpoints', 'uint', 'of the cluster', ({ cluster }) =>
    cluster === null ? undefined : uint(cluster.endpoints.length),
  ),
  row('locality', 'message', 'empty: endpoints have none', (s) =>
    s.endpoint === null ? undefined : LOCALITY,
  ),
  ...certificateRows<Attempting>('upstream', 'attempt', ({ attempt }) => {
    const socket = attempt.last?.socket;
    return socket instanceof TLSSocket ? socket : null;
  }),
];
