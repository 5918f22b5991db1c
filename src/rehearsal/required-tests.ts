import { Worker } from 'node:worker_threads';
import type { StageFault } from '../runtime/stage-fault.ts';

/** What the thread is given. */
export interface TestJob {
  /** Files and folders of YAML. */
  readonly paths: readonly string[];
  /** Where modules that were pulled are kept; null: nowhere. */
  readonly dataDir: string | null;
}

/** What it found: the version that the files compiled to, and the cases that failed. */
export interface TestReport {
  readonly version: string | null;
  readonly faults: readonly StageFault[];
}

/** All cases together. */
const MOST_MS = 120_000;
const HEAP_MB = 512;

/**
 * Runs the PolicyTests of files in a thread that traffic does not depend on.
 *
 * @param entry program of the thread
 * @param version that the configuration to be put in force was compiled to
 * @returns what keeps it from that: a case that failed, no case at all, files that are others by now
 */
export function runRequiredTests(entry: URL, job: TestJob, version: string): Promise<StageFault[]> {
  return new Promise((resolve) => {
    const fail = (message: string): StageFault => ({ kind: 'test', source: null, message });
    const thread = new Worker(entry, {
      workerData: job,
      resourceLimits: { maxOldGenerationSizeMb: HEAP_MB },
      stdout: true,
      stderr: true,
    });
    const settle = (faults: readonly StageFault[]): void => {
      clearTimeout(timer);
      void thread.terminate();
      resolve([...faults]);
    };
    const timer = setTimeout(
      () => settle([fail(`the PolicyTests take longer than ${MOST_MS / 1000} s`)]),
      MOST_MS,
    );
    thread.on('message', (report: TestReport) => {
      const changed = report.version !== version && report.faults.length === 0;
      settle(changed ? [fail('the files changed while their PolicyTests ran')] : report.faults);
    });
    thread.on('error', (error) => settle([fail(`the PolicyTests ended their thread: ${error.message}`)]));
    thread.on('exit', () => settle([fail('the PolicyTests ended their thread')]));
  });
}
