import type { ModuleSpec } from '../runtime/snapshot.ts';
import { CALL_FRAMES, REQUEST_MS, START_MS } from '../runtime/wasm/limits.ts';
import type { Assets } from './assets.ts';
import type { FilterSchema } from './filter-schema.ts';
import { moduleName, type FilterUses } from './filter-uses.ts';
import { vmFieldsOf, type VmFields } from './module-vm.ts';

/** As much as 10 000 Consumers with labels take to be read, and room. */
export const BUILTIN_MEMORY_BYTES = 64 * 1024 * 1024;

/** Modules of a snapshot: those that its filters use. */
export class ModuleTable {
  readonly specs: ModuleSpec[] = [];
  /** What plugins of a module begin with, by its index. */
  readonly vms: VmFields[] = [];
  readonly #assets: Assets;
  readonly #uses: FilterUses;
  readonly #indexes = new Map<string, number>();

  constructor(assets: Assets, uses: FilterUses) {
    this.#assets = assets;
    this.#uses = uses;
  }

  /** The index of the module; null where it could not be read, which has been reported. */
  index({ namespace }: { readonly namespace: string }, use: string): number | null {
    const own = moduleName(use);
    const name = own === undefined ? `builtin/${use}` : `${namespace}/${own}`;
    const existing = this.#indexes.get(name);
    if (existing !== undefined) return existing;
    const digest =
      own === undefined ? this.#assets.builtins.get(use)?.digest : this.#assets.modules.get(name);
    if (digest === undefined) return null;
    const object = this.#uses.moduleOf(namespace, use);
    const limits = object?.value?.spec.limits;
    const spec: ModuleSpec = {
      name,
      digest,
      source: object?.document.position() ?? name,
      memoryBytes: limits?.memory ?? BUILTIN_MEMORY_BYTES,
      ...(object?.value?.spec.onTrap.rollback === false ? { keepsDigest: true } : {}),
      ...(limits === undefined
        ? builtinCpu(own === undefined ? this.#assets.builtins.get(use)?.schema : null)
        : {
            cpu: {
              perCallMs: limits.cpuPerCall,
              perRequestMs: limits.cpuPerRequest,
              perStartMs: limits.cpuPerStart,
              frames: limits.callDepth,
            },
          }),
    };
    this.#indexes.set(name, this.specs.length);
    this.vms.push(vmFieldsOf(object?.value?.spec ?? null));
    return this.specs.push(spec) - 1;
  }
}

/** A built-in filter may say that it needs more than a module has: its work is bounded by its own code. */
function builtinCpu(schema: FilterSchema | null | undefined): Pick<ModuleSpec, 'cpu'> {
  const perCallMs = schema?.cpuPerCallMs ?? null;
  if (perCallMs === null) return {};
  const perRequestMs = Math.max(REQUEST_MS, 2 * perCallMs);
  return { cpu: { perCallMs, perRequestMs, perStartMs: START_MS, frames: CALL_FRAMES } };
}
