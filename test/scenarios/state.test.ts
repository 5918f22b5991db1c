import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { FakeUpstream } from '../support/fake-upstream.ts';
import { freePort } from '../support/ports.ts';
import { Program, Weir } from '../support/process.ts';
import { exchange, getRequest } from '../support/raw-client.ts';
import { labelFilter, policies, until } from '../support/scenario.ts';

let upstream: FakeUpstream;
beforeAll(async () => {
  upstream = await FakeUpstream.start({ discard: true });
});

/** A weir that served two snapshots and ended; its folder is what the others start from. */
async function history(): Promise<{ weir: Weir; port: number; data: string }> {
  const port = await freePort();
  const yaml = (policy: string) => policies({ port, upstreamPort: upstream.port, policy });
  const weir = await Weir.start({ files: { 'edge.yaml': yaml('p1'), 'filter.wasm': labelFilter('m1') } });
  await weir.write('edge.yaml', yaml('p2'));
  await until(weir, 'serves the second', ({ snapshot }) => snapshot?.number === 2);
  expect((await weir.stop()).code).toBe(0);
  return { weir, port, data: join(weir.folder, '..', 'data') };
}

async function again(weir: Weir, data: string, ...args: string[]): Promise<Program> {
  const common = ['run', '-f', weir.folder, '--data-dir', data, '--workers', '1', '--admin', 'off'];
  return new Program(process.execPath, ['bin/weir', ...common, ...args]);
}

async function served(port: number): Promise<string> {
  const answer = await exchange({ port }, getRequest('/'));
  return `${answer.header('x-policy')} ${answer.header('x-module')}`;
}

test('--resume serves the last good snapshot where the configuration is refused, and takes the mended one', async () => {
  const { weir, port, data } = await history();
  await writeFile(join(weir.folder, 'edge.yaml'), 'kind: [nothing\n');
  await rm(join(weir.folder, 'filter.wasm'));
  const without = await again(weir, data);
  expect((await without.exited).code).toBe(1);

  const program = await again(weir, data, '--resume');
  await program.waitFor('serving the last good snapshot from disk');
  expect(program.stderr).toContain('WEIR1001');
  expect(await served(port)).toBe('p2 m1');
  await writeFile(join(weir.folder, 'filter.wasm'), labelFilter('m3'));
  await writeFile(
    join(weir.folder, 'edge.yaml'),
    policies({ port, upstreamPort: upstream.port, policy: 'p3' }),
  );
  await expect.poll(() => served(port), { interval: 20 }).toBe('p3 m3');
  await program.waitFor('snapshot in force');
  // Numbers go on where the process before left off.
  expect(program.log.find((line) => line['msg'] === 'snapshot in force')).toMatchObject({ number: 3 });
  await program.stop();
});

test('--resume serves where the configuration is not there at all', async () => {
  const { weir, port, data } = await history();
  await rm(weir.folder, { recursive: true });
  const program = await again(weir, data, '--resume');
  await program.waitFor('serving the last good snapshot from disk');
  expect(await served(port)).toBe('p2 m1');
  await program.stop();
});

test('a damaged snapshot is set aside with a loud log, and the one before it serves', async () => {
  const { weir, port, data } = await history();
  await writeFile(join(weir.folder, 'edge.yaml'), 'kind: [nothing\n');
  const file = join(data, 'snapshot-0000000002.weir');
  const bytes = await readFile(file);
  bytes[bytes.length - 20]! ^= 0xff;
  await writeFile(file, bytes);

  const program = await again(weir, data, '--resume');
  await program.waitFor('serving the last good snapshot from disk');
  expect(await served(port)).toBe('p1 m1');
  const said = program.log.find((line) => line['msg'] === 'a saved file is damaged and was set aside');
  expect(said).toMatchObject({ level: 'fatal', reason: 'its sha256 differs from its header' });
  const aside = (await readdir(data)).filter((name) => name.startsWith('snapshot-0000000002.weir.damaged-'));
  expect(aside.length).toBe(1);
  await program.stop();
});

test('a data folder that cannot be written to leaves traffic alone and raises the alarm', async () => {
  const port = await freePort();
  const yaml = policies({ port, upstreamPort: upstream.port, module: null });
  // A file where the folder should be; root, as tests may run, is stopped by nothing less.
  const weir = await Weir.start({
    files: { 'edge.yaml': yaml },
    wait: false,
    args: ['--data-dir', '/dev/null/data'],
  });
  await weir.ready();
  expect((await exchange({ port }, getRequest('/'))).status).toBe(200);
  expect(
    weir.log.some((line) => line['level'] === 'fatal' && String(line['msg']).includes('data folder')),
  ).toBe(true);
  expect((await weir.admin('/metrics')).text).toContain('weir_state_write_failing 1\n');
  await weir.stop();
});

test('nothing is written without --data-dir', async () => {
  const port = await freePort();
  const first = await Weir.start({
    files: { 'edge.yaml': policies({ port, upstreamPort: upstream.port, module: null }) },
  });
  await first.stop();
  await rm(join(first.folder, '..', 'data'), { recursive: true });
  const program = new Program(process.execPath, [
    'bin/weir',
    'run',
    '-f',
    first.folder,
    '--workers',
    '1',
    '--admin',
    'off',
  ]);
  await program.waitFor('snapshot in force');
  await program.stop();
  expect(await readdir(join(first.folder, '..'))).toEqual(['policies']);
});
