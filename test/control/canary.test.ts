import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Canary } from '../../src/control/canary.ts';
import type { PluginSpec, Snapshot } from '../../src/runtime/snapshot.ts';

/**
 * The thread is a program of the test: it does with each plugin what the plugin's configuration says.
 * What the real one does is tried by the scenarios.
 */
const THREAD = `
import { parentPort, workerData } from 'node:worker_threads';
const tell = (report) => parentPort.postMessage(report);
for (const [index, { spec, module }] of workerData.plugins.entries()) {
  tell({ type: 'step', index, step: 'compile' });
  if (!workerData.code.has(module.digest)) throw new Error('no code');
  tell({ type: 'step', index, step: 'start' });
  if (spec.configuration === 'loop') for (;;);
  if (spec.configuration === 'exit') process.exit(3);
  if (spec.configuration === 'throw') throw new Error('out of the blue');
  if (spec.configuration === 'eat') { const held = []; for (;;) held.push(new Array(1e6).fill(index)); }
  if (spec.configuration === 'refuse') tell({ type: 'fault', index, fault: { kind: 'plugin', source: spec.source, message: 'no' } });
  else tell({ type: 'ok', index });
}
tell({ type: 'end' });
`;

let dir: string;
let canary: Canary;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'weir-canary-'));
  await writeFile(join(dir, 'thread.mjs'), THREAD);
  canary = new Canary(pathToFileURL(join(dir, 'thread.mjs')), { compileMs: 2000, startMs: 300 });
});
afterEach(async () => {
  await rm(dir, { recursive: true, force: true });
});

const code = new Map([['d', new Uint8Array(1)]]);

function snapshot(...configurations: string[]): Snapshot {
  const plugins = configurations.map((configuration, i): PluginSpec => ({
    name: `shop/chain#f${i}`,
    filter: `f${i}`,
    source: `chain.yaml:${i + 1}:1`,
    module: 0,
    rootId: '',
    vmId: '',
    vmConfiguration: '',
    tenant: 'test',
    environment: [],
    instances: { shared: false, min: 1, max: 1000, recycleAfter: 0 },
    configuration,
    onError: 'deny',
    capabilities: [],
    properties: 'envoy',
    bodyBufferBytes: 0,
    onBodyOverflow: 'reject',
    bodyWhileHeld: false,
    callouts: [],
  }));
  const modules = [{ name: 'shop/m', digest: 'd', source: 'm.yaml:1:1', memoryBytes: 65536 }];
  return { plugins, modules } as unknown as Snapshot;
}

describe('Canary', () => {
  test('has nothing against plugins that start', async () => {
    expect(await canary.tryOut(snapshot('a', 'b'), code)).toEqual([]);
  });

  test('tells every plugin that does not, with its place', async () => {
    const faults = await canary.tryOut(snapshot('a', 'refuse', 'loop', 'b', 'throw', 'exit', 'refuse'), code);
    expect(faults.map(({ kind, source }) => [kind, source])).toEqual([
      ['plugin', 'chain.yaml:2:1'],
      ['time', 'chain.yaml:3:1'],
      ['worker', 'chain.yaml:5:1'],
      ['worker', 'chain.yaml:6:1'],
      ['plugin', 'chain.yaml:7:1'],
    ]);
    expect(faults[1]!.message).toBe('shop/chain#f2: it starts for longer than 0.3 s');
  });

  test('survives one that eats all the memory it gets', { timeout: 30_000 }, async () => {
    const patient = new Canary(pathToFileURL(join(dir, 'thread.mjs')), { compileMs: 2000, startMs: 20_000 });
    const faults = await patient.tryOut(snapshot('eat', 'a'), code);
    expect(faults.map(({ kind, source }) => [kind, source])).toEqual([['worker', 'chain.yaml:1:1']]);
  });

  test('tries a plugin once, and again when its configuration changes', async () => {
    expect(await canary.tryOut(snapshot('a', 'b'), code)).toEqual([]);
    // Without the code the thread would fail: nothing is left to try.
    expect(await canary.tryOut(snapshot('b', 'a'), new Map())).toEqual([]);
    expect((await canary.tryOut(snapshot('b', 'c'), new Map())).length).toBe(1);
  });

  test('tries again what failed before', async () => {
    expect((await canary.tryOut(snapshot('refuse'), code)).length).toBe(1);
    expect((await canary.tryOut(snapshot('refuse'), code)).length).toBe(1);
  });
});
