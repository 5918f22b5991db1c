// What weir's own SDK has and no other host can show: docs/host-differences.md.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { values } from '../support/message.ts';
import { exchange, getRequest } from '../support/raw-client.ts';
import { pluginFile } from './build.ts';
import { startParrot, talkOnce } from './tcp.ts';
import { inRoles, WeirSubject } from './subject.ts';

let weir: WeirSubject;
beforeAll(async () => {
  const places = inRoles(pluginFile('as-weir'), ['root', 'tcp-held']);
  weir = await WeirSubject.start({ places, tcpPort: await startParrot() });
}, 90_000);

test('an answer over TCP waits until the filter has asked about it', async () => {
  const logs = ['tcp upstream closed by 2', 'tcp closed', 'tcp done'];
  const { heard } = await talkOnce(weir, 'slow\n', '{slow\n>', logs, 'tcp-held');
  expect(heard).toEqual(['{slow\n>']);
  const asked = weir.authz.requests.map(({ target }) => target);
  expect(asked).toEqual(['/connection', '/line', '/answer']);
});

test('a root context that is replaced is there until it says that it has finished', async () => {
  const file = join(weir.weir.folder, 'all.yaml');
  const text = readFileSync(file, 'utf8');
  await weir.weir.write('all.yaml', text.replace('"config":"root"', '"config":"typical"'));
  await expect
    .poll(() => weir.logs().slice(-1))
    .toEqual([expect.stringMatching(/^root is done [1-9]\d* 3$/)]);
  expect(weir.authz.requests.map(({ target }) => target).slice(-1)).toEqual(['/end']);
});

test('limits, counters and shared data are exact over two workers, however a callback asks', async () => {
  const places = inRoles(pluginFile('as-weir'), ['waits', 'callbacks', 'counters']);
  const two = await WeirSubject.start({ places, workers: 2 });
  const ask = async (role: string, path: string): Promise<number> =>
    (await exchange({ port: two.port(role) }, getRequest(path, 'plugin.test'))).status;
  for (const [role, path] of [
    ['waits', '/limit'],
    ['callbacks', '/limit0'],
  ] as const) {
    const statuses = await Promise.all(Array.from({ length: 12 }, () => ask(role, path)));
    expect(statuses.filter((status) => status === 200)).toHaveLength(2);
    expect(statuses.filter((status) => status === 429)).toHaveLength(10);
  }
  await Promise.all(Array.from({ length: 12 }, () => ask('counters', '/count')));
  // Each has added 5 and taken 2.
  await ask('counters', '/count');
  expect(values(two.upstream.requests.at(-1)!.fields, 'x-counted')).toEqual(['41 39']);
});
