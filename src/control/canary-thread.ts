import { parentPort, workerData } from 'node:worker_threads';
import { LocalLedger } from '../runtime/ledger.ts';
import { LocalQuotas } from '../runtime/quota/local.ts';
import { WasmHost } from '../runtime/wasm/plugin.ts';
import { compiledAs, type ModuleSpec, type PluginSpec } from '../runtime/snapshot.ts';
import { compileModule, type CompiledModule } from '../runtime/wasm/module.ts';
import { loadSymbols } from '../runtime/wasm/trap/symbols.ts';
import { LocalSharedState } from '../runtime/wasm/shared.ts';
import { faultOf, sourceMapOf, type Code } from '../runtime/stage-fault.ts';
import type { CanaryJob, CanaryReport } from './canary.ts';

/**
 * Program of the canary's thread: compiles modules and starts plugins with the host that workers
 * use, one after the other, telling of each step before it begins.
 */
const KEPT_LOG_LINES = 20;

/** Of the plugin that is being started. */
let lines: string[] = [];
let starting = '';
let lastToken = 0;

const host = new WasmHost({
  log: (_level, plugin, message) => {
    // One before may still log what became of its calls.
    if (plugin !== starting) return;
    lines.push(message);
    if (lines.length > KEPT_LOG_LINES) lines.shift();
  },
  // Sent, and never answered: a plugin that fetches something in its start waits for traffic to have it.
  callouts: { httpCall: () => ++lastToken, cancel: () => undefined },
  grpc: { open: () => ({ send: () => true, end: () => undefined, cancel: () => undefined }) },
  shared: new LocalSharedState(),
  metrics: {
    define: () => 1,
    add: () => undefined,
    set: () => undefined,
    observe: () => undefined,
    get: () => 0,
  },
  ledger: new LocalLedger(),
  quotas: new LocalQuotas(() => Date.now()),
  now: () => Date.now(),
  node: { id: 'canary', cluster: 'weir' },
  workerId: 0,
  tripped: () => undefined,
});

function tell(report: CanaryReport): void {
  parentPort?.postMessage(report);
}

/** A plugin that does not start is asked again once its sources can be named, which nobody waits for here. */
async function start(module: CompiledModule, spec: PluginSpec): Promise<void> {
  try {
    await host.startPlugin(module, spec);
  } catch (error) {
    const loading = loadSymbols(module);
    if (loading === null) throw error;
    await loading;
    lines = [];
    await host.startPlugin(module, spec);
  }
}

const compiledModules = new Map<string, CompiledModule>();

/** Filters often have the module of one before. */
async function compile(module: ModuleSpec, code: Code): Promise<CompiledModule> {
  const key = compiledAs(module);
  const before = compiledModules.get(key);
  if (before !== undefined) return before;
  const bytes = code.get(module.digest);
  if (!bytes) throw new Error(`the code of module ${module.name} is not here`);
  const sourceMap = code.get(sourceMapOf(module.digest));
  const compiled = await compileModule(bytes, { ...module, sourceMap });
  compiledModules.set(key, compiled);
  return compiled;
}

async function tryOut(job: CanaryJob): Promise<void> {
  for (const [index, { spec, module }] of job.plugins.entries()) {
    lines = [];
    starting = spec.name;
    let source = module.source;
    try {
      tell({ type: 'step', index, step: 'compile' });
      const compiled = await compile(module, job.code);
      source = spec.source;
      tell({ type: 'step', index, step: 'start' });
      await start(compiled, spec);
      tell({ type: 'ok', index });
    } catch (error) {
      const fault = faultOf(error);
      tell({ type: 'fault', index, fault: { ...fault, source: fault.source ?? source, notes: lines } });
    }
  }
  tell({ type: 'end' });
}

await tryOut(workerData as CanaryJob);
