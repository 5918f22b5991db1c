import { gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { compileModule } from '../../../src/runtime/wasm/module.ts';
import { ModuleEncoder, op } from '../../support/wasm-encoder.ts';
import { guest, type GuestOptions, type Script } from '../../support/wasm-guest.ts';
import { BareHost } from '../../support/bare-host.ts';

describe('a file that is no core module is told for what it is', () => {
  test.each<[string, Uint8Array, RegExp]>([
    ['a component', Buffer.from('\0asm\x0d\0\x01\0\0\0', 'latin1'), /a WebAssembly component.*wasm32-wasip1/],
    ['the text form', Buffer.from('(module (memory 1))'), /text form.*wat2wasm/],
    ['an archive', gzipSync(guest({})), /gzip archive.*unpack/],
    ['a native program', Buffer.from('\x7fELF\x02\x01\x01'), /a program for this machine.*GOOS=wasip1/],
    ['a static library', Buffer.from('!<arch>\n/       '), /a static library.*cdylib/],
    ['bitcode', Buffer.from('BC\xc0\xde5\x14', 'latin1'), /LLVM bitcode.*wasm-ld/],
    ['a pointer', Buffer.from('version https://git-lfs.github.com/spec/v1\n'), /Git LFS.*git lfs pull/],
  ])('%s', async (_name, bytes, message) => {
    await expect(compileModule(bytes)).rejects.toThrow(message);
  });
});

/** A filter that is right but for what it imports. */
const importing = (...names: [module: string, name: string][]): Uint8Array => {
  const encoder = new ModuleEncoder();
  for (const [module, name] of names) encoder.importFunction(module, name, 'i', '');
  encoder.memory(1);
  encoder.export('malloc', encoder.function('i', 'i', op.i32(0)));
  encoder.export('proxy_abi_version_0_2_1', encoder.function('', '', []));
  return encoder.bytes();
};

describe('a module that was built for another host', () => {
  test.each<[string, Uint8Array, RegExp]>([
    ['Go for JavaScript', importing(['gojs', 'runtime.wasmExit']), /imports "gojs".*-buildmode=c-shared/],
    ['older Go for JavaScript', importing(['go', 'debug']), /imports "gojs".*GOOS=wasip1/],
    ['wasm-bindgen', importing(['wbg', '__wbg_now_1']), /wasm-bindgen.*cargo tree/],
    [
      'wasm-bindgen before its own tool ran',
      importing(['__wbindgen_placeholder__', '__wbindgen_throw']),
      /wasm-bindgen/,
    ],
    ['emscripten, minified', importing(['a', 'b']), /main module of emscripten.*-sSTANDALONE_WASM/],
    ['emscripten', importing(['env', '_emscripten_memcpy_js']), /main module of emscripten/],
    ['emscripten with JavaScript exceptions', importing(['env', 'invoke_vii']), /main module of emscripten/],
    ['WIT', importing(['wasi:cli/environment@0.2.0', 'get-environment']), /WIT interfaces.*wasm32-wasip1/],
    ['http-wasm', importing(['http_handler', 'get_uri']), /http-wasm/],
    ['Extism', importing(['extism:host/env', 'input_length']), /another kind of host/],
  ])('%s', async (_name, bytes, message) => {
    await expect(compileModule(bytes)).rejects.toThrow(message);
  });

  test('a side module', async () => {
    const bytes = guest({}, { encode: (e) => void e.custom('dylink.0', new Uint8Array(1)) });
    await expect(compileModule(bytes)).rejects.toThrow(/a side module.*-sSIDE_MODULE/);
  });

  test('a policy of OPA', async () => {
    const bytes = guest({}, { abi: null, encode: (e) => void e.export('opa_eval', e.function('', '', [])) });
    await expect(compileModule(bytes)).rejects.toThrow(/a policy of OPA/);
  });
});

describe('a module without a version says how it was linked', () => {
  const bare = (build: (encoder: ModuleEncoder) => void): Uint8Array => {
    const encoder = new ModuleEncoder();
    encoder.memory(1);
    encoder.export('memory', 0, 2);
    build(encoder);
    return encoder.bytes();
  };
  test.each<[string, Uint8Array, RegExp]>([
    ['Rust without exports', bare(() => undefined), /exports no function at all.*crate-type = \["cdylib"\]/],
    [
      'a program',
      bare((e) => e.export('_start', e.function('', '', []))),
      /a program and no library.*-buildmode=c-shared.*-mexec-model=reactor/,
    ],
    ['an object file', bare((e) => e.custom('linking', Uint8Array.of(2))), /an object file.*wasm-ld/],
    [
      'callbacks without a version',
      guest({ proxy_on_log: () => {} }, { abi: null }),
      /whose version is missing.*export \* from/,
    ],
  ])('%s', async (_name, bytes, message) => {
    await expect(compileModule(bytes)).rejects.toThrow(message);
  });
});

test('no allocator: the message says where each language has one', async () => {
  await expect(compileModule(guest({}, { allocator: null }))).rejects.toThrow(/-Wl,--export=malloc/);
});

test('threads: the message says how to leave them out', async () => {
  const whole = guest({}, { pages: 1, maxPages: 1 });
  // The flags of the memory section: a maximum, and shared.
  const at = Buffer.from(whole).indexOf(Uint8Array.of(5, 4, 1, 1, 1, 1));
  await expect(compileModule(whole.map((byte, i) => (i === at + 3 ? 3 : byte)))).rejects.toThrow(/-pthread/);
});

test('asyncify loads, and the author is told what does not work', async () => {
  const host = new BareHost();
  await host.start(
    guest({}, { encode: (e) => void e.export('asyncify_start_unwind', e.function('i', '', [])) }),
  );
  expect(host.messages).toEqual([expect.stringMatching(/asyncify.*-scheduler=none/)]);
});

describe('a root id that the module does not register', () => {
  const asks = (s: Script): Script =>
    s.call('proxy_get_property', s.text('plugin_root_id'), s.out(0), s.out(1));
  const holds = (text: string): GuestOptions => ({ encode: (e) => void e.custom('data', Buffer.from(text)) });

  test('is named where the module aborts, as AssemblyScript does', async () => {
    const code = guest({ proxy_on_context_create: (s) => asks(s).trap() }, holds('add_header'));
    await expect(new BareHost().start(code, { rootId: 'addheader' })).rejects.toThrow(
      /trap in proxy_on_context_create.*does not hold the text "addheader": rootId of the filter/,
    );
    await expect(new BareHost().start(code, { rootId: '' })).rejects.toThrow(/the filter has no rootId/);
    await expect(new BareHost().start(code, { rootId: 'add_header' })).rejects.toThrow(/unreachable[^(]*$/);
  });

  test('is warned of where the module does nothing, as C++ does', async () => {
    const host = new BareHost();
    const code = guest({ proxy_on_context_create: (s) => void asks(s) }, holds('my_root_id'));
    await host.start(code, { rootId: 'my_root_id' });
    await host.start(code, { rootId: '' });
    expect(host.messages).toEqual([]);
    await host.start(code, { rootId: 'root' });
    expect(host.messages).toEqual([]);
    await host.start(code, { rootId: 'other' });
    expect(host.messages).toEqual([expect.stringMatching(/does not hold the text "other"/)]);
  });
});
