import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { withSection } from '../../filters-sdk/cli/sections.mjs';
import { FakeUpstream } from '../support/fake-upstream.ts';
import { freePort } from '../support/ports.ts';
import { temporaryFolder, Weir } from '../support/process.ts';
import { exchange, getRequest } from '../support/raw-client.ts';
import { detailOf, labelFilter, metricOf, policies, until } from '../support/scenario.ts';

let upstream: FakeUpstream;
let weir: Weir;
let port: number;

beforeAll(async () => {
  upstream = await FakeUpstream.start({ discard: true });
  port = await freePort();
  const yaml = policies({ port, upstreamPort: upstream.port, config: { level: 2, token: 's3cret' } });
  weir = await Weir.start({
    files: { 'edge.yaml': yaml, 'filter.wasm': withSchema(labelFilter('m0')) },
    workers: 2,
  });
});
afterAll(async () => {
  await weir.stop();
});

function withSchema(module: Uint8Array): Uint8Array {
  const level = { type: 'integer', maximum: 5 };
  return withSection(module, 'weir.schema', JSON.stringify({ type: 'object', properties: { level } }));
}

/** As Prometheus reads it: every line is a comment or a sample, every sample has its TYPE before it. */
function parse(text: string): Map<string, string> {
  const types = new Map<string, string>();
  for (const line of text.split('\n')) {
    const type = /^# TYPE (\S+) (counter|gauge|histogram)$/.exec(line);
    if (type) types.set(type[1]!, type[2]!);
    else if (line !== '' && !line.startsWith('# HELP ')) {
      const name =
        /^([a-zA-Z_:][\w:]*)(\{([a-zA-Z_]\w*="([^"\\\n]|\\.)*",?)*\})? (-?[\d.e+-]+|\+Inf|NaN)$/.exec(
          line,
        )?.[1];
      expect(name, line).toBeDefined();
      const family = types.has(name!) ? name! : name!.replace(/_(bucket|sum|count)$/, '');
      expect(types.has(family), line).toBe(true);
    }
  }
  return types;
}

describe('the admin server', () => {
  test('/metrics counts the requests of all workers, under Istio’s names too', async () => {
    const before = await metricOf(weir, 'istio_requests_total');
    // Connections of their own, so that both workers have a share.
    await Promise.all(Array.from({ length: 40 }, () => exchange({ port }, getRequest('/'))));
    expect(await metricOf(weir, 'istio_requests_total')).toBe(before + 40);
    const { text } = await weir.admin('/metrics');
    const types = parse(text);
    expect(types.get('istio_requests_total')).toBe('counter');
    for (const name of [
      'weir_ready',
      'weir_workers',
      'weir_worker_restarts_total',
      'weir_config_last_reload_success',
    ]) {
      expect(types.has(name), name).toBe(true);
    }
    const envoy = await weir.admin('/stats/prometheus');
    expect(envoy.header('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8');
  });

  test('counters do not run backwards when a worker dies', async () => {
    await Promise.all(Array.from({ length: 20 }, () => exchange({ port }, getRequest('/'))));
    const before = await metricOf(weir, 'istio_requests_total');
    const { workers } = await detailOf(weir);
    process.kill(workers[0]!.pid!, 'SIGKILL');
    await until(
      weir,
      'starts it again',
      (detail) => detail.workers[0]!.restarts === 1 && detail.state === 'LIVE',
    );
    expect(await metricOf(weir, 'istio_requests_total')).toBe(before);
  });

  test('/ready?verbose tells of workers, snapshot and filters', async () => {
    const detail = await detailOf(weir);
    expect(detail).toMatchObject({ state: 'LIVE', snapshot: { number: 1 }, savedState: 'ok' });
    expect(detail.configuration).toMatchObject({ lastReload: 'success', refused: null });
    expect(detail.workers.map(({ slot, serving }) => [slot, serving])).toEqual([
      [1, true],
      [2, true],
    ]);
    expect(detail.plugins).toMatchObject([{ name: 'shop/chain#label', instances: 2 }]);
  });

  test('/config_dump shows the snapshot without its secrets', async () => {
    const { text } = await weir.admin('/config_dump');
    expect(text).toContain('shop/edge/http');
    expect(text).not.toContain('s3cret');
    expect(JSON.parse(text)).toMatchObject({
      number: 1,
      modules: [{ name: 'shop/label', schema: { properties: { level: { maximum: 5 } } } }],
    });
  });

  test('/clusters tells of endpoints', async () => {
    const { text } = await weir.admin('/clusters');
    expect(text).toContain(`shop/origin::127.0.0.1:${upstream.port}::rq_active::0\n`);
  });

  test('/logging changes the level of all processes', async () => {
    const post = (query: string) =>
      weir.admin(
        '',
        `POST /logging?${query} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`,
      );
    expect((await post('level=debug')).text).toBe('level: debug\n');
    expect((await post('level=info')).text).toBe('level: info\n');
    expect((await post('level=shout')).status).toBe(400);
  });

  test('is not for names that somebody pointed at it', async () => {
    expect(
      (await weir.admin('/config_dump', getRequest('/config_dump', 'evil.example', 'Connection: close')))
        .status,
    ).toBe(403);
  });
});

test('an admin address that is not loopback asks for its token', async () => {
  const folder = await temporaryFolder();
  const file = join(folder, 'token');
  await writeFile(file, 'a-token-of-some-length\n');
  const [own, admin] = [await freePort(), await freePort()];
  const remote = await Weir.start({
    files: { 'edge.yaml': policies({ port: own, upstreamPort: upstream.port, module: null }) },
    args: ['--admin', `0.0.0.0:${admin}`, '--admin-allow-remote', '--admin-token-file', file],
    wait: false,
  });
  await remote.waitFor('snapshot in force');
  const ask = (...fields: string[]) =>
    exchange({ port: admin }, getRequest('/metrics', 'gw.internal', 'Connection: close', ...fields));
  expect((await ask()).status).toBe(401);
  expect((await ask('Authorization: Bearer a-token-of-some-length')).status).toBe(200);
  await remote.stop();
});
