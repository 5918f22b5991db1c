import { setTimeout as sleep } from 'node:timers/promises';
import { beforeAll, expect, test } from 'vitest';
import { FakeUpstream } from '../support/fake-upstream.ts';
import { freePort } from '../support/ports.ts';
import { Program, Weir } from '../support/process.ts';
import { exchange, getRequest } from '../support/raw-client.ts';
import {
  failingFilter,
  labelFilter,
  metricOf,
  sha256Of,
  twoRoutes,
  until,
  type Detail,
} from '../support/scenario.ts';
import { TIMED } from '../support/timing.ts';

let upstream: FakeUpstream;
beforeAll(async () => {
  upstream = await FakeUpstream.start({ discard: true });
});

interface Seen {
  readonly at: number;
  readonly path: string;
  readonly status: number;
  readonly module: string | undefined;
}

/** Asks for both routes again and again until it is stopped. */
function traffic(port: number): { seen: Seen[]; stop(): Promise<void> } {
  const seen: Seen[] = [];
  let running = true;
  const ask = async (path: string): Promise<void> => {
    while (running) {
      const answer = await exchange({ port }, getRequest(path, 'localhost', 'Connection: close'));
      seen.push({
        at: performance.now(),
        path,
        status: answer.status,
        module: answer.header('x-module'),
      });
    }
  };
  const all = Promise.all(['/filtered', '/filtered', '/filtered', '/plain'].map(ask));
  return {
    seen,
    stop: async () => {
      running = false;
      await all;
    },
  };
}

const risk = ({ modules }: Detail) => modules.find(({ name }) => name === 'shop/label')!;

test(
  'a module that traps with each request makes way for its digest before within a second, and nothing else fails',
  TIMED,
  async () => {
    const port = await freePort();
    const [good, bad, mended] = [labelFilter('m1'), failingFilter('m2'), labelFilter('m3')];
    const files = { 'edge.yaml': twoRoutes({ port, upstreamPort: upstream.port }), 'filter.wasm': good };
    const weir = await Weir.start({ workers: 2, files });
    const load = traffic(port);
    await expect.poll(() => load.seen.length).toBeGreaterThan(20);
    await weir.write('filter.wasm', bad);
    const detail = await until(weir, 'goes back', (each) => risk(each).state === 'rolled-back');
    expect(risk(detail)).toMatchObject({
      digest: sha256Of(good),
      failed: { digest: sha256Of(bad), plugin: 'shop/chain#label' },
    });
    expect(risk(detail).failed!.reason).toContain('unreachable');
    expect(detail.configuration.lastReload).toBe('rolled-back');
    await sleep(200);
    await load.stop();

    const failed = load.seen.filter(({ status }) => status !== 200);
    expect(failed.length).toBeGreaterThan(0);
    expect(new Set(failed.map(({ path, status }) => `${path} ${status}`))).toEqual(
      new Set(['/filtered 500']),
    );
    expect(failed.at(-1)!.at - failed[0]!.at).toBeLessThan(1000);
    const after = load.seen.filter(({ at, path }) => path === '/filtered' && at > failed.at(-1)!.at);
    expect(after.length).toBeGreaterThan(0);
    expect(new Set(after.map(({ module }) => module))).toEqual(new Set(['m1']));

    expect(weir.stderr).toContain('WEIR4007');
    expect(await metricOf(weir, 'weir_wasm_module_rollbacks_total')).toBe(1);
    expect(await metricOf(weir, 'weir_wasm_module_failed')).toBe(1);
    expect(await metricOf(weir, 'weir_config_last_reload_success')).toBe(0);

    // Something else changes: the digest that failed stays out.
    await weir.write('edge.yaml', twoRoutes({ port, upstreamPort: upstream.port, policy: 'p2' }));
    await until(weir, 'takes the rest', ({ snapshot }) => snapshot!.number === 4);
    expect((await exchange({ port }, getRequest('/filtered'))).header('x-module')).toBe('m1');

    await weir.write('filter.wasm', mended);
    const healed = await until(
      weir,
      'takes the mended one',
      (each) => risk(each).digest === sha256Of(mended),
    );
    expect(risk(healed)).toMatchObject({ state: 'serving', failed: null });
    expect(healed.configuration.lastReload).toBe('success');
    expect((await exchange({ port }, getRequest('/filtered'))).header('x-module')).toBe('m3');
    await weir.stop();
  },
);

test('a restart does not try the digest that failed again, SIGHUP does', async () => {
  const port = await freePort();
  const files = {
    'edge.yaml': twoRoutes({ port, upstreamPort: upstream.port }),
    'filter.wasm': labelFilter('m1'),
  };
  const first = await Weir.start({ files });
  await first.write('filter.wasm', failingFilter('m2'));
  await until(first, 'swaps', ({ snapshot }) => snapshot!.number === 2);
  const load = traffic(port);
  await until(first, 'goes back', (each) => risk(each).state === 'rolled-back');
  await load.stop();
  await first.stop();

  const common = ['run', '-f', first.folder, '--data-dir', `${first.folder}/../data`, '--workers', '1'];
  const second = new Program(process.execPath, ['bin/weir', ...common, '--admin', 'off']);
  await second.waitFor('snapshot in force');
  for (let i = 0; i < 20; i++) {
    const answer = await exchange({ port }, getRequest('/filtered'));
    expect([answer.status, answer.header('x-module')]).toEqual([200, 'm1']);
  }
  second.child.kill('SIGHUP');
  await expect.poll(async () => (await exchange({ port }, getRequest('/filtered'))).status).toBe(500);
  await second.stop();
});
