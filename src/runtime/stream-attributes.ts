import { connectionRows } from './connection-attributes.ts';
import { CONSUMER_ROWS } from './consumer-attributes.ts';
import { REQUEST_ROWS } from './request-attributes.ts';
import { RESPONSE_ROWS } from './response-attributes.ts';
import type { Stream } from './stream.ts';
import { UPSTREAM_ROWS } from './upstream-attributes.ts';
import { AttributeTable, type AttributeRow } from './wasm/attribute-table.ts';
import { int } from './wasm/attribute-values.ts';
import { XDS_ROWS } from './xds-attributes.ts';

/** Trusted proxies in front say who the client is; its port is known only where none is. */
const SOURCE_ROWS: readonly AttributeRow<Stream>[] = [
  {
    path: 'source.address',
    type: 'address',
    from: 'connection',
    note: 'of the client, by X-Forwarded-For where proxies in front are trusted; its port is 0 then',
    read: ({ connection, request }) => {
      const host = connection.forwarding.clientAddress(request, connection.limits.trustedHops);
      const port = host === connection.remoteAddress ? connection.remotePort : 0;
      return { type: 'address', host, port };
    },
  },
  {
    path: 'source.port',
    type: 'int',
    from: 'connection',
    note: 'of the connection',
    read: (s) => int(s.connection.remotePort),
  },
];

/**
 * What `proxy_get_property` finds of a stream, under Envoy's names and with Envoy's types (Proxy-Wasm
 * reference §8). Cold: strings are made where a guest asks.
 */
export const STREAM_ATTRIBUTES = new AttributeTable<Stream>([
  ...REQUEST_ROWS,
  ...RESPONSE_ROWS,
  ...SOURCE_ROWS,
  ...connectionRows<Stream>((s) => s.connection),
  ...CONSUMER_ROWS,
  ...UPSTREAM_ROWS,
  ...XDS_ROWS,
]);
