import { expect, test } from 'vitest';
import { FakeUpstream } from '../support/fake-upstream.ts';
import { freePort } from '../support/ports.ts';
import { Weir } from '../support/process.ts';
import { exchange, getRequest } from '../support/raw-client.ts';
import { labelFilter, policies, sha256Of } from '../support/scenario.ts';
import { TIMED } from '../support/timing.ts';

const REQUESTS = 12;

test('metrics tell what a filter costs, by the digest of its module, over all workers', TIMED, async () => {
  const upstream = await FakeUpstream.start({ discard: true });
  const port = await freePort();
  const [first, second] = [labelFilter('m1'), labelFilter('m2')];
  const weir = await Weir.start({
    workers: 2,
    files: { 'edge.yaml': policies({ port, upstreamPort: upstream.port }), 'filter.wasm': first },
  });
  for (let i = 0; i < REQUESTS; i++)
    await exchange({ port }, getRequest('/', 'localhost', 'Connection: close'));

  const valuesOf = async (digest: string): Promise<Map<string, number>> => {
    const { text } = await weir.admin('/metrics');
    const values = new Map<string, number>();
    for (const line of text.split('\n')) {
      const [, name, labels, value] = /^(weir_wasm_\w+)\{(.*)\} (.+)$/.exec(line) ?? [];
      if (labels === undefined || !labels.includes(`digest="${digest.slice(0, 12)}"`)) continue;
      expect(labels).toContain('filter="shop/chain#label"');
      expect(labels).toContain('module="shop/label"');
      const group = /group="(\w+)"/.exec(labels)?.[1];
      values.set(group === undefined ? name! : `${name} ${group}`, Number(value));
    }
    return values;
  };
  const values = await valuesOf(sha256Of(first));
  expect(values.get('weir_wasm_host_calls_total headers')).toBe(REQUESTS);
  expect(values.get('weir_wasm_instances')).toBe(2);
  expect(values.get('weir_wasm_heap_bytes')).toBe(2 * 2 * 65_536);
  expect(values.get('weir_wasm_traps_total')).toBe(0);
  expect(values.get('weir_wasm_callouts_total')).toBe(0);
  expect(values.get('weir_wasm_fuel_total')).toBeGreaterThan(REQUESTS);
  const seconds = values.get('weir_wasm_cpu_seconds_total')!;
  expect(seconds).toBeGreaterThan(0);
  expect(seconds).toBeLessThan(0.1);

  await weir.write('filter.wasm', second);
  await expect.poll(async () => (await valuesOf(sha256Of(second))).get('weir_wasm_instances')).toBe(2);
  await expect.poll(async () => (await valuesOf(sha256Of(first))).size).toBe(0);
  await weir.stop();
});
