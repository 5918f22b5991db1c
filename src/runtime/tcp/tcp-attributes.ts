import { connectionRows } from '../connection-attributes.ts';
import { UPSTREAM_ROWS } from '../upstream-attributes.ts';
import { AttributeTable } from '../wasm/attribute-table.ts';
import { int, text } from '../wasm/attribute-values.ts';
import { XDS_ROWS } from '../xds-attributes.ts';
import type { TcpStream } from './tcp-stream.ts';

/** What `proxy_get_property` finds of a TCP stream: the part of the tree that is not of HTTP. */
export const TCP_ATTRIBUTES = new AttributeTable<TcpStream>([
  {
    path: 'source.address',
    type: 'address',
    from: 'connection',
    note: 'of the client',
    read: ({ connection: { remoteAddress: host, remotePort: port } }) => ({ type: 'address', host, port }),
  },
  {
    path: 'source.port',
    type: 'int',
    from: 'connection',
    note: '',
    read: (s) => int(s.connection.remotePort),
  },
  ...connectionRows<TcpStream>((s) => s.connection),
  ...UPSTREAM_ROWS,
  ...XDS_ROWS,
  {
    path: 'response.flags',
    type: 'int',
    from: 'end',
    note: 'why it ended, as in the access log',
    read: (s) => int(s.flags),
  },
  {
    path: 'response.code_details',
    type: 'string',
    from: 'end',
    note: 'the same in a word',
    read: (s) => text(s.reason),
  },
]);
