import { parentPort, workerData } from 'node:worker_threads';
import { loadConfiguration } from '../control/load.ts';
import { ModuleCache } from '../control/module-cache.ts';
import type { StageFault } from '../runtime/stage-fault.ts';
import { runPolicyTests } from './policy-run.ts';
import type { TestJob, TestReport } from './required-tests.ts';

/** Program of the thread that runs the PolicyTests of a configuration before it comes in force. */
const silent = { debug: ignore, info: ignore, warn: ignore, error: ignore };

function ignore(): void {
  // What a filter logs in a rehearsal is nobody's business but that of `weir test`.
}

async function runTests({ paths, dataDir }: TestJob): Promise<TestReport> {
  const cache = new ModuleCache(dataDir);
  const { snapshot } = await loadConfiguration(paths, { cache });
  const { snapshot: tested, ...rest } = await loadConfiguration(paths, { cache, standIns: true });
  if (snapshot === null || tested === null) return { version: null, faults: [] };
  const faults: StageFault[] = [];
  const { results } = await runPolicyTests({ ...rest, snapshot: tested }, null, silent, (result) => {
    const { test, name, place, misses } = result;
    if (misses.length > 0)
      faults.push({
        kind: 'test',
        source: place,
        message: `PolicyTest ${test}: ${name}: it failed`,
        notes: misses.flatMap((miss) => miss.split('\n')),
      });
  });
  if (results.length === 0)
    faults.push({ kind: 'test', source: null, message: 'there is no PolicyTest, and tests are required' });
  return { version: snapshot.version, faults };
}

parentPort?.postMessage(await runTests(workerData as TestJob));
