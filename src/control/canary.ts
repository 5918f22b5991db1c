import { createHash } from 'node:crypto';
import { Worker } from 'node:worker_threads';
import { compiledAs, type ModuleSpec, type PluginSpec, type Snapshot } from '../runtime/snapshot.ts';
import { codeOf, type Code, type StageFault } from '../runtime/stage-fault.ts';

/** Bounds on one step. The host itself stops a guest after a second; these hold where it cannot. */
export interface CanaryLimits {
  readonly compileMs: number;
  readonly startMs: number;
}

export const CANARY_LIMITS: CanaryLimits = { compileMs: 5000, startMs: 3000 };
/** Before the thread's first word. */
const BOOT_MS = 20_000;
const HEAP_MB = 256;
/** Plugins that are known to start need not be tried again when something else changes. */
const MAX_PROVEN = 2000;

/** What the thread is given: plugins to try, with the modules that they need. */
export interface CanaryJob {
  readonly plugins: readonly { readonly spec: PluginSpec; readonly module: ModuleSpec }[];
  readonly code: Code;
}

/** What it reports: a step before it begins, what came of it, the end. */
export type CanaryReport =
  | { readonly type: 'step'; readonly index: number; readonly step: 'compile' | 'start' }
  | { readonly type: 'ok'; readonly index: number }
  | { readonly type: 'fault'; readonly index: number; readonly fault: StageFault }
  | { readonly type: 'end' };

/**
 * Starts the plugins of a snapshot that were not tried before, each with its own configuration, in
 * a thread that traffic does not depend on. Whatever a module does there (it loops, traps, eats
 * memory) ends with the thread.
 */
export class Canary {
  private readonly entry: URL;
  private readonly limits: CanaryLimits;
  private readonly proven = new Set<string>();

  /** @param entry program of the thread */
  constructor(entry: URL, limits: CanaryLimits = CANARY_LIMITS) {
    this.entry = entry;
    this.limits = limits;
  }

  /** @returns what does not start, each with the place where it is written; empty where all of it does */
  async tryOut(snapshot: Snapshot, code: Code): Promise<StageFault[]> {
    let left = snapshot.plugins
      .map((spec) => ({ spec, module: snapshot.modules[spec.module]! }))
      .filter((each) => !this.proven.has(identityOf(each.spec, each.module)));
    const faults: StageFault[] = [];
    while (left.length > 0) {
      // A thread that is stopped takes one plugin with it; the others are tried in another one.
      const outcome = await this.run(left, code);
      faults.push(...outcome.faults);
      for (const { spec, module } of outcome.started) this.remember(identityOf(spec, module));
      left = left.slice(outcome.done);
    }
    return faults;
  }

  private run(
    plugins: CanaryJob['plugins'],
    code: Code,
  ): Promise<{ faults: StageFault[]; started: CanaryJob['plugins'][number][]; done: number }> {
    const job: CanaryJob = {
      plugins,
      code: codeOf(
        code,
        plugins.map(({ module }) => module.digest),
      ),
    };
    const faults: StageFault[] = [];
    const started: CanaryJob['plugins'][number][] = [];
    let index = 0;
    let step = 'starts the canary';
    return new Promise((resolve) => {
      const thread = new Worker(this.entry, {
        workerData: job,
        resourceLimits: { maxOldGenerationSizeMb: HEAP_MB },
        // A guest that prints must not print into the log of the supervisor.
        stdout: true,
        stderr: true,
      });
      let timer: NodeJS.Timeout;
      let settled = false;
      const arm = (limitMs: number): void => {
        clearTimeout(timer);
        timer = setTimeout(() => {
          stop('time', `it ${step} for longer than ${limitMs / 1000} s`);
        }, limitMs);
      };
      const settle = (done: number): void => {
        if (settled) return;
        settled = true;
        clearTimeout(timer);
        void thread.terminate();
        resolve({ faults, started, done });
      };
      const stop = (kind: StageFault['kind'], message: string): void => {
        if (settled) return;
        const { spec } = plugins[index]!;
        faults.push({ kind, source: spec.source, message: `${spec.name}: ${message}` });
        settle(index + 1);
      };
      thread.on('message', (report: CanaryReport) => {
        if (report.type === 'end') {
          settle(plugins.length);
          return;
        }
        index = report.index;
        if (report.type === 'step') {
          step = report.step === 'compile' ? 'compiles' : 'starts';
          arm(report.step === 'compile' ? this.limits.compileMs : this.limits.startMs);
        } else if (report.type === 'fault') {
          faults.push(report.fault);
        } else {
          started.push(plugins[index]!);
        }
      });
      thread.on('error', (error) => stop('worker', `it ended the canary: ${error.message}`));
      thread.on('exit', () => stop('worker', 'it ended the canary'));
      arm(BOOT_MS);
    });
  }

  private remember(identity: string): void {
    if (this.proven.size >= MAX_PROVEN) this.proven.clear();
    this.proven.add(identity);
  }
}

/** Everything that decides whether a plugin starts; not its name or where it is written. */
function identityOf(spec: PluginSpec, module: ModuleSpec): string {
  const parts = [
    compiledAs(module),
    spec.rootId,
    spec.vmId,
    spec.vmConfiguration,
    spec.environment,
    spec.configuration,
    spec.capabilities,
  ];
  const upstreams = spec.callouts.map(([name]) => name);
  return createHash('sha256')
    .update(JSON.stringify([parts, upstreams]))
    .digest('hex');
}
