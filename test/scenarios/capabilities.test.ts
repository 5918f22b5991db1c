import { beforeAll, expect, test } from 'vitest';
import { FakeUpstream } from '../support/fake-upstream.ts';
import { freePort } from '../support/ports.ts';
import { Weir } from '../support/process.ts';
import { exchange, getRequest } from '../support/raw-client.ts';
import { metricOf, policies } from '../support/scenario.ts';
import { guest } from '../support/wasm-guest.ts';

const REQUEST_HEADERS = 0;
const RESPONSE_HEADERS = 2;

/** Adds `x-saw-cookie` to the answer: the status of reading the cookie, as a letter from `a` on. */
function curious(): Uint8Array {
  return guest({
    proxy_on_vm_start: (s) => s.return(1),
    proxy_on_configure: (s) => s.return(1),
    proxy_on_response_headers: (s) => {
      const [at] = s.text('a');
      s.call('proxy_get_header_map_value', REQUEST_HEADERS, s.text('cookie'), s.out(0), s.out(1));
      // The letter grows by the status that the call left in the first result.
      s.run([0x41, ...leb(at), 0x41, ...leb(0x5000), 0x28, 2, 0, 0x41, ...leb(97), 0x6a, 0x3a, 0, 0]);
      s.call('proxy_add_header_map_value', RESPONSE_HEADERS, s.text('x-saw-cookie'), at, 1);
    },
  });
}

/** Signed. */
function leb(value: number): number[] {
  const rest = value >> 7;
  return rest === 0 && (value & 64) === 0 ? [value & 127] : [(value & 127) | 128, ...leb(rest)];
}

let upstream: FakeUpstream;
beforeAll(async () => {
  upstream = await FakeUpstream.start();
});

// Statuses: a Ok, b NotFound, k InternalFailure, where the call was not granted.
test.each([
  ['nothing', '', 'b'],
  ['default and secrets', 'capabilities: [default, secrets]', 'a'],
])('a Module that says %s: a filter reads a cookie with status %s', async (_, field, letter) => {
  const port = await freePort();
  const yaml = policies({ port, upstreamPort: upstream.port });
  const weir = await Weir.start({
    files: {
      'edge.yaml': yaml.replace('source: {file: filter.wasm}', `source: {file: filter.wasm}\n  ${field}`),
      'filter.wasm': curious(),
    },
  });
  const answer = await exchange({ port }, getRequest('/', 'localhost', 'Cookie: session=1'));
  expect([answer.status, answer.header('x-saw-cookie')]).toEqual([200, letter]);
  // The upstream gets it all the same.
  expect(upstream.requests.at(-1)!.header('cookie')).toBe('session=1');
  await weir.stop();
});

test('a Module without headers loads, changes nothing, and what it tried is logged once and counted', async () => {
  const port = await freePort();
  const yaml = policies({ port, upstreamPort: upstream.port });
  const weir = await Weir.start({
    files: {
      'edge.yaml': yaml.replace(
        'source: {file: filter.wasm}',
        'source: {file: filter.wasm}\n  capabilities: [body]',
      ),
      'filter.wasm': curious(),
    },
  });
  for (let i = 0; i < 3; i++) {
    const answer = await exchange({ port }, getRequest('/'));
    expect([answer.status, answer.header('x-saw-cookie')]).toEqual([200, undefined]);
  }
  const refusals = weir.log.filter(({ msg }) => String(msg).includes('without the capability "headers"'));
  expect(refusals.map(({ msg }) => msg)).toEqual([
    'it called proxy_get_header_map_value without the capability "headers": answered InternalFailure',
    'it called proxy_add_header_map_value without the capability "headers": answered InternalFailure',
  ]);
  expect(await metricOf(weir, 'weir_wasm_host_calls_total')).toBe(6);
  await weir.stop();
});
