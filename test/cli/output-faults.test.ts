import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { FakeUpstream } from '../support/fake-upstream.ts';
import { freePort } from '../support/ports.ts';
import { Program, ROOT, temporaryFolder } from '../support/process.ts';
import { exchange, getRequest } from '../support/raw-client.ts';
import { policies } from '../support/scenario.ts';
import { Unread } from '../support/unread.ts';

const BIN = join(ROOT, 'bin/weir');
const POLICIES = join(ROOT, 'policies/canary');

test.each([
  ['schema', ['schema'], 0],
  ['help', ['--help'], 0],
  ['a right configuration', ['check', POLICIES], 0],
  ['a wrong one', ['check', join(ROOT, 'package.json')], 1],
  ['tests of policies', ['test', POLICIES], 0],
  ['a report on a module', ['filter', 'inspect', join(ROOT, 'dist/filters/cors.wasm')], 0],
])('where nobody reads, a command ends quietly and as it would have: %s', async (_what, args, status) => {
  expect(await new Unread([BIN, ...args]).exited).toEqual({ code: status, stderr: '' });
});

test('an output that cannot be written for another reason is told of', async () => {
  const program = new Program('sh', ['-c', 'exec "$0" "$1" schema > /dev/full', process.execPath, BIN]);
  expect((await program.exited).code).toBe(70);
  expect(program.stderr).toMatch(/^error: cannot write to standard output: ENOSPC.*\n$/);
});

test('the proxy serves on where nobody reads its access log', async () => {
  const [folder, port] = [await temporaryFolder(), await freePort()];
  const upstream = await FakeUpstream.start();
  const log =
    '---\napiVersion: policy.weir/v1alpha1\nkind: Telemetry\nmetadata: {name: log}\nspec: {accessLog: {mode: Json}}\n';
  const file = join(folder, 'edge.yaml');
  writeFileSync(file, policies({ port, upstreamPort: upstream.port, module: null }) + log);
  const adminPort = await freePort();
  const admin = `127.0.0.1:${adminPort}`;
  const unread = new Unread([BIN, 'run', '-f', file, '--workers', '1', '--admin', admin]);
  const ask = () =>
    exchange({ port }, getRequest('/', 'a', 'Connection: close')).then(
      ({ status }) => status,
      () => 0,
    );
  await expect.poll(ask).toBe(200);
  const metrics = async (): Promise<string> =>
    (
      await exchange({ port: adminPort }, getRequest('/metrics', 'localhost', 'Connection: close'))
    ).body.toString();
  // Its lines were written, in vain, and it is still the first worker that answers.
  await expect.poll(metrics).toMatch(/^weir_access_log_dropped_total\S* [1-9]/m);
  expect(await metrics()).not.toMatch(/^weir_worker_restarts_total\S* [1-9]/m);
  expect(await ask()).toBe(200);
  unread.stop();
  expect((await unread.exited).code).toBe(0);
}, 60_000);
