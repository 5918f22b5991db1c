import { expect, test } from 'vitest';
import { compileWithMap } from '../support/assemblyscript.ts';
import { FakeUpstream } from '../support/fake-upstream.ts';
import { GUEST_SDK } from '../support/guest-sdk.ts';
import { freePort } from '../support/ports.ts';
import { Weir } from '../support/process.ts';
import { exchange, getRequest } from '../support/raw-client.ts';
import { policies } from '../support/scenario.ts';

const FILTER = `export { proxy_abi_version_0_2_1, proxy_on_memory_allocate } from "./guest";
import { header } from "./guest";
export function proxy_on_request_headers(context: i32, count: i32, ended: i32): i32 {
  if (header(0, "x-trap") !== null) {
    unreachable();
  }
  return 0;
}
`;

test('the log names the line of the source where a filter trapped, by the map beside its module', async () => {
  const { binary, map } = await compileWithMap({ 'risk.ts': FILTER, ...GUEST_SDK }, ['--sourceMap']);
  const upstream = await FakeUpstream.start({ discard: true });
  const port = await freePort();
  const weir = await Weir.start({
    files: {
      'edge.yaml': policies({ port, upstreamPort: upstream.port }),
      'filter.wasm': binary,
      'filter.wasm.map': map,
    },
  });
  const answer = await exchange({ port }, getRequest('/', 'localhost', 'X-Trap: 1'));
  expect(answer.status).toBe(500);
  await weir.waitFor('trap in proxy_on_request_headers');
  const line = weir.log.find(({ msg }) => String(msg).startsWith('trap in'))!;
  expect(line['plugin']).toBe('shop/chain#label');
  expect(line['msg']).toMatch(/unreachable in .*\(risk\.ts:5:5\)/);
  await weir.stop();
});
