import type { TLSSocket } from 'node:tls';
import { serverNameOf } from './accepted-socket.ts';
import { certificateRows, showsValidCertificate } from './certificate-attributes.ts';
import type { AttributeRow } from './wasm/attribute-table.ts';
import { bool, int, text, uint } from './wasm/attribute-values.ts';

/** What attributes tell of a downstream connection, whatever protocol it speaks. */
export interface DownstreamFacts {
  readonly id: number;
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly localAddress: string;
  readonly localPort: number;
  readonly tls: TLSSocket | null;
  /** Where TLS passes through; else it is told by `tls`. */
  readonly serverName?: string;
}

export function connectionRows<Source>(factsOf: (source: Source) => DownstreamFacts): AttributeRow<Source>[] {
  return [
    {
      path: 'connection.id',
      type: 'uint',
      from: 'connection',
      note: 'unique in one worker',
      read: (s) => uint(factsOf(s).id),
    },
    { path: 'connection_id', type: 'uint', from: 'connection', note: '', read: (s) => uint(factsOf(s).id) },
    {
      path: 'connection.mtls',
      type: 'bool',
      from: 'connection',
      note: 'the client showed a certificate that is valid',
      read: (s) => bool(showsValidCertificate(factsOf(s).tls)),
    },
    {
      path: 'connection.requested_server_name',
      type: 'string',
      from: 'connection',
      note: 'SNI; empty where there is none',
      read: (s) => {
        const { tls, serverName = '' } = factsOf(s);
        return text(tls === null ? serverName : serverNameOf(tls));
      },
    },
    ...certificateRows<Source>('connection', 'connection', (s) => factsOf(s).tls, true),
    {
      path: 'connection.termination_details',
      type: 'string',
      from: 'never',
      note: 'weir refuses connections before a filter sees them',
      read: () => undefined,
    },
    {
      path: 'connection.transport_failure_reason',
      type: 'string',
      from: 'never',
      note: 'the same',
      read: () => undefined,
    },
    {
      path: 'connection.peer_address',
      type: 'address',
      from: 'connection',
      note: 'of the other end of the connection, whatever proxies in front say; weir alone has it',
      read: (s) => ({ type: 'address', host: factsOf(s).remoteAddress, port: factsOf(s).remotePort }),
    },
    {
      path: 'destination.address',
      type: 'address',
      from: 'connection',
      note: "weir's end of the connection",
      read: (s) => ({ type: 'address', host: factsOf(s).localAddress, port: factsOf(s).localPort }),
    },
    {
      path: 'destination.port',
      type: 'int',
      from: 'connection',
      note: '',
      read: (s) => int(factsOf(s).localPort),
    },
  ];
}
