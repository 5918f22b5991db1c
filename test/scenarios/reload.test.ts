import { appendFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { beforeAll, describe, expect, test } from 'vitest';
import { FakeUpstream } from '../support/fake-upstream.ts';
import { Load } from '../support/load.ts';
import { freePort } from '../support/ports.ts';
import { Weir } from '../support/process.ts';
import { exchange, getRequest } from '../support/raw-client.ts';
import {
  detailOf,
  labelFilter,
  loopingFilter,
  metricOf,
  policies,
  type PolicyOptions,
  refusingFilter,
  sha256Of,
  trappingFilter,
  until,
} from '../support/scenario.ts';
import { underWay } from '../support/under-way.ts';
import { TIMED } from '../support/timing.ts';

let upstream: FakeUpstream;
beforeAll(async () => {
  upstream = await FakeUpstream.start({ discard: true });
});

interface Served {
  readonly weir: Weir;
  readonly port: number;
  yaml(options?: Partial<PolicyOptions>): string;
  /** Headers `x-policy` and `x-module` of an answer. */
  served(): Promise<string>;
}

async function start(options: Partial<PolicyOptions> = {}, workers = 2): Promise<Served> {
  const port = await freePort();
  const yaml = (more: Partial<PolicyOptions> = {}) =>
    policies({ port, upstreamPort: upstream.port, ...options, ...more });
  const files = { 'edge.yaml': yaml(), 'filter.wasm': labelFilter('m0') };
  const weir = await Weir.start({ files, workers });
  const served = async (): Promise<string> => {
    const answer = await exchange({ port }, getRequest('/'));
    return `${answer.header('x-policy')} ${answer.header('x-module')}`;
  };
  return { weir, port, yaml, served };
}

describe('a change that is right', () => {
  test('is live well within a second of the save: policy, module, both', TIMED, async () => {
    const { weir, yaml, served } = await start();
    expect(await served()).toBe('p0 m0');
    for (const [i, save] of [
      () => weir.write('edge.yaml', yaml({ policy: 'p1' })),
      () => weir.write('filter.wasm', labelFilter('m1')),
      async () => {
        await weir.write('filter.wasm', labelFilter('m2'));
        await weir.write('edge.yaml', yaml({ policy: 'p2' }));
      },
    ].entries()) {
      const savedAt = performance.now();
      await save();
      const wanted = ['p1 m0', 'p1 m1', 'p2 m2'][i]!;
      await expect.poll(served, { interval: 5 }).toBe(wanted);
      expect(performance.now() - savedAt).toBeLessThan(2000);
    }
    await weir.stop();
  });

  test('leaves a request that is under way on what it began with', async () => {
    const { weir, port, yaml, served } = await start();
    const { client, release } = await underWay(upstream, port);
    await weir.write('filter.wasm', labelFilter('m1'));
    await weir.write('edge.yaml', yaml({ policy: 'p1' }));
    await expect.poll(served, { interval: 10 }).toBe('p1 m1');
    release();
    const before = await client.read();
    expect(`${before.header('x-policy')} ${before.header('x-module')}`).toBe('p0 m0');
    // The same connection goes on with what is in force.
    const after = await client.exchange(getRequest('/'));
    expect(`${after.header('x-policy')} ${after.header('x-module')}`).toBe('p1 m1');
    await until(weir, 'lets the old snapshot go', ({ workers }) =>
      workers.every(({ snapshots }) => snapshots === 1),
    );
    await weir.stop();
  });

  test('in a file that was not there before counts too', async () => {
    const { weir, yaml, served } = await start();
    const [gateway, ...rest] = yaml({ policy: 'p1' }).split('\n---\n');
    await weir.write('edge.yaml', gateway!);
    await weir.write(
      'services/shop/rest.yaml',
      rest.join('\n---\n').replace('filter.wasm', '../../filter.wasm'),
    );
    await expect.poll(served, { interval: 10 }).toBe('p1 m0');
    await weir.stop();
  });

  test('SIGHUP reads again at once, also with --no-watch', async () => {
    const port = await freePort();
    const yaml = (policy: string) => policies({ port, upstreamPort: upstream.port, module: null, policy });
    const weir = await Weir.start({ files: { 'edge.yaml': yaml('p0') }, args: ['--no-watch'] });
    const policy = async () => (await exchange({ port }, getRequest('/'))).header('x-policy');
    await weir.write('edge.yaml', yaml('p1'));
    await sleep(500);
    expect(await policy()).toBe('p0');
    weir.child.kill('SIGHUP');
    await expect.poll(policy, { interval: 10 }).toBe('p1');
    await weir.stop();
  });
});

describe('a change that is wrong', () => {
  /** Puts a fault in place under traffic, checks what is told, and mends it. */
  async function refuses(
    breaks: (served: Served) => Promise<void>,
    expected: { code: string; place: RegExp; text: RegExp },
    options: Partial<PolicyOptions> = {},
    limitMs = 10_000,
  ): Promise<void> {
    const s = await start(options);
    const before = await detailOf(s.weir);
    const load = new Load({
      port: s.port,
      connections: 4,
      request: () => getRequest('/'),
      check: ({ status, headers }) =>
        status === 200 && headers.get('x-policy') === 'p0' && headers.get('x-module') === 'm0'
          ? null
          : `${status} ${headers.get('x-policy')} ${headers.get('x-module')}`,
    });
    await breaks(s);
    const detail = await until(
      s.weir,
      'refuses it',
      ({ configuration }) => configuration.refused !== null,
      limitMs,
    );
    const { refused } = detail.configuration;
    expect(detail.snapshot).toEqual(before.snapshot);
    expect(detail.state).toBe('LIVE');
    expect(refused!.diagnostics.map(({ code }) => code)).toContain(expected.code);
    // Exactly the same on standard error, in the log, and on the admin address.
    const place = expected.place.exec(refused!.text)?.[0];
    expect(place, refused!.text).toBeDefined();
    expect(refused!.text).toMatch(expected.text);
    await s.weir.waitFor('the configuration is refused, nothing was applied');
    expect(s.weir.stderr).toContain(place);
    expect(s.weir.stderr).toMatch(/Nothing was applied; snapshot [0-9a-f]{6} \(\d+ s old\) keeps serving\./);
    const logged = s.weir.log.find(
      (line) => line['msg'] === 'the configuration is refused, nothing was applied',
    );
    expect(JSON.stringify(logged)).toContain(expected.code);
    expect(await metricOf(s.weir, 'weir_config_last_reload_success')).toBe(0);
    expect(await metricOf(s.weir, 'weir_config_rejected_total')).toBeGreaterThan(0);
    load.stop();
    const result = await load.done;
    expect([...result.failures]).toEqual([]);
    expect(result.ok).toBeGreaterThan(0);

    // Mended, it goes on.
    await s.weir.write('filter.wasm', labelFilter('m9'));
    await s.weir.write(
      'edge.yaml',
      s.yaml({ policy: 'p9', sha256: sha256Of(labelFilter('m9')), config: {} }),
    );
    await expect.poll(s.served, { interval: 20 }).toBe('p9 m9');
    await expect.poll(() => metricOf(s.weir, 'weir_config_last_reload_success')).toBe(1);
    await s.weir.stop();
  }

  test('a typo: exact place and the nearest fix', () =>
    refuses(({ weir, yaml }) => weir.write('edge.yaml', yaml({ listenerField: 'gatewayClasName' })), {
      code: 'WEIR1042',
      place: /edge\.yaml:5:3\s+error WEIR1042/,
      text: /did you mean "gatewayClassName"\?/,
    }));

  test('a file that is no YAML', () =>
    refuses(({ weir }) => weir.write('edge.yaml', 'kind: [Gateway\n'), {
      code: 'WEIR1001',
      place: /edge\.yaml:\d+:\d+\s+error WEIR1001/,
      text: /edge/,
    }));

  test('a module with another digest than the one that is pinned', () =>
    refuses(
      ({ weir }) => weir.write('filter.wasm', labelFilter('m1')),
      { code: 'WEIR1202', place: /edge\.yaml:\d+:\d+\s+error WEIR1202/, text: /[0-9a-f]{12}/ },
      { sha256: sha256Of(labelFilter('m0')) },
    ));

  test('a module that is no WebAssembly', () =>
    refuses(({ weir }) => weir.write('filter.wasm', 'not a module'), {
      code: 'WEIR1203',
      place: /edge\.yaml:\d+:\d+\s+error WEIR1203/,
      text: /filter\.wasm/,
    }));

  test('a module that does not compile', () => {
    const half = labelFilter('m1').subarray(0, 900);
    return refuses(({ weir }) => weir.write('filter.wasm', half), {
      code: 'WEIR4001',
      place: /edge\.yaml:\d+:\d+\s+error WEIR4001/,
      text: /./,
    });
  });

  test('a filter that refuses its configuration, with what it logged', () =>
    refuses(({ weir }) => weir.write('filter.wasm', refusingFilter('level must be 1 to 5')), {
      code: 'WEIR4002',
      place: /edge\.yaml:\d+:\d+\s+error WEIR4002/,
      text: /level must be 1 to 5/,
    }));

  test('a filter that traps while it starts', () =>
    refuses(({ weir }) => weir.write('filter.wasm', trappingFilter()), {
      code: 'WEIR4002',
      place: /edge\.yaml:\d+:\d+\s+error WEIR4002/,
      text: /trap|unreachable/,
    }));

  test('a filter whose configuration is an endless loop', () =>
    refuses(
      ({ weir }) => weir.write('filter.wasm', loopingFilter()),
      { code: 'WEIR4004', place: /edge\.yaml:\d+:\d+\s+error WEIR4004/, text: /CPU budget|longer than/ },
      {},
      15_000,
    ));

  test('an address that another program has', async () => {
    const { weir, yaml, served } = await start();
    const taken = yaml({ policy: 'p1' }).replace(/port: \d+, protocol/, `port: ${upstream.port}, protocol`);
    await weir.write('edge.yaml', taken);
    const { configuration } = await until(
      weir,
      'refuses it',
      (detail) => detail.configuration.refused !== null,
    );
    expect(configuration.refused!.text).toMatch(/WEIR4003/);
    expect(configuration.refused!.text).toContain(String(upstream.port));
    expect(await served()).toBe('p0 m0');
    await weir.stop();
  });

  test('a module that is written in pieces goes live when it is whole', async () => {
    const { weir, served } = await start();
    const bytes = labelFilter('m1');
    const file = join(weir.folder, 'filter.wasm');
    await writeFile(file, bytes.subarray(0, 500));
    for (let at = 500; at < bytes.length; at += 400) {
      await sleep(30);
      await appendFile(file, bytes.subarray(at, at + 400));
    }
    await expect.poll(served, { interval: 20 }).toBe('p0 m1');
    await weir.stop();
  });
});
