import cluster from 'node:cluster';
import inspector from 'node:inspector';
import { Runtime } from '../runtime/runtime.ts';
import { WorkerProgram } from './program.ts';
import { guestLogLevel, openLog } from './log.ts';

/**
 * What a worker process runs. It is told everything by its supervisor: which snapshot to stage,
 * when to swap, when to drain.
 */
const settings = JSON.parse(process.env['WEIR_WORKER'] ?? '{}') as {
  readonly id: number;
  readonly workers: number;
  readonly level: string;
  readonly drainMs: number;
  readonly sharedFolder: string | null;
  /** Of this machine alone; null: no debugger. */
  readonly inspectPort: number | null;
};

if (!cluster.isWorker || !process.send) {
  process.stderr.write('this file is started by weir run, not by hand\n');
  process.exit(2);
}

// The stack of a panic in Rust is longer than ten functions, and its author's come last.
Error.stackTraceLimit = 40;

if (settings.inspectPort !== null) inspector.open(settings.inspectPort, '127.0.0.1');

const log = openLog('worker', settings.level, { worker: settings.id });
new WorkerProgram({
  ...settings,
  log,
  makeRuntime: (ledger, quotas, shared, stores, onTrip) =>
    new Runtime({
      workerId: settings.id,
      ledger,
      quotas,
      shared,
      stores,
      log: log.logger,
      logLevel: guestLogLevel(settings.level),
      onTrip,
      debug: settings.inspectPort !== null,
    }),
}).start();
