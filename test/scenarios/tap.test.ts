import { afterAll, beforeAll, expect, test } from 'vitest';
import { FakeUpstream } from '../support/fake-upstream.ts';
import { freePort } from '../support/ports.ts';
import { Weir } from '../support/process.ts';
import { exchange, getRequest } from '../support/raw-client.ts';
import { callbacksOf, OpenTap } from '../support/recording.ts';
import { failingFilter, labelFilter, policies, sha256Of } from '../support/scenario.ts';

let upstream: FakeUpstream;
let weir: Weir;
let port: number;

const get = (path: string, ...fields: string[]) =>
  exchange({ port }, getRequest(path, 'localhost', 'Connection: close', ...fields));

beforeAll(async () => {
  upstream = await FakeUpstream.start({ discard: true });
  port = await freePort();
  weir = await Weir.start({
    workers: 2,
    files: { 'edge.yaml': policies({ port, upstreamPort: upstream.port }), 'filter.wasm': labelFilter('m1') },
  });
});
afterAll(() => weir.stop());

test('a tap records chosen requests from the first moment of the instances that serve them', async () => {
  const tap = await OpenTap.start(weir, 'filter=label&path=/yes&header=x-user:ann&for=30s&count=6');
  expect(tap.type).toBe('application/jsonl; charset=utf-8');
  for (let i = 0; i < 6; i++) {
    expect((await get(`/yes/${i}`, 'X-User: ann', 'Authorization: Bearer s3cret-token')).status).toBe(200);
    await get('/no', 'X-User: ann');
    await get('/yes', 'X-User: bob');
  }
  const records = await tap.rest();

  expect(records[0]).toMatchObject({
    type: 'recording',
    version: 1,
    filters: ['label'],
    secrets: 'redacted',
  });
  expect(records.at(-1)).toEqual({ type: 'summary', streams: 6, dropped: 0 });
  const instances = records.filter((record) => record.type === 'instance');
  expect(instances[0]).toMatchObject({
    module: { name: 'shop/label', digest: sha256Of(labelFilter('m1')), abi: '0.2.1' },
    plugins: [{ name: 'shop/chain#label' }],
  });
  const callbacks = callbacksOf(records);
  for (const { instance } of instances) {
    const own = callbacks.filter((each) => each.instance === instance);
    expect(own.map(({ seq }) => seq)).toEqual(own.map((_, i) => i));
    expect(own.slice(0, 4).map(({ callback }) => callback)).toEqual([
      'start',
      'proxy_on_context_create',
      'proxy_on_vm_start',
      'proxy_on_configure',
    ]);
  }
  const answers = callbacks.filter(({ callback }) => callback === 'proxy_on_response_headers');
  expect(answers).toHaveLength(6);
  const paths = callbacks.flatMap(({ state }) =>
    (state?.maps?.['0'] ?? []).filter(([name]) => name === ':path'),
  );
  expect(paths.map(([, value]) => value).sort()).toEqual([0, 1, 2, 3, 4, 5].map((i) => `/yes/${i}`));
  expect(answers[0]!.calls).toEqual([
    { call: 'proxy_add_header_map_value', in: [2, 'x-module', 'm1'], status: 0 },
  ]);
  expect(answers[0]!.after![answers[0]!.context]!.maps!['2']).toContainEqual(['x-module', 'm1']);
  expect(tap.text).not.toContain('s3cret-token');
});

test('several taps of one filter at a time each have all that they chose, in instances that replay alone', async () => {
  const all = await OpenTap.start(weir, 'filter=*&for=60s');
  const some = await OpenTap.start(weir, 'filter=label&path=/both&for=60s');
  const pathsOf = (tap: OpenTap): string[] =>
    tap.callbacks.flatMap(({ state }) =>
      (state?.maps?.['0'] ?? []).filter(([name]) => name === ':path').map(([, value]) => value as string),
    );
  for (let i = 0; i < 4; i++) {
    await get(`/both/${i}`);
    await get(`/one/${i}`);
  }
  await all.until(() => pathsOf(all).length === 8);
  await some.until(() => pathsOf(some).length === 4);
  expect(pathsOf(some).sort()).toEqual([0, 1, 2, 3].map((i) => `/both/${i}`));
  expect(new Set(pathsOf(all)).size).toBe(8);
  some.leave();
  // Those that are left go on without the one that is gone.
  await get('/both/4');
  await all.until(() => pathsOf(all).includes('/both/4'));
  for (const { callbacks } of [all, some])
    for (const record of callbacks.filter(({ callback }) => callback === 'start')) {
      const own = callbacks.filter(({ instance }) => instance === record.instance);
      expect(own.map(({ seq }) => seq)).toEqual(own.map((_, i) => i));
    }
  const answer = all.callbacks.find(({ callback }) => callback === 'proxy_on_response_headers')!;
  expect(answer.args).toHaveLength(2);
  expect(answer.fuel).toBeGreaterThan(0);
  all.leave();
});

test('secrets are kept where that is asked for', async () => {
  const tap = await OpenTap.start(weir, 'filter=shop/chain%23label&count=1&secrets=keep');
  await get('/kept', 'Authorization: Bearer s3cret-token');
  const records = await tap.rest();
  expect(records[0]).toMatchObject({ secrets: 'kept' });
  expect(tap.text).toContain('Bearer s3cret-token');
});

test('a filter that is swapped, or traps, is recorded on in its next instance, and no request fails', async () => {
  const tap = await OpenTap.start(weir, 'filter=label&for=60s');
  const modules = (): Set<string> =>
    new Set(tap.records.flatMap((record) => (record.type === 'instance' ? [record.module.digest] : [])));
  await get('/before');
  await weir.write('filter.wasm', labelFilter('m2'));
  await expect.poll(async () => (await get('/after')).header('x-module'), { timeout: 20_000 }).toBe('m2');
  await tap.until(() => modules().size === 2);
  await weir.write('filter.wasm', failingFilter('m3'));
  await expect.poll(async () => (await get('/trap')).status, { timeout: 20_000 }).toBe(500);
  await tap.until((records) => records.some((record) => record.type === 'end' && record.reason === 'trap'));
  const trap = tap.callbacks.find(({ result }) => result === null)!;
  expect(trap.callback).toBe('proxy_on_response_headers');
  expect(trap.trap).toContain('unreachable');
  tap.leave();
  await weir.write('filter.wasm', labelFilter('m4'));
  await expect.poll(async () => (await get('/')).header('x-module'), { timeout: 20_000 }).toBe('m4');
});

test('a tap that nobody reads any more ends, and its instances with it', async () => {
  const instances = async (): Promise<number> => {
    const { text } = await weir.admin('/metrics');
    return [...text.matchAll(/^weir_wasm_instances\{.*\} (\d+)$/gm)].reduce(
      (sum, [, n]) => sum + Number(n),
      0,
    );
  };
  await expect.poll(instances, { timeout: 20_000 }).toBe(2);
  const tap = await OpenTap.start(weir, 'filter=*&for=1h');
  await expect.poll(async () => (await get('/'), instances()), { timeout: 20_000 }).toBe(4);
  tap.leave();
  await expect.poll(instances, { timeout: 20_000 }).toBe(2);
});

test('what is wrong with a tap is said', async () => {
  const ask = async (query: string): Promise<string> => (await weir.admin(`/tap${query}`)).text;
  expect(await ask('')).toContain('filter=NAME is missing');
  expect(await ask('?filter=labl')).toContain('no filter is named "labl"; there are: shop/chain#label');
  expect(await ask('?filter=label&for=2h')).toContain('up to 1h');
  expect(await ask('?filter=label&limit=3')).toContain('there is no parameter "limit"');
});
