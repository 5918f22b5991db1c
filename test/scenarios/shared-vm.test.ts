import { expect, test } from 'vitest';
import { freePort } from '../support/ports.ts';
import { Weir } from '../support/process.ts';
import { exchange, getRequest } from '../support/raw-client.ts';
import { policies, until } from '../support/scenario.ts';
import { op } from '../support/wasm-encoder.ts';
import { guest, type Script } from '../support/wasm-guest.ts';

/** Logs the bytes that lie at the address in out word 0, of the size in word 1. */
const logsGiven = (s: Script): Script =>
  s.run(op.i32(2), op.i32(s.out(0)), op.load(), op.i32(s.out(1)), op.load()).callStacked('proxy_log');
const logsBuffer = (s: Script, type: number): Script =>
  logsGiven(s.call('proxy_get_buffer_bytes', type, 0, 999, s.out(0), s.out(1)));

/** Says what it begins with, and answers the path /trap with a trap. */
const module = guest({
  proxy_on_vm_start: (s) => {
    logsBuffer(s, 6);
    s.call('environ_sizes_get', s.out(2), s.out(3)).call('environ_get', s.out(4), 0x7000);
    s.run(op.i32(2), op.i32(0x7000), op.i32(s.out(3)), op.load()).callStacked('proxy_log');
    s.return(1);
  },
  proxy_on_configure: (s) => {
    logsGiven(s.call('proxy_get_property', s.text('plugin_root_id'), s.out(0), s.out(1)));
    logsBuffer(s, 7).return(1);
  },
  proxy_on_request_headers: (s) => {
    s.call('proxy_get_header_map_value', 0, s.text(':path'), s.out(0), s.out(1));
    s.run(op.i32(s.out(1)), op.load(), op.i32(5), [0x46], [0x04, 0x40], op.unreachable, [0x0b]);
    s.call('proxy_send_local_response', 204, 0, 0, 0, 0, 0, 0, -1).return(1);
  },
});

const files = (port: number, second: string): Record<string, string | Uint8Array> => ({
  'shared.wasm': module,
  'edge.yaml': `${policies({ port, upstreamPort: 9, module: null })}---
apiVersion: policy.weir/v1alpha1
kind: Module
metadata: {name: shared, namespace: shop}
spec:
  source: {file: shared.wasm}
  instances: {isolation: Shared}
  vm:
    id: both
    configuration: {level: 2}
    env: [{name: REGION, value: eu}, {name: WEIR_TEST_HOST, valueFrom: Host}, {name: WEIR_TEST_NONE, valueFrom: Host}]
---
apiVersion: policy.weir/v1alpha1
kind: FilterChain
metadata: {name: chain, namespace: shop}
spec:
  targetRefs: [{kind: Gateway, name: edge}]
  filters:
  # Both stand in the module: others would be warned of.
  - {name: a, use: module/shared, rootId: plugin_root, config: {n: 1}}
  - {name: b, use: module/shared, rootId: root_id, config: ${second}}
`,
});

test('two filters on one VM: what they begin with, a trap of one, another configuration of the other', async () => {
  const port = await freePort();
  const env = { WEIR_TEST_HOST: 'here', WEIR_TEST_SECRET: 'not listed' };
  const weir = await Weir.start({ files: files(port, 'first'), workers: 1, env });
  const said = (plugin: string): unknown[] =>
    weir.log.filter((line) => line['plugin'] === `shop/chain#${plugin}`).map((line) => line['msg']);
  const start = ['{"level":2}', 'REGION=eu\0WEIR_TEST_HOST=here\0'];
  expect(said('a')).toEqual([...start, 'plugin_root', '{"n":1}']);
  expect(said('b')).toEqual([...start, 'root_id', 'first']);
  const detail = await until(weir, 'two plugins', ({ plugins }) => plugins.length === 2);
  expect(detail.plugins.map(({ instances }) => instances)).toEqual([1, 1]);

  const get = async (path: string): Promise<number> =>
    (await exchange({ port }, getRequest(path, 'example.test', 'Connection: close'))).status;
  expect(await get('/')).toBe(204);
  expect(await get('/trap')).toBe(500);
  await expect.poll(() => get('/')).toBe(204);
  // Both are on the instance that took its place.
  expect(said('b').slice(4)).toEqual([...start, 'root_id', 'first']);

  await weir.write('edge.yaml', files(port, 'second')['edge.yaml']!);
  await until(weir, 'applied', ({ configuration }) => configuration.applied === 2);
  await expect.poll(() => said('b').slice(8)).toEqual([...start, 'root_id', 'second']);
  // The other one did not notice: it is where it was.
  expect(said('a').filter((line) => line === 'plugin_root')).toHaveLength(2);
  expect(await get('/')).toBe(204);
  const dump = await weir.admin('/config_dump');
  expect(dump.text).not.toContain('"eu"');
  expect(dump.text).toContain('REGION');
  await weir.stop();
});
