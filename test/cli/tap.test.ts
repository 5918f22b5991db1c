import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeAll, expect, test } from 'vitest';
import type { ReplayReport } from '../../src/replay/report.ts';
import { FakeUpstream } from '../support/fake-upstream.ts';
import { freePort } from '../support/ports.ts';
import { run, temporaryFolder, Weir } from '../support/process.ts';
import { exchange, getRequest } from '../support/raw-client.ts';
import { labelFilter, policies } from '../support/scenario.ts';
import { guest } from '../support/wasm-guest.ts';
import { Unread } from '../support/unread.ts';

const BIN = fileURLToPath(new URL('../../bin/weir', import.meta.url));

/** Does the same as another one 500 times. */
function slowFilter(): Uint8Array {
  return guest({
    proxy_on_context_create: () => undefined,
    proxy_on_vm_start: (script) => script.return(1),
    proxy_on_configure: (script) => script.return(1),
    proxy_on_response_headers: (script) => {
      const [name, value] = [script.text('x-module'), script.text('slow')];
      for (let i = 0; i < 500; i++) script.call('proxy_replace_header_map_value', 2, name, value);
      script.return(0);
    },
  });
}

let folder: string;
let weir: Weir;
let port: number;
let recording: string;

const command = (...args: string[]) => run(process.execPath, [BIN, ...args]);
const replay = (module: string, ...args: string[]) =>
  command('filter', 'test', '--replay', recording, '--module', join(folder, module), ...args);

/** Runs a tap, with requests while it is open. */
async function tap(...args: string[]): ReturnType<typeof run> {
  const running = command(
    'tap',
    '--filter',
    'label',
    '--admin',
    `127.0.0.1:${weir.adminPort}`,
    '--count',
    '5',
    ...args,
  );
  let over = false;
  void running.then(() => (over = true));
  while (!over) await exchange({ port }, getRequest('/greet?token=s3cret', 'localhost', 'Connection: close'));
  return running;
}

beforeAll(async () => {
  folder = await temporaryFolder();
  for (const label of ['m1', 'm2']) writeFileSync(join(folder, `${label}.wasm`), labelFilter(label));
  writeFileSync(join(folder, 'slow.wasm'), slowFilter());
  const upstream = await FakeUpstream.start({ discard: true });
  port = await freePort();
  weir = await Weir.start({
    workers: 2,
    files: { 'edge.yaml': policies({ port, upstreamPort: upstream.port }), 'filter.wasm': labelFilter('m1') },
  });
  recording = join(folder, 'day.jsonl');
});

test('a tap writes a recording that nobody else may read, and says how much it is', async () => {
  const { code, stderr, stdout } = await tap('--out', recording);
  expect({ code, stdout }).toEqual({ code: 0, stdout: '' });
  expect(stderr).toMatch(/day\.jsonl: \d+ requests, [\d.]+ KiB/);
  expect(statSync(recording).mode & 0o777).toBe(0o600);
  expect(readFileSync(recording, 'utf8')).not.toContain('s3cret');
});

test('a tap that nobody reads any more ends, quietly', async () => {
  const unread = new Unread([BIN, 'tap', '--filter', 'label', '--admin', `127.0.0.1:${weir.adminPort}`]);
  await unread.closed;
  let over = false;
  void unread.exited.then(() => (over = true));
  while (!over) await exchange({ port }, getRequest('/greet', 'localhost', 'Connection: close'));
  const { code, stderr } = await unread.exited;
  expect(code).toBe(0);
  expect(stderr).toMatch(/^watching label for .*\n\d+ requests\n$/);
});

test('a replay against the same module tells that nothing differs', async () => {
  const { code, stdout } = await replay('m1.wasm');
  expect(stdout).toMatch(/^shop\/chain#label [0-9a-f]{12}, the module that was recorded\n/);
  expect(stdout).toMatch(/\n\d+ identical\n$/);
  expect(code).toBe(0);
});

test('a replay against another one tells what differs, and fails', async () => {
  const { code, stdout } = await replay('m2.wasm');
  const [, some, all] = /(\d+) of (\d+): response header x-module: "m1" → "m2"\n/.exec(stdout)!;
  expect(some).toBe(all);
  expect(stdout).toContain(`${all!} different`);
  expect(code).toBe(1);
  const report = JSON.parse((await replay('m2.wasm', '-o', 'json')).stdout) as ReplayReport;
  expect(report).toMatchObject({ requests: Number(all), different: Number(all), identical: 0, undecided: 0 });
  expect(report.groups).toMatchObject([{ subject: 'response header x-module', was: '"m1"', is: '"m2"' }]);
});

test('without a file the tap is told as text', async () => {
  const { code, stdout } = await tap();
  expect(code).toBe(0);
  expect(stdout).toMatch(
    /GET localhost\/greet\?token=\w+ label [0-9a-f-]{36}\n {2}response_headers {3}continue .*µs, \d+ fuel\n {6}\+ response: x-module: m1\n/,
  );
  expect(stdout).not.toContain('s3cret');
});

test('what is wrong is said with what to do about it', async () => {
  const nobody = await command('tap', '--filter', 'nobody', '--admin', `127.0.0.1:${weir.adminPort}`);
  expect(nobody).toMatchObject({ code: 1 });
  expect(nobody.stderr).toContain('no filter is named "nobody"; there are: shop/chain#label');
  const nothing = await command('tap', '--filter', 'x', '--admin', `127.0.0.1:${await freePort()}`);
  expect(nothing.stderr).toMatch(/no weir answers at .*ECONNREFUSED.*--admin names its admin server/);
  const stranger = await FakeUpstream.start();
  const elsewhere = await command('quota', 'list', '--admin', `127.0.0.1:${stranger.port}`);
  expect(elsewhere).toMatchObject({ code: 1 });
  expect(elsewhere.stderr).toBe(
    `error: what answers at 127.0.0.1:${stranger.port} is no weir; --admin names its admin server\n`,
  );
  const other = join(folder, 'm1.wasm');
  const noRecording = await command('filter', 'test', '--replay', other, '--module', other);
  expect(noRecording).toMatchObject({ code: 1 });
  expect(noRecording.stderr).toContain('m1.wasm:1: this is not a recording of weir tap');
  expect((await replay('m1.wasm', '--filter', 'other')).stderr).toContain(
    'has no filter other; there are: shop/chain#label',
  );
});

test('weir filter bench tells what callbacks cost with the requests of a recording, beside another build', async () => {
  const { code, stdout, stderr } = await command(
    ...['filter', 'bench', join(folder, 'm2.wasm'), '--against', join(folder, 'slow.wasm')],
    ...['--replay', recording, '--rounds', '9'],
  );
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  expect(stdout).toMatch(
    /^response headers {2,}[\d.]+ (ns|µs) ±\d+ % +before +[\d.]+ (ns|µs) ±\d+ % +−[\d.]+ % \(/m,
  );
  expect(stdout).toMatch(/^fuel +\d+ +before \d{4,}$/m);
  expect(stdout).toMatch(/^heap +[\d.]+ KiB +before [\d.]+ KiB$/m);
  expect(stdout).toMatch(/\nFaster than before: by [\d.]+ %\.\n$/);
  const both = await command('filter', 'bench', '--replay', recording, '--request', recording);
  expect(both.stderr).toContain('--request and --replay both say what is repeated; give one');
});
