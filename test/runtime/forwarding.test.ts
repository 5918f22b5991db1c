// Whom a request comes from, as far as proxies in front may say.
import { expect, test } from 'vitest';
import { forwardingFor } from '../../src/runtime/forwarding.ts';
import { HeaderBlock, MessageKind } from '../../src/runtime/http/headers.ts';

const PEER = '10.0.0.9';

/** The client's address; `fields` are lines of X-Forwarded-For as they came. */
function client(hops: number, ...fields: string[]): string {
  const request = new HeaderBlock();
  request.reset(MessageKind.Request);
  for (const value of fields) request.appendText('x-forwarded-for', value);
  const forwarding = forwardingFor(PEER, false);
  forwarding.append(request, hops);
  return forwarding.clientAddress(request, hops);
}

test.each<[string, number, string[], string]>([
  ['nobody is trusted', 0, ['192.0.2.1'], PEER],
  ['one proxy, which names its client', 1, ['192.0.2.1'], '192.0.2.1'],
  ['one proxy, and a client that says it is another', 1, ['127.0.0.1, 10.0.0.1, 192.0.2.1'], '192.0.2.1'],
  ['the same in lines of its own', 1, ['127.0.0.1', '10.0.0.1', '192.0.2.1'], '192.0.2.1'],
  ['two proxies', 2, ['127.0.0.1, 192.0.2.1, 10.0.0.2'], '192.0.2.1'],
  ['two proxies, in two lines', 2, ['127.0.0.1, 192.0.2.1', '10.0.0.2'], '192.0.2.1'],
  ['fewer than there are to be: the proxy itself asks', 2, ['10.0.0.2'], PEER],
  ['none at all', 1, [], PEER],
  ['empty members, which count for none', 1, [', ,192.0.2.1, ,'], '192.0.2.1'],
  ['no address', 1, ['192.0.2.1, unknown'], PEER],
  ['a name', 1, ['localhost'], PEER],
  ['an address with a port', 1, ['127.0.0.1, 192.0.2.1:4711'], '192.0.2.1'],
  ['one of IPv6', 1, ['::1, 2001:db8::1'], '2001:db8::1'],
  ['one of IPv6 with a port', 1, ['[2001:db8::1]:4711'], '2001:db8::1'],
  ['one of IPv6 in brackets', 1, ['[2001:db8::1]'], '2001:db8::1'],
  ['a port that is none', 1, ['192.0.2.1:x'], PEER],
  ['two addresses without a comma', 1, ['127.0.0.1 192.0.2.1'], PEER],
  ['an address in quotes', 1, ['"127.0.0.1"'], PEER],
  ['digits that others read as octal', 1, ['0177.0.0.1'], PEER],
])('%s: %i trusted, %j comes from %s', (_what, hops, fields, expected) => {
  expect(client(hops, ...fields)).toBe(expected);
});
