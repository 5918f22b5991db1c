/**
 * A process that shares data with others through a folder, as workers do, and hammers on it. Bundled and started by
 * shared-log.test.ts, which sends it a job and reads what came of it.
 */
import { Status } from '../../src/runtime/wasm/abi.ts';
import { SharedLog } from '../../src/worker/shared-log.ts';

export interface SharedJob {
  readonly folder: string;
  readonly worker: number;
  /** Compare-and-set increments of one counter. */
  readonly increments: number;
  /** Items put into one queue; those of all processes are taken until `items` are gone in sum. */
  readonly enqueues: number;
  /** Bytes of each item: large ones bring many files. */
  readonly itemBytes: number;
  /** Does nothing but write, for ever. */
  readonly isVictim?: boolean;
}

export interface SharedOutcome {
  readonly mismatches: number;
  readonly taken: readonly string[];
  readonly microseconds: number;
  readonly failures: number;
  readonly files: number;
}

/** Writes until it is killed. */
function writeForEver({ folder, worker }: SharedJob): void {
  const log = new SharedLog({ folder, worker, wake: () => undefined, failed: () => undefined });
  const value = Buffer.alloc(30_000, 'victim');
  for (;;) log.set('s\0', `victim ${worker}`, value, 0);
}

function work({ folder, worker, increments, enqueues, itemBytes }: SharedJob): SharedOutcome {
  let failures = 0;
  const log = new SharedLog({ folder, worker, wake: () => undefined, failed: () => failures++ });
  const queue = log.register('s\0', 'jobs');
  let mismatches = 0;
  const begun = process.hrtime.bigint();
  for (let i = 0; i < increments;) {
    const found = log.get('s\0', 'counter');
    const value = Buffer.from(
      String(Number(found === undefined ? 0 : Buffer.from(found.value).toString()) + 1),
    );
    // Another may have been the first to set it: a version that is not 0 is checked, where the key is there.
    const status = log.set('s\0', 'counter', value, found?.cas ?? 0xffff_ffff);
    if (status === Status.Ok) i++;
    else if (status === Status.CasMismatch) mismatches++;
    else throw new Error(`set answered ${status}`);
  }
  const microseconds = Number(process.hrtime.bigint() - begun) / 1000 / Math.max(1, increments);
  const taken: string[] = [];
  const take = (): boolean => {
    const item = log.dequeue('s\0', queue);
    if (typeof item === 'number') return false;
    taken.push(Buffer.from(item).toString('latin1').trimEnd());
    return true;
  };
  for (let i = 0; i < enqueues;) {
    const item = Buffer.alloc(itemBytes, ' ');
    item.write(`${worker}/${i}`);
    if (log.enqueue('s\0', queue, item) === Status.Ok) i++;
    else take();
    if (i % 3 === 0) take();
  }
  while (take());
  const { files } = log.counts;
  log.close();
  return { mismatches, taken, microseconds, failures, files };
}

process.on('message', (job: SharedJob) => {
  if (job.isVictim === true) writeForEver(job);
  else process.send!(work(job), () => process.disconnect());
});
