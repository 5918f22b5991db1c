import { connectionRows, type DownstreamFacts } from '../../src/runtime/connection-attributes.ts';
import type { AttributeRow } from '../../src/runtime/wasm/attribute-table.ts';
import { int } from '../../src/runtime/wasm/attribute-values.ts';

/** The client's connection, where a test gives no properties of its own. */
const CONNECTION: DownstreamFacts = {
  id: 1,
  remoteAddress: '127.0.0.1',
  remotePort: 50_000,
  localAddress: '127.0.0.1',
  localPort: 8080,
  tls: null,
};

/** What attributes tell of the client and of its connection. */
export function clientRows<Source>(): AttributeRow<Source>[] {
  const { remoteAddress, remotePort } = CONNECTION;
  return [
    ...connectionRows<Source>(() => CONNECTION),
    {
      path: 'source.address',
      type: 'address',
      from: 'connection',
      note: '',
      read: () => ({ type: 'address', host: remoteAddress, port: remotePort }),
    },
    { path: 'source.port', type: 'int', from: 'connection', note: '', read: () => int(remotePort) },
  ];
}
