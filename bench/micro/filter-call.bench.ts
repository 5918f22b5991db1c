// Question: what does one filter cost a request, on its way through the Proxy-Wasm host?
// Fixture: a head of 9 fields and 450 bytes; a filter on raw bytes that reads three fields and sets one.
// Report: ns a call. Aim: 700 ns a callback, 5 µs more for a chain of 10.
import { strictEqual } from 'node:assert';
import { bench, do_not_optimize, run, summary } from 'mitata';
import type { HeaderBlock } from '../../src/runtime/http/headers.ts';
import type { StreamContext } from '../../src/runtime/wasm/context.ts';
import type { Plugin } from '../../src/runtime/wasm/plugin.ts';
import { compileAssemblyScript } from '../../test/support/assemblyscript.ts';
import { BareHost } from '../../test/support/bare-host.ts';
import { BareStream } from '../../test/support/bare-stream.ts';

const FILTER = {
  'index.ts': `
    import { proxy_get_header_map_value, proxy_replace_header_map_value } from "./env";
    const out = memory.data(8);
    const AUTHORIZATION = memory.data<u8>([${bytes('authorization')}]);
    const PATH = memory.data<u8>([${bytes(':path')}]);
    const USER_AGENT = memory.data<u8>([${bytes('user-agent')}]);
    const SET = memory.data<u8>([${bytes('x-filter')}]);
    const OK = memory.data<u8>([${bytes('ok')}]);
    export function proxy_abi_version_0_2_1(): void {}
    export function proxy_on_memory_allocate(size: i32): usize { return heap.alloc(size); }
    function read(name: usize, size: i32): i32 {
      if (proxy_get_header_map_value(0, name, size, out, out + 4) != 0) return 0;
      const at = load<usize>(out);
      const first = load<u8>(at);
      heap.free(at);
      return first;
    }
    export function proxy_on_request_headers(context: i32, count: i32, endOfStream: i32): i32 {
      const seen = read(AUTHORIZATION, 13) + read(PATH, 5) + read(USER_AGENT, 10);
      if (seen == 0) return 1;
      proxy_replace_header_map_value(0, SET, 8, OK, 2);
      return 0;
    }
    export function proxy_on_response_headers(context: i32, count: i32, endOfStream: i32): i32 { return 0; }
  `,
  'env.ts': `
    export declare function proxy_get_header_map_value(map: i32, name: usize, size: i32, data: usize, dataSize: usize): i32;
    export declare function proxy_replace_header_map_value(map: i32, name: usize, size: i32, value: usize, valueSize: i32): i32;
  `,
};

const FIELDS = [
  [':path', '/api/v1/items?id=42&sort=asc'],
  ['user-agent', 'Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0'],
  ['accept', 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8'],
  ['accept-encoding', 'gzip, deflate, br'],
  ['accept-language', 'en-US,en;q=0.5'],
  ['cookie', 'sid=0123456789abcdef0123456789abcdef; theme=dark'],
  ['authorization', 'Bearer eyJhbGciOiJIUzI1NiJ9.e30.abc'],
  ['x-request-id', '6f1d2c3b-4a59-4e87-9a0b-1c2d3e4f5a6b'],
] as const;

function bytes(text: string): string {
  return [...Buffer.from(text)].join(',');
}

const code = await compileAssemblyScript(FILTER);
const host = new BareHost();
const plugins: Plugin[] = [];
for (let i = 0; i < 10; i++) plugins.push(await host.start(code, { name: `filter ${i}` }));
const stream = new BareStream();
const block: HeaderBlock = stream.request(FIELDS);
const { count, length } = block;

/** The head as it came, so that each call finds the same. */
function renew(): void {
  block.count = count;
  block.length = length;
}

function callback(context: StreamContext): number {
  renew();
  return context.onRequestHeaders(count, true);
}

/** All that a stream asks of a filter that looks at heads. */
function wholeStream(chain: readonly Plugin[]): number {
  renew();
  let actions = 0;
  for (const plugin of chain) {
    const context = plugin.createContext(stream)!;
    actions += context.onRequestHeaders(count, true);
    actions += context.onResponseHeaders(1, true);
    context.finish();
  }
  return actions;
}

const [plugin] = plugins as [Plugin];
const one = [plugin];
const context = plugin.createContext(stream)!;
strictEqual(callback(context), 0);
strictEqual(block.get('x-filter'), 'ok');
strictEqual(block.count, count + 1);
strictEqual(wholeStream(plugins), 0);

summary(() => {
  bench('a callback: 3 fields read, 1 set', () => do_not_optimize(callback(context)));
  bench('a callback that does nothing', () => do_not_optimize(context.onResponseHeaders(1, true))).gc(
    'inner',
  );
  bench('a whole stream, 1 filter', () => do_not_optimize(wholeStream(one)));
  bench('a whole stream, chain of 10', () => do_not_optimize(wholeStream(plugins)));
});

await run();
