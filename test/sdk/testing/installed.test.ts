// The kit as the SDK's package has it, in a folder that has nothing else: under vitest and node:test, in its own
// process and against a weir with sockets.
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { compileFilter } from '../../../filters-sdk/cli/compile.mjs';
import { freePort } from '../../support/ports.ts';
import { Program, ROOT, temporaryFolder, Weir } from '../../support/process.ts';
import { policies } from '../../support/scenario.ts';

const FILTER = `export * from '@weir/filters-sdk/assembly/exports';
import { Action, RootContext, StreamContext, registerRoot, requestHeaders } from '@weir/filters-sdk/assembly';

class Root extends RootContext {
  createStream(): StreamContext {
    return new Stream();
  }
}

class Stream extends StreamContext {
  onRequestHeaders(_count: i32, _endOfStream: bool): Action {
    requestHeaders.set('x-greeting', 'hello');
    return Action.Continue;
  }
}

registerRoot(new Root());
`;

const NODE_TEST = `import assert from 'node:assert/strict';
import test from 'node:test';
import { live, openFilter, readCoverage } from '@weir/filters-sdk/testing';

test('greets', async () => {
  const filter = await openFilter('filter.ts');
  const exchange = await filter.exchange({ response: { status: 201 } });
  assert.equal(exchange.upstream?.headers['x-greeting'], 'hello');
  assert.equal(exchange.answer.status, 201);
  await filter.close();
});

test('costs little', { skip: live && 'no costs' }, async () => {
  const filter = await openFilter('filter.ts');
  const { callbacks } = await filter.exchange();
  assert.deepEqual(callbacks.map(({ hostCalls }) => hostCalls), [{ headers: 1 }]);
});
`;

const VITEST = `import { expect, test } from 'vitest';
import { openFilter, type Answer } from '@weir/filters-sdk/testing';

test('greets', async () => {
  const filter = await openFilter('filter.ts');
  const exchange = await filter.exchange({ request: { body: ['a', 'b'], method: 'PUT' } });
  expect(exchange.upstream?.body).toBe('ab');
  expect(exchange.upstream?.headers['x-greeting']).toBe('hello');
  const answer: Answer = exchange.answer;
  expect(answer.status).toBe(200);
});

test('never pauses', async () => {
  const filter = await openFilter('filter.ts');
  const exchange = await filter.exchange();
  expect(exchange.pauses).toEqual([]);
});
`;

/** For a weir that runs: the same file of tests, and one that opens its filters in other ways. */
const ATTACHED = `import { beforeAll, expect, test } from 'vitest';
import { openFilter, type Filter } from '@weir/filters-sdk/testing';

let other: Filter;
let calling: Filter;
beforeAll(async () => {
  other = await openFilter('filter.ts', { config: { text: 'bye', token: 'a' } });
  calling = await openFilter('filter.ts', { config: { text: 'hi', token: 'a' }, upstreams: { auth: () => null } });
});

test('the same configuration, but for the secret, which nobody can see', async () => {
  const filter = await openFilter('filter.ts', { config: { token: 'a', text: 'hi' } });
  const one = filter.exchange({ request: { path: '/1' }, response: { body: 'one' } });
  const two = filter.exchange({ request: { path: '/2' }, response: ({ path }) => ({ body: path }) });
  expect([(await one).upstream?.path, (await one).answer.body]).toEqual(['/1', 'one']);
  expect([(await two).upstream?.headers['x-greeting'], (await two).answer.body]).toEqual(['hello', '/2']);
});
test('another configuration', async () => void (await other.exchange()));
test('another one that the filter refuses', async () => {
  await expect(openFilter('filter.ts', { config: { text: '' } })).rejects.toThrow('text');
});
test('calls', async () => void (await calling.exchange()));
`;

let folder: string;

beforeAll(async () => {
  folder = await temporaryFolder();
  const modules = join(folder, 'node_modules');
  const sdk = join(modules, '@weir/filters-sdk');
  mkdirSync(sdk, { recursive: true });
  const pack = ['pack', '--json', '--pack-destination', folder];
  const packed = execFileSync('npm', pack, {
    cwd: join(ROOT, 'filters-sdk'),
    encoding: 'utf8',
    stdio: 'pipe',
  });
  const [{ filename }] = JSON.parse(packed) as [{ filename: string }];
  execFileSync('tar', ['-xzf', join(folder, filename), '-C', sdk, '--strip-components=1']);
  for (const name of ['assemblyscript', 'binaryen', 'long', 'vitest', 'typescript'])
    symlinkSync(join(ROOT, 'node_modules', name), join(modules, name));
  writeFileSync(join(folder, 'package.json'), '{"type": "module"}');
  writeFileSync(join(folder, 'filter.ts'), FILTER);
  writeFileSync(join(folder, 'greets.mjs'), NODE_TEST);
  writeFileSync(join(folder, 'greets.test.ts'), VITEST);
  writeFileSync(join(folder, 'attached.test.ts'), ATTACHED);
}, 60_000);

async function node(args: readonly string[], env: Record<string, string> = {}) {
  // A test runner tells those below it that they are its own.
  const clean = { VITEST: '', WEIR_BIN: join(ROOT, 'bin/weir') };
  const program = new Program(process.execPath, args, { cwd: folder, env: { ...clean, ...env } });
  const { code } = await program.exited;
  return { code, output: program.output };
}

const VITEST_RUN = [
  'node_modules/vitest/vitest.mjs',
  'run',
  '--testTimeout=60000',
  '--reporter=json',
  '--outputFile=out.json',
];
const TIMEOUT_MS = 120_000;

function results(): { title: string; status: string }[] {
  const { testResults } = JSON.parse(readFileSync(join(folder, 'out.json'), 'utf8')) as {
    testResults: { assertionResults: { title: string; status: string; failureMessages: string[] }[] }[];
  };
  return testResults.flatMap(({ assertionResults }) =>
    assertionResults.map(({ title, status, failureMessages }) => ({
      title,
      status: [status, ...failureMessages].join(': '),
    })),
  );
}

test(
  'its types need nothing but TypeScript',
  async () => {
    const options = ['--noEmit', '--strict', '--module', 'nodenext', '--target', 'es2022', '--lib', 'es2022'];
    writeFileSync(
      join(folder, 'types.ts'),
      `import { openFilter, everySplit, startCoverage, type Filter } from '@weir/filters-sdk/testing';
      const filter: Filter = await openFilter('filter.ts', { config: { a: 1 }, upstreams: { auth: () => null } });
      for (const body of everySplit('abc')) {
        const { answer, upstream } = await filter.exchange({ request: { body } });
        const status: number = answer.status;
        const path: string | undefined = upstream?.path;
        void [status, path, startCoverage().report().lcov()];
      }
      // @ts-expect-error there is no such field
      await filter.exchange({ requst: {} });
      export {};\n`,
    );
    const { code, output } = await node(['node_modules/typescript/bin/tsc', ...options, 'types.ts']);
    expect([code, output]).toEqual([0, '']);
  },
  TIMEOUT_MS,
);

test(
  'runs under node:test, and leaves what it has counted',
  async () => {
    const { code, output } = await node(['--test', 'greets.mjs'], { WEIR_COVERAGE: join(folder, 'counts') });
    expect(output).toContain('# pass 2');
    expect(code).toBe(0);
    const report = `import { readCoverage } from '@weir/filters-sdk/testing'; console.log(readCoverage('counts').text())`;
    const told = await node(['--input-type=module', '-e', report]);
    expect(told.output).toMatch(/filter\.ts +100\.0 % +4 of 4\n/);
  },
  TIMEOUT_MS,
);

test(
  'runs under vitest',
  async () => {
    await node([...VITEST_RUN, 'greets.test.ts']);
    expect(results()).toEqual([
      { title: 'greets', status: 'passed' },
      { title: 'never pauses', status: 'passed' },
    ]);
  },
  TIMEOUT_MS,
);

test(
  'the same tests run against a weir with sockets; what that cannot tell is skipped',
  async () => {
    const { output } = await node([...VITEST_RUN, 'greets.test.ts'], { WEIR_LIVE: '1' });
    expect(output).not.toContain('deprecated');
    expect(results()).toEqual([
      { title: 'greets', status: 'passed' },
      { title: 'never pauses', status: 'skipped' },
    ]);
    expect(readFileSync(join(folder, 'out.json'), 'utf8')).toContain('"numPendingTests":1');
  },
  TIMEOUT_MS,
);

describe('a weir that runs already', () => {
  const config = { text: 'hi', token: 's3cret' };
  let env: Record<string, string>;
  beforeAll(async () => {
    const { binary } = await compileFilter({ entry: 'filter.ts', baseDir: folder });
    const [port, upstreamPort] = [await freePort(), await freePort()];
    const edge = policies({ port, upstreamPort, config });
    const weir = await Weir.start({ files: { 'edge.yaml': edge, 'filter.wasm': binary! } });
    env = {
      WEIR_LIVE: `http://127.0.0.1:${port}`,
      WEIR_LIVE_UPSTREAM: `127.0.0.1:${upstreamPort}`,
      WEIR_LIVE_ADMIN: `127.0.0.1:${weir.adminPort}`,
    };
  }, TIMEOUT_MS);

  test(
    'serves the tests of its configuration; others are skipped',
    async () => {
      await node([...VITEST_RUN, '--no-file-parallelism', 'attached.test.ts', 'greets.test.ts'], env);
      expect(results().sort((a, b) => (a.title < b.title ? -1 : 1))).toEqual([
        { title: 'another configuration', status: 'skipped' },
        { title: 'another one that the filter refuses', status: 'skipped' },
        { title: 'calls', status: 'skipped' },
        // Without a configuration.
        { title: 'greets', status: 'skipped' },
        { title: 'never pauses', status: 'skipped' },
        { title: 'the same configuration, but for the secret, which nobody can see', status: 'passed' },
      ]);
    },
    TIMEOUT_MS,
  );

  test(
    'serves all tests where nobody looks at its configuration, under node:test too, which ends by itself',
    async () => {
      const { code, output } = await node(['--test', 'greets.mjs'], { ...env, WEIR_LIVE_ADMIN: 'off' });
      expect(output).toContain('# pass 1');
      expect(output).toContain('# skipped 1');
      expect(code).toBe(0);
    },
    TIMEOUT_MS,
  );

  test(
    'is asked in vain: it says what to set and what to end',
    async () => {
      const faults = async (changes: Record<string, string>): Promise<string> => {
        const { code, output } = await node(['--test', 'greets.mjs'], { ...env, ...changes });
        expect(code).toBe(1);
        return output;
      };
      const nobody = `127.0.0.1:${await freePort()}`;
      expect(await faults({ WEIR_LIVE_ADMIN: nobody })).toContain(
        `http://${nobody}/config_dump: Error: connect ECONNREFUSED ${nobody}. Set WEIR_LIVE_ADMIN`,
      );
      const taken = env['WEIR_LIVE_ADMIN']!;
      expect(await faults({ WEIR_LIVE_UPSTREAM: taken })).toContain(
        `the test cannot play the upstream ${taken}: listen EADDRINUSE`,
      );
    },
    TIMEOUT_MS,
  );
});
