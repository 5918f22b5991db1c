/**
 * A worker process with a runtime that serves nothing and does what the version of its snapshot says:
 * `refuse@2` is refused by worker 2, `exit@1` ends worker 1 while it stages, `throw@1` makes worker 1 meet a
 * fault that nobody catches once the snapshot is in force. Bundled and started by fleet.test.ts.
 */
import type { RuntimeStatus } from '../../src/runtime/runtime.ts';
import type { Snapshot } from '../../src/runtime/snapshot.ts';
import type { Code } from '../../src/runtime/stage-fault.ts';
import { openLog } from '../../src/worker/log.ts';
import { WorkerProgram, type SteeredRuntime } from '../../src/worker/program.ts';

interface Staged {
  readonly snapshot: Snapshot;
}

const settings = JSON.parse(process.env['WEIR_WORKER']!) as { id: number; workers: number; level: string };

function isMeant(version: string, what: string): boolean {
  return (
    version.startsWith(`${what}@`) &&
    version
      .slice(what.length + 1)
      .split(',')
      .includes(String(settings.id))
  );
}

class StandIn implements SteeredRuntime<Staged> {
  #version = '';
  #staged = 0;
  #received: string[] = [];

  async stage(snapshot: Snapshot, code: Code): Promise<Staged> {
    this.#received.push(...code.keys());
    if (isMeant(snapshot.version, 'refuse')) throw new Error(`worker ${settings.id} will not`);
    if (isMeant(snapshot.version, 'exit')) process.exit(9);
    if (isMeant(snapshot.version, 'hang')) await new Promise(() => undefined);
    this.#staged++;
    return { snapshot };
  }

  swap({ snapshot }: Staged): void {
    this.#staged--;
    this.#version = snapshot.version;
    if (isMeant(snapshot.version, 'crash')) process.exit(8);
    if (isMeant(snapshot.version, 'throw')) {
      setTimeout(() => {
        throw new Error('out of the blue');
      }, 50);
    }
    if (isMeant(snapshot.version, 'stall')) {
      setTimeout(() => {
        for (;;);
      }, 50);
    }
  }

  discard(): void {
    this.#staged--;
  }

  drain(limitMs: number): Promise<void> {
    return new Promise((resolve) => setTimeout(resolve, Math.min(limitMs, 300)));
  }

  dump(): [] {
    return [];
  }

  tap(): never {
    throw new Error('it serves nothing');
  }

  watch(): never {
    throw new Error('it serves nothing');
  }

  untap(): Promise<void> {
    return Promise.resolve();
  }

  /** What was received, and what is staged and not in force, under names that the test reads. */
  status(): RuntimeStatus {
    const plugins = this.#received.map((name) => ({
      name,
      instances: 1,
      heapBytes: 0,
      traps: 0,
      health: 'healthy' as const,
      module: '',
      digest: '',
      usage: { fuel: 0, cpuSeconds: 0, callouts: 0, hostCalls: {} },
    }));
    return {
      version: this.#version,
      streams: this.#staged,
      connections: 0,
      snapshots: 1,
      plugins,
      clusters: [],
    };
  }
}

new WorkerProgram({
  ...settings,
  drainMs: 1000,
  sharedFolder: null,
  log: openLog('worker', settings.level),
  makeRuntime: () => new StandIn(),
}).start();
