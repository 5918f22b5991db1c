// Question: what does a call to shared data or a shared queue cost, alone and where workers share?
// Fixture: a key of 7 bytes, a value of 32; the log in the folder that weir would choose; no other worker
// writes meanwhile. Report: ns and bytes allocated a call. Aim: a read below 1 µs, a write below 5 µs.
import { rmSync } from 'node:fs';
import { strictEqual } from 'node:assert';
import { bench, do_not_optimize, run } from 'mitata';
import { makeSharedFolder } from '../../src/supervisor/shared-folder.ts';
import { LocalSharedState, type SharedState } from '../../src/runtime/wasm/shared.ts';
import { SharedLog } from '../../src/worker/shared-log.ts';

const SPACE = 'shop\0vm';
const PREFIX = 'shop\0';
const value = new Uint8Array(32);

const folder = makeSharedFolder();
const log = new SharedLog({
  folder,
  worker: 1,
  wake: () => undefined,
  failed: (error) => {
    throw error;
  },
});

for (const [name, state] of [
  ['one worker', new LocalSharedState()],
  ['several workers', log],
] as [string, SharedState][]) {
  strictEqual(state.set(SPACE, 'counter', value, 0), 0);
  const queue = state.register(SPACE, 'jobs');
  bench(`${name}: get`, () => do_not_optimize(state.get(SPACE, 'counter'))).gc('inner');
  bench(`${name}: set`, () => strictEqual(state.set(SPACE, 'counter', value, 0), 0)).gc('inner');
  bench(`${name}: get, compare and set`, () =>
    strictEqual(state.set(SPACE, 'counter', value, state.get(SPACE, 'counter')!.cas), 0),
  ).gc('inner');
  bench(`${name}: enqueue and dequeue`, () => {
    strictEqual(state.enqueue(PREFIX, queue, value), 0);
    strictEqual((state.dequeue(PREFIX, queue) as Uint8Array).length, 32);
  }).gc('inner');
}

await run();
log.close();
rmSync(folder, { recursive: true, force: true });
