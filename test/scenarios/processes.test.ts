import { setTimeout as sleep } from 'node:timers/promises';
import { beforeAll, describe, expect, test } from 'vitest';
import { FakeUpstream } from '../support/fake-upstream.ts';
import { Load } from '../support/load.ts';
import { freePort } from '../support/ports.ts';
import { run, Weir } from '../support/process.ts';
import { exchange, getRequest, RawClient } from '../support/raw-client.ts';
import { detailOf, metricOf, policies } from '../support/scenario.ts';
import { underWay } from '../support/under-way.ts';
import { TIMED } from '../support/timing.ts';

let upstream: FakeUpstream;
beforeAll(async () => {
  upstream = await FakeUpstream.start({ discard: true });
});

async function start(workers: number, args: string[] = []): Promise<{ weir: Weir; port: number }> {
  const port = await freePort();
  const yaml = policies({ port, upstreamPort: upstream.port, module: null });
  const weir = await Weir.start({ files: { 'edge.yaml': yaml }, workers, args });
  return { weir, port };
}

/** Waits until weir takes no connection any more. */
async function refuses(port: number): Promise<void> {
  const connects = (): Promise<string> =>
    RawClient.connect({ port }).then(
      (client) => {
        client.close();
        return 'taken';
      },
      (fault: unknown) => String(fault),
    );
  await expect.poll(connects).toContain('ECONNREFUSED');
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

describe('workers', () => {
  test(
    'kill -9 of one under load: the others serve, it is back within a second, nothing else fails',
    TIMED,
    async () => {
      const startedAt = performance.now();
      const { weir, port } = await start(2);
      const startMs = performance.now() - startedAt;
      const before = await detailOf(weir);
      const load = new Load({ port, connections: 16, request: () => getRequest('/') });
      await sleep(300);
      const victim = before.workers[0]!;
      process.kill(victim.pid!, 'SIGKILL');
      const killedAt = performance.now();

      // New connections, while it is away.
      let away = 0;
      for (;;) {
        const answer = await exchange({ port }, getRequest('/'));
        expect(answer.status).toBe(200);
        away++;
        const { workers } = await detailOf(weir);
        const successor = workers.find(({ slot }) => slot === victim.slot)!;
        if (successor.serving && successor.pid !== victim.pid) break;
        expect(performance.now() - killedAt).toBeLessThan(15_000);
      }
      const backMs = performance.now() - killedAt;
      await sleep(300);
      load.stop();
      const result = await load.done;

      // Or what all of weir takes to start, where this machine starts programs slowly.
      expect(backMs).toBeLessThan(Math.max(1000, startMs));
      expect(away).toBeGreaterThan(0);
      // At most the requests in flight on it: one a connection that it held.
      expect(result.failed).toBeLessThanOrEqual(16);
      expect(result.ok).toBeGreaterThan(100);
      expect(await metricOf(weir, 'weir_worker_restarts_total')).toBe(1);
      expect(weir.log.some((line) => line['msg'] === 'a worker exited' && line['signal'] === 'SIGKILL')).toBe(
        true,
      );
      await weir.stop();
    },
  );

  test('one that does not answer does not hold up a scrape', TIMED, async () => {
    const { weir, port } = await start(2);
    const { workers } = await detailOf(weir);
    process.kill(workers[0]!.pid!, 'SIGSTOP');
    const askedAt = performance.now();
    expect((await weir.admin('/metrics')).status).toBe(200);
    expect(performance.now() - askedAt).toBeLessThan(2500);
    process.kill(workers[0]!.pid!, 'SIGCONT');
    expect((await exchange({ port }, getRequest('/'))).status).toBe(200);
    await weir.stop();
  });

  test('finish what runs and end where their supervisor is killed', async () => {
    const { weir, port } = await start(2);
    const { workers } = await detailOf(weir);
    const { client, release } = await underWay(upstream, port);
    process.kill(weir.pid, 'SIGKILL');
    await refuses(port);
    release();
    expect((await client.read()).status).toBe(200);
    await expect.poll(() => workers.filter(({ pid }) => isAlive(pid!)).length).toBe(0);
  });
});

describe('SIGTERM', () => {
  test('ends it while the successors of killed workers are still starting', async () => {
    const { weir } = await start(2);
    for (const { pid } of (await detailOf(weir)).workers) process.kill(pid!, 'SIGKILL');
    // The first successor of each is started at once, and takes a while to listen to its supervisor.
    await weir.waitFor('a worker exited');
    expect(await weir.stop()).toEqual({ code: 0, signal: null });
  });

  test('withdraws readiness, finishes what runs, takes nothing new, ends with 0', async () => {
    const { weir, port } = await start(2);
    const { client, release } = await underWay(upstream, port);
    weir.child.kill('SIGTERM');
    await refuses(port);
    const ready = await weir.admin('/ready');
    expect([ready.status, ready.text]).toEqual([503, 'DRAINING\n']);
    release();
    const answer = await client.read();
    expect(answer.status).toBe(200);
    expect(answer.header('connection')).toBe('close');
    expect(await weir.exited).toEqual({ code: 0, signal: null });
  });

  test('cuts what is not done at the limit', TIMED, async () => {
    const { weir, port } = await start(1, ['--drain-timeout', '500ms']);
    const { client } = await underWay(upstream, port);
    const askedAt = performance.now();
    const exit = await weir.stop('SIGTERM', 5000);
    expect(exit.code).toBe(0);
    expect(performance.now() - askedAt).toBeLessThan(3000);
    await client.closed().catch(() => undefined);
  });

  test('two at once, as timeout and npm send them, are one', async () => {
    const { weir, port } = await start(1);
    const { client, release } = await underWay(upstream, port);
    weir.child.kill('SIGTERM');
    weir.child.kill('SIGINT');
    await refuses(port);
    release();
    expect((await client.read()).status).toBe(200);
    expect(await weir.exited).toEqual({ code: 0, signal: null });
    client.close();
  });

  test('a second one ends at once', async () => {
    const { weir, port } = await start(1);
    const { client } = await underWay(upstream, port);
    weir.child.kill('SIGTERM');
    await refuses(port);
    expect(weir.exit).toBeNull();
    // One that comes right behind the first is taken for it.
    for (; weir.exit === null; await sleep(200)) weir.child.kill('SIGTERM');
    expect(await weir.exited).toEqual({ code: 143, signal: null });
    client.close();
  });

  test('no request on an open connection fails: each is told which answer is its last', async () => {
    const { weir, port } = await start(2);
    const answered = new Array<number>(16).fill(0);
    const untilLast = async (n: number): Promise<void> => {
      const client = await RawClient.connect({ port });
      for (;;) {
        const answer = await client.exchange(getRequest('/'));
        expect(answer.status).toBe(200);
        answered[n]! += 1;
        if (!answer.keepAlive) break;
        // Idle now and then, as clients are.
        if (answered[n]! % 7 === 0) await sleep(5);
      }
      client.close();
    };
    const clients = answered.map((_, n) => untilLast(n));
    await expect.poll(() => Math.min(...answered)).toBeGreaterThan(7);
    weir.child.kill('SIGTERM');
    await Promise.all(clients);
    expect(await weir.exited).toEqual({ code: 0, signal: null });
  });
});

describe('exit status', () => {
  const weir = (...args: string[]) => run(process.execPath, ['bin/weir', ...args]);

  test.each([
    ['no configuration', ['run']],
    ['an unknown option', ['run', '-f', 'x', '--wrong']],
    ['a number of workers that is none', ['run', '-f', 'x', '--workers', 'many']],
    ['an admin address that can be reached from outside', ['run', '-f', 'x', '--admin', '0.0.0.0:9901']],
    ['--resume without a folder', ['run', '-f', 'x', '--resume']],
    ['an upstream that is no URL', ['run', '--to', 'nowhere']],
    ['an upstream without a scheme', ['run', '--to', 'localhost:9000']],
    ['an unknown verb', ['walk']],
  ])('2 for %s', async (_what, args) => {
    const { code, stderr } = await weir(...args);
    expect(code).toBe(2);
    expect(stderr).toMatch(/error: /);
  });

  test('1 for a configuration that is refused, with the place', async () => {
    const yaml = policies({
      port: await freePort(),
      upstreamPort: 1,
      module: null,
      listenerField: 'gatewayClasName',
    });
    const refused = await Weir.start({ files: { 'edge.yaml': yaml }, wait: false });
    expect((await refused.exited).code).toBe(1);
    expect(refused.stderr).toContain('edge.yaml:5:3  error WEIR1042');
    expect(refused.stderr).toContain('did you mean "gatewayClassName"?');
  });

  test('3 for an address that is taken, with the address', async () => {
    const yaml = policies({ port: upstream.port, upstreamPort: upstream.port, module: null });
    // The gateway binds every address; the upstream has the port on one of them.
    const refused = await Weir.start({ files: { 'edge.yaml': yaml }, wait: false });
    expect((await refused.exited).code).toBe(3);
    expect(refused.stderr).toMatch(
      /edge\.yaml:\d+:\d+ {2}error WEIR4003.*listens there already \(EADDRINUSE\)/,
    );
    expect(refused.stderr).toMatch(/^ +\d+ \| .*port: \d+/m);
  });

  test('3 for an admin address that is taken', async () => {
    const port = await freePort();
    const yaml = policies({ port, upstreamPort: upstream.port, module: null });
    const refused = await Weir.start({
      files: { 'edge.yaml': yaml },
      args: ['--admin', `127.0.0.1:${upstream.port}`],
      wait: false,
    });
    expect((await refused.exited).code).toBe(3);
    expect(refused.stderr).toMatch(
      /^error: the admin address 127\.0\.0\.1:\d+ cannot be bound: .*--admin off$/m,
    );
    expect(refused.stderr).not.toContain('"stack"');
  });
});

describe('a proxy without a file', () => {
  test('proxies everything to one upstream', async () => {
    const [port, admin] = [await freePort(), await freePort()];
    const { Program } = await import('../support/process.ts');
    const args = ['run', '--to', `http://127.0.0.1:${upstream.port}`, '--port', String(port)];
    const program = new Program(process.execPath, [
      'bin/weir',
      ...args,
      '--workers',
      '1',
      '--admin',
      `127.0.0.1:${admin}`,
    ]);
    await program.waitFor('snapshot in force');
    expect((await exchange({ port }, getRequest('/any/path'))).status).toBe(200);
    expect((await program.stop()).code).toBe(0);
  });
});
