import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openFilter } from '../../filters-sdk/testing/kit.ts';
import { Wants } from '../../src/runtime/wasm/abi.ts';
import { compileModule } from '../../src/runtime/wasm/module.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
/** The first filter of the SDK's README. */
const readme = readFileSync(join(root, 'filters-sdk/README.md'), 'utf8');
const HELLO = /```ts\n(export \* from[\s\S]*?)```/.exec(readme)![1]!;

const TOKEN_GATE = `export * from '@weir/filters-sdk/assembly/exports';
import { Action, RootContext, StreamContext, registerRoot, replyWith, requestHeader, utf8 } from '@weir/filters-sdk/assembly';

const AUTHORIZATION = utf8('authorization');
const DENIED = utf8('a valid token is required\\n');

class TokenGateRoot extends RootContext {
  expected: ArrayBuffer = new ArrayBuffer(0);

  onConfigure(configuration: ArrayBuffer): bool {
    this.expected = configuration;
    return configuration.byteLength > 0;
  }

  createStream(): StreamContext {
    return new TokenGate(this);
  }
}

class TokenGate extends StreamContext {
  constructor(private root: TokenGateRoot) {
    super();
  }

  onRequestHeaders(_count: i32, _endOfStream: bool): Action {
    const given = requestHeader(AUTHORIZATION);
    if (given === null || !given.equals(this.root.expected)) return replyWith(401, DENIED);
    return Action.Continue;
  }
}

registerRoot(new TokenGateRoot());
`;

let folder: string;

/** An empty folder with the packed SDK and its compiler, as `npm install` would leave it. */
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'weir-standalone-'));
  const sdk = join(folder, 'node_modules/@weir/filters-sdk');
  mkdirSync(sdk, { recursive: true });
  const npm = ['pack', '--json', '--pack-destination', folder];
  const packed = execFileSync('npm', npm, {
    cwd: join(root, 'filters-sdk'),
    encoding: 'utf8',
    stdio: 'pipe',
  });
  const [{ filename }] = JSON.parse(packed) as [{ filename: string }];
  execFileSync('tar', ['-xzf', join(folder, filename), '-C', sdk, '--strip-components=1']);
  for (const name of ['assemblyscript', 'binaryen', 'long']) {
    symlinkSync(join(root, 'node_modules', name), join(folder, 'node_modules', name));
  }
  writeFileSync(join(folder, 'filter.ts'), TOKEN_GATE);
  writeFileSync(join(folder, 'hello.ts'), HELLO);
  weirAsc('filter.ts', '-o', 'filter.wasm');
}, 60_000);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const weirAsc = (...options: string[]): string =>
  execFileSync(process.execPath, ['node_modules/@weir/filters-sdk/cli/weir-asc.mjs', ...options], {
    cwd: folder,
    encoding: 'utf8',
    stdio: 'pipe',
  });
const bytesOf = (name: string): Buffer => readFileSync(join(folder, name));

describe('a filter of a user', () => {
  test('builds from an empty folder with the packed SDK alone, and runs', async () => {
    const filter = await openFilter(bytesOf('filter.wasm'), {
      config: 'secret',
      capabilities: ['default', 'secrets'],
    });
    const ask = async (authorization: string): Promise<number> =>
      (await filter.exchange({ request: { headers: { authorization } } })).answer.status;
    expect([await ask('secret'), await ask('guess')]).toEqual([200, 401]);
  });

  test('is small, imports nothing but what it uses, and exports nothing but what it overrides', async () => {
    const bytes = bytesOf('filter.wasm');
    const module = await compileModule(bytes);
    expect(module.warnings).toEqual([]);
    expect(module.wants).toBe(Wants.RequestHeaders);
    expect([...module.functions].sort()).toEqual([
      '_initialize',
      'malloc',
      'proxy_abi_version_0_2_1',
      'proxy_on_configure',
      'proxy_on_context_create',
      'proxy_on_delete',
      'proxy_on_memory_allocate',
      'proxy_on_request_headers',
    ]);
    expect(module.links.map(({ module: from, name }) => `${from}.${name}`).sort()).toEqual([
      'env.proxy_get_buffer_bytes',
      'env.proxy_get_header_map_value',
      'env.proxy_log',
      'env.proxy_send_local_response',
    ]);
    expect(bytes.length).toBeLessThan(9 * 1024);
    weirAsc('filter.ts', '-o', 'small.wasm', '--', '--shrinkLevel', '1');
    // A third of a KiB says what it was made from.
    expect(bytesOf('small.wasm').length).toBeLessThan(8.5 * 1024);
  });

  test('builds with the compiler’s own command and the base configuration', () => {
    const base = join('node_modules', '@weir', 'filters-sdk', 'asconfig.base.json');
    writeFileSync(join(folder, 'asconfig.json'), JSON.stringify({ extends: `./${base}` }));
    const asc = [
      'node_modules/assemblyscript/bin/asc.js',
      'filter.ts',
      '--target',
      'release',
      '-o',
      'asc.wasm',
    ];
    execFileSync(process.execPath, asc, { cwd: folder, stdio: 'pipe' });
    expect(bytesOf('asc.wasm').equals(bytesOf('filter.wasm'))).toBe(true);
  });

  test('the README’s first filter builds and does what it says', async () => {
    weirAsc('hello.ts', '-o', 'hello.wasm');
    const { answer } = await (await openFilter(bytesOf('hello.wasm'))).exchange();
    expect(answer.headers['x-hello']).toBe('from weir');
  });

  test('a debug build has names and a source map', () => {
    weirAsc('filter.ts', '-o', 'debug.wasm', '--debug', '--sourceMap');
    expect(JSON.parse(bytesOf('debug.wasm.map').toString()).sources).toContain('filter.ts');
    expect(
      WebAssembly.Module.customSections(new WebAssembly.Module(bytesOf('debug.wasm')), 'name').length,
    ).toBe(1);
  });

  test('is told what is wrong with it', () => {
    writeFileSync(join(folder, 'wrong.ts'), TOKEN_GATE.replace('given.equals(', 'given.equal('));
    expect(() => weirAsc('wrong.ts', '-o', 'wrong.wasm')).toThrow(/wrong\.ts\(27,/);
    writeFileSync(join(folder, 'wrong.ts'), TOKEN_GATE.replace(/^export \*.*\n/, ''));
    expect(() => weirAsc('wrong.ts', '-o', 'wrong.wasm')).toThrow(
      /the entry file does not hand on the callbacks/,
    );
    expect(() => weirAsc()).toThrow(/usage: weir-asc/);
  });
});
