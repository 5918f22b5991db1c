import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { beforeAll, describe, expect, test } from 'vitest';
import { freePort } from '../support/ports.ts';
import { Program, ROOT, temporaryFolder } from '../support/process.ts';
import { type Answer, exchange, getRequest, RawClient } from '../support/raw-client.ts';

// What `npm start` runs once a checkout is set up.
describe('the demo', () => {
  let demo: Program;
  let folder: string;
  let port: number;
  let admin: number;

  const get = (path: string, ...fields: string[]): Promise<Answer> =>
    exchange({ port }, getRequest(path, 'demo.test', 'Connection: close', ...fields));
  const KEY = 'X-Api-Key: demo-key';

  beforeAll(async () => {
    folder = await temporaryFolder();
    port = await freePort();
    admin = await freePort();
    const upstreams = [await freePort(), await freePort()];
    demo = new Program(process.execPath, [join(ROOT, 'scripts/demo.mjs')], {
      env: {
        WEIR_DEMO_DIR: folder,
        WEIR_DEMO_PORT: String(port),
        WEIR_DEMO_ADMIN_PORT: String(admin),
        WEIR_DEMO_UPSTREAM_PORTS: upstreams.join(),
      },
    });
    await demo.waitFor('Ctrl-C stops', 60_000);
    // The proxy says itself where it listens, maybe later.
    await demo.waitFor(`http://127.0.0.1:${admin}`, 60_000);
  }, 70_000);

  test('prints where it listens and three lines to try', () => {
    expect(demo.stdout).toContain(`http://127.0.0.1:${port}`);
    expect(demo.stdout).toContain(`http://127.0.0.1:${admin}`);
    expect(demo.stdout.match(/^(allowed|refused|limited) +curl -i .*$/gm)).toHaveLength(3);
    // What it watches its own requests with is not the user's.
    expect(demo.stdout).not.toMatch(/a tap begins/);
  });

  test('lets a request with the key through its filters', async () => {
    const answer = await get('/hello', KEY);
    expect(answer.status).toBe(200);
    const seen = answer.json<{ upstream: string; headers: Record<string, string> }>();
    expect(['blue', 'green']).toContain(seen.upstream);
    expect(seen.headers['x-demo']).toBe('through weir');
    expect(answer.header('x-greeting')).toBe('hello from a filter');
    expect(answer.header('x-powered-by')).toBeUndefined();
  });

  test('refuses a request without the key', async () => {
    expect((await get('/hello')).status).toBe(401);
  });

  test('limits a burst, and says until when', async () => {
    const client = await RawClient.connect({ port });
    const statuses: number[] = [];
    let last: Answer | null = null;
    for (let i = 1; i <= 3; i++) {
      last = await client.exchange(getRequest(`/burst?${i}`, 'demo.test', KEY));
      statuses.push(last.status);
    }
    expect(statuses).toEqual([200, 200, 429]);
    expect(Number(last!.header('retry-after'))).toBeGreaterThan(0);
    expect(last!.header('ratelimit')).toBeDefined();
    expect(last!.header('ratelimit-policy')).toBeDefined();
  });

  test('takes an edited policy without a restart', async () => {
    await edit('policies/filters.yaml', 'hello from a filter', 'good evening');
    await until(async () => (await get('/hello', KEY)).header('x-greeting') === 'good evening');
  });

  test('takes an edited filter without a restart', async () => {
    await edit('filters/greeting.ts', "'x-greeting'", "'x-salutation'");
    await until(async () => (await get('/hello', KEY)).header('x-salutation') === 'good evening');
  });

  test('keeps serving when an edit is wrong, and says where', async () => {
    await edit('policies/filters.yaml', 'use: api-key', 'uze: api-key');
    await demo.waitFor(/filters\.yaml:\d+:\d+ .*"uze"[^]*did you mean "use"/);
    expect((await get('/hello', KEY)).status).toBe(200);
    expect((await get('/hello')).status).toBe(401);
  });

  test('ends with everything that it started', async () => {
    expect(await demo.stop('SIGINT')).toEqual({ code: 0, signal: null });
    await expect(get('/hello', KEY)).rejects.toThrow('ECONNREFUSED');
  });

  async function edit(name: string, from: string, to: string): Promise<void> {
    const file = join(folder, name);
    const text = await readFile(file, 'utf8');
    expect(text).toContain(from);
    await writeFile(file, text.replace(from, to));
  }

  async function until(holds: () => Promise<boolean>): Promise<void> {
    const end = Date.now() + 14_000;
    while (!(await holds())) {
      if (Date.now() > end) throw demo.fault('did not take the edit');
      await sleep(50);
    }
  }
});
