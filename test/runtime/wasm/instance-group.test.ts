import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { TRAPPED } from '../../../src/runtime/wasm/context.ts';
import { HEAP_BYTES, MiB } from '../../../src/runtime/wasm/limits.ts';
import { compileModule } from '../../../src/runtime/wasm/module.ts';
import type { Plugin } from '../../../src/runtime/wasm/plugin.ts';
import type { InstancesSpec } from '../../../src/runtime/snapshot.ts';
import { op } from '../../support/wasm-encoder.ts';
import { guest, type Script, type Scripts } from '../../support/wasm-guest.ts';
import { BareHost } from '../../support/bare-host.ts';
import { BareStream } from '../../support/bare-stream.ts';

const instances = (more: Partial<InstancesSpec>): { instances: InstancesSpec } => ({
  instances: { shared: false, min: 1, max: 64, recycleAfter: 0, ...more },
});
const SHARED = instances({ shared: true });

/** Logs its name and the id of its context, one digit. */
const trace =
  (name: string, result?: number) =>
  (script: Script): void => {
    const [at, size] = script.text(`${name} #`);
    script.run(op.i32(at + size - 1), op.localGet(0), op.i32(48), op.add, [0x3a, 0, 0]);
    script.call('proxy_log', 2, at, size);
    if (result !== undefined) script.return(result);
  };

/** Logs the configuration of the plugin whose callback runs. */
const says = (script: Script): Script =>
  script
    .call('proxy_get_buffer_bytes', 7, 0, 99, script.out(0), script.out(1))
    // proxy_log(2, [out 0], [out 1])
    .run(op.i32(2), op.i32(script.out(0)), op.load(), op.i32(script.out(1)), op.load())
    .callStacked('proxy_log');

const TRAPS_ON_DEMAND = (s: Script): void => {
  s.call('proxy_get_header_map_value', 0, s.text(':path'), s.out(0), s.out(1));
  s.run(op.i32(s.out(1)), op.load(), op.i32(5), [0x46], [0x04, 0x40], op.unreachable, [0x0b]);
};

function request(plugin: Plugin, path = '/'): number | null {
  const stream = new BareStream();
  const head = stream.request([[':path', path]]);
  const context = plugin.createContext(stream);
  const action = context === null ? null : context.onRequestHeaders(head.count, true);
  context?.finish();
  return action;
}

const tick = (): Promise<unknown> => vi.advanceTimersByTimeAsync(1);

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

describe('a shared VM', () => {
  const CONFIGURED: Scripts = {
    proxy_on_context_create: trace('create'),
    proxy_on_vm_start: trace('vm', 1),
    proxy_on_configure: (s) => says(s).return(1),
    proxy_on_request_headers: (s) => void says(s),
    proxy_on_done: trace('done', 1),
    proxy_on_delete: trace('delete'),
  };

  test('has a root context for each plugin, each with its configuration and its own lines', async () => {
    const host = new BareHost();
    const module = await compileModule(guest(CONFIGURED));
    const a = await host.start(module, { ...SHARED, name: 'a', configuration: 'for a' });
    const b = await host.start(module, { ...SHARED, name: 'b', configuration: 'for b' });
    expect(a.roots[0]!.vm).toBe(b.roots[0]!.vm);
    expect([a.instances, b.instances]).toEqual([1, 1]);
    request(b);
    request(a);
    await a.retire();
    expect(request(a)).toBeNull();
    expect(request(b)).toBe(0);
    await b.retire();
    expect(host.lines.map(({ plugin, message }) => `${plugin}: ${message}`)).toEqual([
      ...['a: create 1', 'a: vm 1', 'a: for a', 'b: create 2', 'b: vm 2', 'b: for b'],
      ...['b: create 3', 'b: for b', 'b: done 3', 'b: delete 3'],
      ...['a: create 4', 'a: for a', 'a: done 4', 'a: delete 4'],
      ...['a: done 1', 'a: delete 1'],
      ...['b: create 5', 'b: for b', 'b: done 5', 'b: delete 5'],
      ...['b: done 2', 'b: delete 2'],
    ]);
    expect(host.host.heap.count).toBe(0);
  });

  test.each<[string, object]>([
    ['another VM id', { vmId: 'other' }],
    ['another tenant', { tenant: 'other' }],
    ['another VM configuration', { vmConfiguration: 'other' }],
    ['other variables', { environment: [{ name: 'A', value: '1' }] }],
    ['its own instance', instances({ shared: false })],
  ])('is not for a plugin with %s', async (_name, spec) => {
    const host = new BareHost();
    const module = await compileModule(guest({}));
    const a = await host.start(module, SHARED);
    const b = await host.start(module, { ...SHARED, ...spec });
    expect(a.roots[0]!.vm).not.toBe(b.roots[0]!.vm);
  });

  test('that traps fails the streams of all plugins, and all are on the next one', async () => {
    const host = new BareHost();
    const module = await compileModule(
      guest({ proxy_on_request_headers: TRAPS_ON_DEMAND, proxy_on_response_headers: () => {} }),
    );
    const a = await host.start(module, { ...SHARED, name: 'a' });
    const b = await host.start(module, { ...SHARED, name: 'b' });
    const stream = new BareStream();
    const waiting = b.createContext(stream)!;
    waiting.onRequestHeaders(stream.request().count, true);
    expect(request(a, '/trap')).toBe(TRAPPED);
    expect([a.traps, b.traps, a.health, b.health]).toEqual([1, 0, 'recovering', 'recovering']);
    expect(b.createContext(new BareStream())).toBeNull();
    await tick();
    expect(stream.failed).toEqual([waiting]);
    waiting.finish();
    expect([request(a), request(b)]).toEqual([0, 0]);
    expect(a.roots[0]!.vm).toBe(b.roots[0]!.vm);
    expect(b.health).toBe('healthy');
  });

  test('refuses a plugin without harm to the others', async () => {
    const host = new BareHost();
    const refuses: Scripts = {
      // The first character of the configuration is the answer.
      proxy_on_configure: (s) =>
        s
          .call('proxy_get_buffer_bytes', 7, 0, 1, s.out(0), s.out(1))
          .run(op.i32(s.out(0)), op.load(), [0x2d, 0, 0], op.i32(48), [0x6b], op.return),
      proxy_on_request_headers: () => {},
      proxy_on_delete: trace('delete'),
    };
    const module = await compileModule(guest(refuses));
    const a = await host.start(module, { ...SHARED, name: 'a', configuration: '1' });
    await expect(host.start(module, { ...SHARED, name: 'b', configuration: '0' })).rejects.toThrow(
      'b: proxy_on_configure answered false',
    );
    expect(host.messages).toEqual(['delete 2']);
    expect([request(a), a.traps]).toEqual([0, 0]);
  });

  test('serves those that were there on another instance when a new plugin traps it in its start', async () => {
    const host = new BareHost();
    const module = await compileModule(
      guest({
        proxy_on_configure: (s) =>
          s
            .call('proxy_get_buffer_status', 7, s.out(0), s.out(1))
            .run(op.i32(s.out(0)), op.load(), op.i32(4), [0x46], [0x04, 0x40], op.unreachable, [0x0b])
            .return(1),
        proxy_on_request_headers: () => {},
      }),
    );
    const a = await host.start(module, { ...SHARED, name: 'a' });
    await expect(host.start(module, { ...SHARED, name: 'b', configuration: 'trap' })).rejects.toThrow(
      'b: trap in proxy_on_configure: unreachable',
    );
    await tick();
    expect(request(a)).toBe(0);
    expect(a.instances).toBe(1);
  });

  test('lets a root context count what another one defined', async () => {
    const host = new BareHost();
    const module = await compileModule(
      guest({
        proxy_on_vm_start: (s) => s.call('proxy_define_metric', 0, s.text('requests'), s.out(0)).return(1),
        proxy_on_request_headers: (s) => void s.call('proxy_increment_metric', 1, 1n),
      }),
    );
    await host.start(module, { ...SHARED, name: 'a' });
    const b = await host.start(module, { ...SHARED, name: 'b' });
    request(b);
    expect(host.metrics.names[0]).toBe('a/counter/requests');
    expect(host.metrics.values).toEqual([1, 0]);
  });
});

describe('instances', () => {
  const QUIET: Scripts = { proxy_on_request_headers: TRAPS_ON_DEMAND };

  test('serve in turn where there are several; one that traps leaves the others at work', async () => {
    const plugin = await new BareHost().start(guest(QUIET), instances({ min: 3 }));
    const vms = new Set(Array.from({ length: 6 }, () => plugin.createContext(new BareStream())!.vm));
    expect(vms.size).toBe(3);
    expect(request(plugin, '/trap')).toBe(TRAPPED);
    expect([plugin.instances, plugin.health]).toEqual([2, 'healthy']);
    expect(request(plugin)).toBe(0);
    await tick();
    expect(plugin.instances).toBe(3);
  });

  test('make way for another after so many streams, which those that they serve do not notice', async () => {
    const plugin = await new BareHost().start(guest(QUIET), instances({ recycleAfter: 3 }));
    const first = plugin.roots[0]!.vm;
    const stream = new BareStream();
    const context = plugin.createContext(stream)!;
    context.onRequestHeaders(stream.request().count, true);
    request(plugin);
    request(plugin);
    expect(request(plugin)).toBe(0);
    await tick();
    expect(plugin.roots[0]!.vm).not.toBe(first);
    expect(plugin.instances).toBe(2);
    expect([context.onResponseHeaders(1, true), first.dead]).toEqual([0, false]);
    context.finish();
    await tick();
    expect([plugin.instances, first.dead]).toEqual([1, true]);
  });

  test('of one stream each are taken from a warm pool, which is filled again behind the request', async () => {
    const host = new BareHost();
    const plugin = await host.start(
      guest({ ...QUIET, proxy_on_delete: trace('delete') }),
      instances({ min: 2, max: 4, recycleAfter: 1 }),
    );
    expect(plugin.instances).toBe(2);
    const open = (): ReturnType<Plugin['createContext']> => {
      const context = plugin.createContext(new BareStream());
      return context;
    };
    const contexts = [open()!, open()!, open()!, open()!];
    expect(new Set(contexts.map(({ vm }) => vm)).size).toBe(4);
    expect(open()).toBeNull();
    contexts[0]!.finish();
    await tick();
    expect(host.messages).toEqual(['delete 1']);
    expect(plugin.instances).toBe(4);
    expect(request(plugin)).toBe(0);
    for (const context of contexts.slice(1)) context.finish();
    await tick();
    expect(plugin.instances).toBe(2);
    await plugin.retire();
    expect([plugin.instances, host.host.heap.count, host.host.heap.bytes]).toEqual([0, 0, 0]);
  });

  test('of all plugins together have a bounded memory', async () => {
    const host = new BareHost();
    const big = await compileModule(guest({}, { pages: 1024 }), { memoryBytes: 64 * MiB });
    for (let i = 0; i < 4; i++) await host.start(big, { name: `p${i}` });
    expect(host.host.heap.bytes).toBe(HEAP_BYTES);
    await expect(host.start(guest({}))).rejects.toThrow(/the worker's memory for filters, 268435456 bytes/);
  });

  test('that grow past that bound are stopped, and the memory is free again', async () => {
    const host = new BareHost();
    const big = await compileModule(guest({}, { pages: 1023 }), { memoryBytes: 64 * MiB });
    for (let i = 0; i < 4; i++) await host.start(big, { name: `p${i}` });
    const plugin = await host.start(
      guest({
        proxy_on_request_headers: (s) => s.grow(3).call('proxy_get_log_level', s.out(0)),
      }),
    );
    expect(request(plugin)).toBe(TRAPPED);
    expect(host.messages.at(-1)).toMatch(/the worker's memory for filters is used up/);
    expect(host.host.heap.bytes).toBe(4 * 1023 * 65536);
  });

  test('of one stream each that find no room are none the worse for it when there is some again', async () => {
    const host = new BareHost();
    const big = await compileModule(guest({}, { pages: 1024 }), { memoryBytes: 64 * MiB });
    const others = [];
    for (let i = 0; i < 3; i++) others.push(await host.start(big, { name: `p${i}` }));
    const code = await compileModule(guest(QUIET, { pages: 512 }), { memoryBytes: 64 * MiB });
    const plugin = await host.start(code, instances({ min: 1, max: 64, recycleAfter: 1 }));
    const contexts = [plugin.createContext(new BareStream()), plugin.createContext(new BareStream())];
    expect(contexts.map((context) => context === null)).toEqual([false, false]);
    for (let i = 0; i < 10; i++) {
      expect(plugin.createContext(new BareStream())).toBeNull();
      await tick();
    }
    expect([plugin.health, plugin.traps]).toEqual(['healthy', 0]);
    await others[0]!.retire();
    expect(request(plugin)).toBe(0);
    for (const context of contexts) context!.finish();
    await tick();
    expect(request(plugin)).toBe(0);
  });

  test('leave nothing behind, however often they are replaced', async () => {
    const host = new BareHost();
    const plugin = await host.start(guest(QUIET), instances({ recycleAfter: 1, min: 1, max: 2 }));
    for (let i = 0; i < 500; i++) {
      expect(request(plugin)).toBe(0);
      await vi.advanceTimersByTimeAsync(0);
    }
    expect([host.host.heap.count, plugin.instances, plugin.traps]).toEqual([1, 1, 0]);
  });
});

describe('variables', () => {
  test('are those that are listed, those of the host only where it has them', async () => {
    const host = new BareHost({ environment: { REGION: 'eu', SECRET: 'x' } });
    const plugin = await host.start(
      guest({
        proxy_on_configure: (s) =>
          s
            .call('environ_sizes_get', s.out(0), s.out(1))
            .call('environ_get', s.out(2), s.out(6))
            .call('environ_get', s.out(2), 0x1_fff0)
            .return(1),
      }),
      {
        environment: [
          { name: 'LEVEL', value: '2' },
          { name: 'REGION', value: null },
          { name: 'GONE', value: null },
        ],
      },
    );
    const memory = Buffer.from(plugin.roots[0]!.vm.view());
    const out = 0x4000;
    expect([memory.readUInt32LE(out), memory.readUInt32LE(out + 4)]).toEqual([2, 18]);
    expect([memory.readUInt32LE(out + 8), memory.readUInt32LE(out + 12)]).toEqual([out + 24, out + 32]);
    expect(memory.toString('latin1', out + 24, out + 24 + 18)).toBe('LEVEL=2\0REGION=eu\0');
    expect([memory.readUInt32LE(0x5000 + 8)]).toEqual([21]);
  });
});
