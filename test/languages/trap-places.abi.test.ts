// Where a plugin of another compiler trapped, by the line table that the compiler left in it.
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { BareHost } from '../support/bare-host.ts';
import { BareStream } from '../support/bare-stream.ts';
import { needDebian, needRustTarget } from './toolchains.ts';

let folder: string;
beforeAll(async () => {
  needDebian({ clang: 'clang', 'wasm-ld': 'lld' }, []);
  needRustTarget('wasm32-unknown-unknown');
  folder = await mkdtemp(join(tmpdir(), 'weir-trap-'));
}, 300_000);
afterAll(() => rm(folder, { recursive: true }));

async function trap(file: string): Promise<string> {
  const host = new BareHost();
  const plugin = await host.start(readFileSync(join(folder, file)));
  const stream = new BareStream();
  plugin.createContext(stream)!.onRequestHeaders(stream.request().count, true);
  // Told when the module's line table has been read.
  await expect.poll(() => host.messages.length).toBeGreaterThan(0);
  return host.messages.find((message) => message.startsWith('trap in'))!;
}

const C = `static int fields;
void proxy_abi_version_0_2_1(void) {}
void *malloc(unsigned long size) { return (void *)(1024 + size); }

__attribute__((noinline)) static int divide(int by) {
  return 7 / by;
}

int proxy_on_request_headers(int context, int count, int ended) {
  fields = count - 4;
  return divide(fields);
}
`;

describe('C', () => {
  beforeAll(() => writeFile(join(folder, 'risk.c'), C));

  test.each(['4', '5'])('with DWARF %s names file, line and column, of the caller too', async (version) => {
    // Linked by hand: the driver would run the wasm-opt of npm's folder, which drops names.
    const options = ['--target=wasm32', `-gdwarf-${version}`, '-O1', '-fno-builtin', '-c'];
    execFileSync('clang', [...options, '-o', 'risk.o', 'risk.c'], { cwd: folder });
    const exports = ['proxy_abi_version_0_2_1', 'malloc', 'proxy_on_request_headers'];
    const link = ['--no-entry', ...exports.map((name) => `--export=${name}`)];
    execFileSync('wasm-ld', [...link, '-o', `risk-${version}.wasm`, 'risk.o'], { cwd: folder });
    const message = await trap(`risk-${version}.wasm`);
    expect(message).toMatch(/divide by zero in divide \((.*\/)?risk\.c:6:12\) < proxy_on_request_headers \(/);
    expect(message).toMatch(/risk\.c:11:10\)$/);
  });
});

const RUST = `#[no_mangle]
pub extern "C" fn proxy_abi_version_0_2_1() {}
#[no_mangle]
pub extern "C" fn malloc(size: usize) -> usize { 1024 + size }

#[inline(never)]
fn pick(fields: &[u32], at: usize) -> u32 {
    fields[at]
}

#[no_mangle]
pub extern "C" fn proxy_on_request_headers(_context: u32, count: usize, _ended: u32) -> u32 {
    pick(&[1, 2, 3], count)
}
`;

describe('Rust', () => {
  test('names the line of the author below those of the panic machinery', async () => {
    await writeFile(join(folder, 'risk.rs'), RUST);
    const target = ['--target', 'wasm32-unknown-unknown', '--crate-type', 'cdylib', '--edition', '2021'];
    const options = ['-C', 'opt-level=1', '-C', 'debuginfo=1', '-C', 'panic=abort'];
    execFileSync('rustc', [...target, ...options, '-o', 'rust.wasm', 'risk.rs'], { cwd: folder });
    const message = await trap('rust.wasm');
    expect(message).toMatch(/^trap in proxy_on_request_headers: unreachable in /);
    expect(message).toMatch(/ < risk::pick(::\w+)? \((.*\/)?risk\.rs:8:5\)/);
  });
});
