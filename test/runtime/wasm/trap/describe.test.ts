import { describe, expect, test } from 'vitest';
import { compileModule } from '../../../../src/runtime/wasm/module.ts';
import { compileWithMap } from '../../../support/assemblyscript.ts';
import { GUEST_SDK } from '../../../support/guest-sdk.ts';
import { BareHost } from '../../../support/bare-host.ts';
import { BareStream } from '../../../support/bare-stream.ts';

const ENTRY = `export { proxy_abi_version_0_2_1, proxy_on_memory_allocate } from "./guest";
import { header } from "./guest";

export function proxy_on_request_headers(context: i32, count: i32, ended: i32): i32 {
  return check(header(0, ":path"));
}

@inline function twice(size: i32): i32 {
  return 2 * size;
}

function check(path: string | null): i32 {
  if (path !== null && twice(path.length) > 2) {
    unreachable();
  }
  return 0;
}
`;

/** Else the compiler would put one function into the other. */
const PLAIN = ['--debug', '--optimizeLevel', '0', '--shrinkLevel', '0'];
const sources = { 'index.ts': ENTRY, ...GUEST_SDK };

/** What is logged of the trap. */
async function trap(binary: Uint8Array, sourceMap?: Uint8Array, limits = {}): Promise<string> {
  const host = new BareHost();
  const module = await compileModule(binary, { ...limits, sourceMap });
  const plugin = await host.start(module);
  const stream = new BareStream();
  const head = stream.request([[':path', '/long']]);
  plugin.createContext(stream)!.onRequestHeaders(head.count, true);
  // Told when the module's sources have been read.
  await expect.poll(() => host.messages.length).toBeGreaterThan(0);
  return host.messages.find((message) => message.startsWith('trap in'))!;
}

describe('a trap of AssemblyScript', () => {
  test('names file and line where a map came beside the module', async () => {
    const { binary, map } = await compileWithMap(sources, ['--sourceMap', ...PLAIN]);
    const message = await trap(binary, Buffer.from(map));
    expect(message).toMatch(/^trap in proxy_on_request_headers: unreachable in /);
    expect(message).toContain('index/check (index.ts:14:5) < index/proxy_on_request_headers (index.ts:5:10)');
  });

  test('does so whatever was written into the module before its code', async () => {
    const { binary, map } = await compileWithMap(sources, ['--sourceMap', ...PLAIN]);
    const message = await trap(binary, Buffer.from(map), { memoryBytes: 8 * 65_536 });
    expect(message).toContain('(index.ts:14:5)');
  });

  test('takes a map from inside of the module', async () => {
    const { binary, map } = await compileWithMap(sources, ['--sourceMap', ...PLAIN]);
    const url = `data:application/json;base64,${Buffer.from(map).toString('base64')}`;
    expect(await trap(withUrl(binary, url))).toContain('index/check (index.ts:14:5)');
  });

  test('names functions alone where there is no map, or none that can be read', async () => {
    const { binary } = await compileWithMap(sources, PLAIN);
    const plain = /unreachable in index\/check < index\/proxy_on_request_headers$/;
    expect(await trap(binary)).toMatch(plain);
    expect(await trap(binary, Buffer.from('{'))).toMatch(plain);
    expect(await trap(withUrl(binary, 'https://example.test/map'))).toMatch(plain);
    expect(await trap(withUrl(binary, 'data:application/json;base64,e30='))).toMatch(plain);
  });

  test('names numbers and offsets where there are no names either', async () => {
    const { binary } = await compileWithMap(sources, []);
    expect(await trap(binary)).toMatch(/unreachable in wasm-function\[\d+\]:0x[0-9a-f]+/);
  });
});

/** The module with a custom section `sourceMappingURL` at its end. */
function withUrl(binary: Uint8Array, url: string): Uint8Array {
  const text = (value: string) => [...uleb(value.length), ...Buffer.from(value)];
  const content = [...text('sourceMappingURL'), ...text(url)];
  return Buffer.concat([binary, Uint8Array.from([0, ...uleb(content.length), ...content])]);
}

function uleb(value: number): number[] {
  return value < 128 ? [value] : [(value & 127) | 128, ...uleb(value >>> 7)];
}

test('the first trap is told when the map has been read, the next ones at once', async () => {
  const { binary, map } = await compileWithMap(sources, ['--sourceMap', ...PLAIN]);
  const host = new BareHost();
  const module = await compileModule(binary, { sourceMap: Buffer.from(map) });
  const run = async (): Promise<string> => {
    const plugin = await host.start(module);
    host.lines.length = 0;
    const stream = new BareStream();
    const head = stream.request([[':path', '/long']]);
    plugin.createContext(stream)!.onRequestHeaders(head.count, true);
    return host.messages[0] ?? '';
  };
  expect(await run()).toBe('');
  await expect.poll(() => host.messages.length).toBe(1);
  expect(await run()).toContain('(index.ts:14:5)');
});
