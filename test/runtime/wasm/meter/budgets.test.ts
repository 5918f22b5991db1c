import { beforeAll, describe, expect, test } from 'vitest';
import type { StreamContext } from '../../../../src/runtime/wasm/context.ts';
import { fuelSpeed, measureSpeed } from '../../../../src/runtime/wasm/meter/calibrate.ts';
import { BYTE_UNITS } from '../../../../src/runtime/wasm/meter/prices.ts';
import { compileModule, type ModuleLimits } from '../../../../src/runtime/wasm/module.ts';
import { TRAPPED } from '../../../../src/runtime/wasm/outcome.ts';
import type { Plugin } from '../../../../src/runtime/wasm/plugin.ts';
import { hostileModules, hostileStarts, type Hostile } from '../../../support/hostile.ts';
import { op } from '../../../support/wasm-encoder.ts';
import { guest } from '../../../support/wasm-guest.ts';
import { BareHost } from '../../../support/bare-host.ts';
import { BareStream } from '../../../support/bare-stream.ts';
import { CLOSELY_TIMED, spent } from '../../../support/timing.ts';
import { wat } from '../../../support/wat.ts';

const BUDGET_MS = 10;

function streamOf(plugin: Plugin): [StreamContext, BareStream] {
  const stream = new BareStream();
  stream.request([['user-agent', 'test']]);
  stream.response();
  stream.setBody(0, 'request');
  stream.setBody(1, 'answer');
  return [plugin.createContext(stream)!, stream];
}

/** A whole stream, as far as it gets. */
function serve(context: StreamContext): number[] {
  const actions: number[] = [];
  for (const step of [
    () => context.onRequestHeaders(5, false),
    () => context.onRequestBody(7, true),
    () => context.onResponseHeaders(1, false),
    () => context.onResponseBody(6, true),
  ]) {
    const action = step();
    actions.push(action);
    if (action === TRAPPED) break;
  }
  context.finish();
  return actions;
}

// What a machine that does other work takes on top; the budget itself is CPU time.
beforeAll(() => void fuelSpeed());

describe('a module that means harm is stopped within its budget and 10 ms', CLOSELY_TIMED, () => {
  test.each(hostileModules().map((hostile): [string, Hostile] => [hostile.name, hostile]))(
    '%s',
    async (_name, { bytes, when }) => {
      const host = new BareHost();
      const plugin = await host.start(bytes);
      const [context] = streamOf(plugin);
      let actions: number[] = [];
      const took = spent(() => (actions = serve(context)));
      expect(took).toBeLessThan(BUDGET_MS + 10);
      expect(plugin.traps).toBe(when === 'harmless' ? 0 : 1);
      expect(actions.includes(TRAPPED)).toBe(when === 'request' || when === 'answer');
    },
  );

  test.each(hostileStarts().map((hostile): [string, Hostile] => [hostile.name, hostile]))(
    '%s',
    async (_name, { bytes }) => {
      const module = await compileModule(bytes, { cpu: { perStartMs: 30 } });
      const host = new BareHost();
      const start = process.cpuUsage();
      await expect(host.start(module, { configuration: 'x' })).rejects.toThrow(
        'used more than its CPU budget of 30 ms for its start',
      );
      const { user, system } = process.cpuUsage(start);
      expect((user + system) / 1000).toBeLessThan(30 + 10);
    },
  );

  test('ticks: the worker is free again after each, and the plugin is replaced', async () => {
    const host = new BareHost();
    const scripts = {
      proxy_on_request_headers: () => {},
      proxy_on_configure: (
        script: Parameters<NonNullable<Parameters<typeof guest>[1]>['start'] & object>[0],
      ) => {
        script.call('proxy_set_tick_period_milliseconds', 1).return(1);
      },
      proxy_on_tick: (script: { run(...code: number[][]): unknown }) => void script.run(op.endless),
    };
    const plugin = await host.start(guest(scripts as Parameters<typeof guest>[0]));
    await expect.poll(() => plugin.traps, { timeout: 5000 }).toBeGreaterThan(0);
    expect(host.messages.join('\n')).toContain('used more than its CPU budget of 10 ms in proxy_on_tick');
    await plugin.retire();
  });
});

/** Turns that its configuration's length, times a million, says; then goes on. */
const WORKER = wat(`(module (memory (export "memory") 1)
  (func (export "proxy_abi_version_0_2_1"))
  (func (export "malloc") (param i32) (result i32) (i32.const 1024))
  (global $turns (mut i32) (i32.const 0))
  (func (export "proxy_on_configure") (param i32 i32) (result i32)
    (global.set $turns (i32.mul (local.get 1) (i32.const 100000))) (i32.const 1))
  (func $work (param i32) (loop $l (br_if $l (local.tee 0 (i32.sub (local.get 0) (i32.const 1))))))
  (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32) (call $work (global.get $turns)) (i32.const 0))
  (func (export "proxy_on_request_body") (param i32 i32 i32) (result i32) (call $work (global.get $turns)) (i32.const 0)))`);

/** Works for longer than a slice, calls `proxy_log`, and works on. */
const INTERRUPTED = wat(`(module
  (import "env" "proxy_log" (func $log (param i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (func (export "proxy_abi_version_0_2_1"))
  (func (export "malloc") (param i32) (result i32) (i32.const 1024))
  (func $work (param i32) (loop $l (br_if $l (local.tee 0 (i32.sub (local.get 0) (i32.const 1))))))
  (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
    (call $work (i32.const 1000000)) (drop (call $log (i32.const 2) (i32.const 0) (i32.const 1)))
    (call $work (i32.const 1000000)) (i32.const 0)))`);

async function worker(host: BareHost, hundredThousands: number, limits: ModuleLimits = {}): Promise<Plugin> {
  return host.start(WORKER, { configuration: 'x'.repeat(hundredThousands) }, limits);
}

describe('budgets are what the Module says', CLOSELY_TIMED, () => {
  test('of a callback', async () => {
    const host = new BareHost();
    const plugin = await worker(host, 3000, { cpu: { perCallMs: 5 } });
    const took = spent(() => void serve(streamOf(plugin)[0]));
    expect(took).toBeGreaterThan(4);
    expect(took).toBeLessThan(15);
    expect(host.messages[0]).toMatch(
      /^trap in proxy_on_request_headers: used more than its CPU budget of 5 ms in proxy_on_request_headers in work/,
    );
  });

  test('of a request, over callbacks and filters, and a filter behind has a slice left', async () => {
    const host = new BareHost();
    const hog = await worker(host, 3000, { cpu: { perCallMs: 30, perRequestMs: 40 } });
    const modest = await worker(host, 1, { cpu: { perCallMs: 30, perRequestMs: 40 } });
    const [context, stream] = streamOf(hog);
    stream.guestMs = 35;
    expect(spent(() => expect(context.onRequestHeaders(4, true)).toBe(TRAPPED))).toBeLessThan(20);
    expect(host.messages[0]).toContain('the filters of one request used more than the CPU budget of 40 ms');
    expect(stream.guestMs).toBeGreaterThan(39);
    expect(modest.createContext(stream)!.onRequestHeaders(4, true)).toBe(0);
    expect(modest.traps).toBe(0);
  });

  test('what callbacks take is added up, and bodies earn time', async () => {
    const host = new BareHost();
    const plugin = await worker(host, 5);
    const [context, stream] = streamOf(plugin);
    context.onRequestHeaders(4, false);
    const { guestMs } = stream;
    expect(guestMs).toBeGreaterThan(0);
    context.onRequestHeaders(4, false);
    expect(stream.guestMs).toBeGreaterThan(guestMs * 1.2);
    stream.guestMs = 25;
    // A MiB is worth 10 ms.
    context.onRequestBody(1024 * 1024, false);
    expect(stream.guestMs).toBeGreaterThan(15);
    expect(stream.guestMs).toBeLessThan(20);
  });

  test('of a request: time that others had the machine is not its own', async () => {
    const others = new Int32Array(new SharedArrayBuffer(4));
    const host = new BareHost({ log: () => void Atomics.wait(others, 0, 0, 200) });
    const plugin = await host.start(INTERRUPTED, {}, { cpu: { perCallMs: 50, perRequestMs: 100 } });
    const [context, stream] = streamOf(plugin);
    const since = performance.now();
    expect(context.onRequestHeaders(4, true)).toBe(0);
    expect(performance.now() - since).toBeGreaterThanOrEqual(199);
    expect(stream.guestMs).toBeGreaterThan(0);
    expect(stream.guestMs).toBeLessThan(100);
  });

  test('of the stack', async () => {
    const host = new BareHost();
    const deep = hostileModules().find(({ name }) => name === 'recursion')!.bytes;
    const plugin = await host.start(deep, {}, { cpu: { frames: 50 } });
    serve(streamOf(plugin)[0]);
    expect(host.messages[0]).toContain('more than 50 frames on its stack');
  });

  test('fuel of a callback can be read after it, and differs with the work', async () => {
    const host = new BareHost();
    const used: number[] = [];
    for (const size of [1, 2]) {
      const [context] = streamOf(await worker(host, size));
      context.onRequestHeaders(4, false);
      used.push(context.vm.meter.used);
    }
    expect(used[0]).toBeGreaterThan(100_000);
    expect(used[1]! / used[0]!).toBeCloseTo(2, 1);
  });
});

test('bytes that the host copies for a guest cost fuel', async () => {
  const reads = guest({
    proxy_on_request_headers: (script) => {
      script.call('proxy_get_buffer_bytes', 7, 0, 0xff_ffff, script.out(0), script.out(1)).return(0);
    },
  });
  const used = async (size: number): Promise<number> => {
    const [context] = streamOf(await new BareHost().start(reads, { configuration: 'x'.repeat(size) }));
    expect(context.onRequestHeaders(4, true)).toBe(0);
    return context.vm.meter.used;
  };
  expect((await used(60_000)) - (await used(10))).toBe(60_000 * BYTE_UNITS);
});

test('the calibration finds about the same twice', () => {
  const [a, b] = [measureSpeed(), measureSpeed()];
  expect(Math.max(a, b) / Math.min(a, b)).toBeLessThan(3);
});
