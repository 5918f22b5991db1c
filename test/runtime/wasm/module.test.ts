import { describe, expect, test } from 'vitest';
import { Wants } from '../../../src/runtime/wasm/abi.ts';
import { compileModule } from '../../../src/runtime/wasm/module.ts';
import { ModuleEncoder, op } from '../../support/wasm-encoder.ts';
import { guest, type GuestOptions } from '../../support/wasm-guest.ts';
import { BareHost } from '../../support/bare-host.ts';

const build = (options: GuestOptions = {}): Uint8Array => guest({}, options);

describe('the ABI version', () => {
  test.each(['0.1.0', '0.2.0', '0.2.1'])('%s is told by the exported name', async (abi) => {
    expect((await compileModule(build({ abi }))).abi).toBe(abi);
  });

  test('none: the message lists the exports and the usual causes', async () => {
    await expect(compileModule(build({ abi: null }))).rejects.toThrow(
      /no proxy_abi_version_0_1_0.*AssemblyScript: `export \* from`.*exported: memory, malloc/,
    );
  });

  test('one of another host: the message names it', async () => {
    await expect(compileModule(build({ abi: '0.2.100' }))).rejects.toThrow(
      'proxy_abi_version_0_2_100 is not one that weir hosts',
    );
  });
});

describe('what a module may ask for', () => {
  test('the callbacks that it exports', async () => {
    const module = await compileModule(
      guest({ proxy_on_request_headers: () => {}, proxy_on_response_body: () => {}, proxy_on_log: () => {} }),
    );
    expect(module.wants).toBe(Wants.RequestHeaders | Wants.ResponseBody | Wants.End);
  });

  test('proxy_on_memory_allocate comes before malloc', async () => {
    const both = build({
      encode: (e) => void e.export('proxy_on_memory_allocate', e.function('i', 'i', op.i32(0))),
    });
    expect((await compileModule(both)).allocator).toBe('proxy_on_memory_allocate');
    expect((await compileModule(build())).allocator).toBe('malloc');
  });

  test('no allocator is refused', async () => {
    await expect(compileModule(build({ allocator: null }))).rejects.toThrow(
      'neither proxy_on_memory_allocate',
    );
  });

  test.each([
    [
      'a callback with a 64-bit parameter',
      (e: ModuleEncoder) => e.export('proxy_on_request_headers', e.function('iI', 'i', op.i32(0))),
      'proxy_on_request_headers has the signature (i32, i64) -> i32, expected (i32, i32, i32) -> i32',
    ],
    [
      'a callback with a parameter too many',
      (e: ModuleEncoder) => e.export('proxy_on_log', e.function('ii', '', [])),
      'proxy_on_log has the signature (i32, i32), expected (i32)',
    ],
    [
      'a callback with a float for a result',
      (e: ModuleEncoder) => e.export('proxy_on_done', e.function('i', 'F', op.f64(0))),
      'proxy_on_done has the signature (i32) -> f64',
    ],
  ])('%s is refused before any request meets it', async (_name, encode, message) => {
    await expect(compileModule(build({ encode: (e) => void encode(e) }))).rejects.toThrow(message);
  });

  test('an imported function that weir does not have is a stub, and the author is told', async () => {
    const encoder = new ModuleEncoder();
    const unknown = encoder.importFunction('env', 'proxy_kv_store_get', 'i', 'i');
    const wrong = encoder.importFunction('env', 'proxy_log', 'ii', 'I');
    const check = [...op.i32(1), ...op.call(unknown), ...op.i32(12), 0x46];
    const callWrong = [...op.i32(1), ...op.i32(2), ...op.call(wrong), ...op.i64(12n), 0x51];
    encoder.memory(1);
    encoder.export('malloc', encoder.function('i', 'i', op.i32(0)));
    encoder.export('proxy_abi_version_0_2_1', encoder.function('', '', []));
    encoder.export('proxy_on_vm_start', encoder.function('ii', 'i', check));
    encoder.export('proxy_on_configure', encoder.function('ii', 'i', callWrong));
    const host = new BareHost();
    await host.start(encoder.bytes());
    expect(host.messages).toEqual([
      'env.proxy_kv_store_get is not a function of this host: calls answer Unimplemented',
      'env.proxy_log is declared as (i32, i32) -> i64 and not (i32, i32, i32) -> i32: calls answer Unimplemented',
      'it called env.proxy_kv_store_get, which this host does not have: answered Unimplemented',
      'it called env.proxy_log, which this host does not have: answered Unimplemented',
    ]);
  });

  test('an imported memory is refused', async () => {
    const encoder = new ModuleEncoder().importMemory('env', 'memory', 1).export('memory', 0, 2);
    encoder.export('proxy_abi_version_0_2_1', encoder.function('', '', []));
    await expect(compileModule(encoder.bytes())).rejects.toThrow(
      '"env"."memory" is imported but is not a function',
    );
  });
});

describe('memory', () => {
  test('growing past the limit fails inside the guest, not in the host', async () => {
    const grows = guest(
      { proxy_on_configure: (s) => s.run(op.i32(64), op.grow, op.i32(-1), [0x46], op.return) },
      { pages: 2 },
    );
    await new BareHost().start(grows, {}, { memoryBytes: 16 * 65_536 });
    await expect(new BareHost().start(grows, {}, { memoryBytes: 128 * 65_536 })).rejects.toThrow(
      'proxy_on_configure answered false',
    );
  });

  test('a module that starts with more than its limit is refused', async () => {
    await expect(compileModule(build({ pages: 33 }), { memoryBytes: 2 * 1024 * 1024 })).rejects.toThrow(
      'the module starts with 2.0625 MiB of memory, its limit is 2 MiB',
    );
  });

  test('a declared maximum below the limit stays', async () => {
    const plugin = await new BareHost().start(build({ pages: 1, maxPages: 1 }));
    expect(plugin.heapBytes).toBe(65_536);
  });
});

describe('a broken binary is refused with a reason', () => {
  const whole = build();
  test.each([
    ['nothing', new Uint8Array(0)],
    ['text', Buffer.from('some text')],
    ['another version', whole.map((byte, i) => (i === 4 ? 2 : byte))],
    ['half of one', whole.subarray(0, whole.length >> 1)],
  ])('%s', async (_name, bytes) => {
    await expect(compileModule(bytes)).rejects.toThrow(/at byte \d+|the module is not valid/);
  });

  test('no cut of a module crashes the reader', async () => {
    for (let size = 8; size < whole.length; size += 7) {
      await expect(compileModule(whole.subarray(0, size))).rejects.toThrow();
    }
  });

  test('too many locals in a function', async () => {
    const bytes = build({ encode: (e) => void e.function('', '', [], 1001) });
    await expect(compileModule(bytes)).rejects.toThrow('a function with 1001 locals, at most 1000');
  });

  test('a file that is too large', async () => {
    await expect(compileModule(new Uint8Array(8 * 1024 * 1024 + 1))).rejects.toThrow('at most 8388608');
  });
});
