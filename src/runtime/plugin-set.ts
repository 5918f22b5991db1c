import type { Cluster } from './cluster.ts';
import { compiledAs, type ModuleSpec, type PluginSpec, type Position, type Snapshot } from './snapshot.ts';
import { sourceMapOf } from './stage-fault.ts';
import { compileModule, type CompiledModule } from './wasm/module.ts';
import type { Plugin, WasmHost } from './wasm/plugin.ts';

/** A snapshot that cannot be put in force, and the object that is to blame where one is. */
export class StageError extends Error {
  readonly plugin: string | null;
  readonly source: Position | null;

  constructor(message: string, plugin: string | null, source: Position | null, cause?: unknown) {
    super(message, { cause });
    this.name = 'StageError';
    this.plugin = plugin;
    this.source = source;
  }
}

interface Held {
  readonly plugin: Plugin;
  readonly key: string;
  module: ModuleSpec;
  holders: number;
}

/**
 * The plugins of all snapshots that are alive. A plugin whose module and configuration did not change
 * is the same object in the next snapshot: its instances, timers and counts survive a swap.
 */
export class PluginSet {
  readonly #host: WasmHost;
  readonly #debug: boolean;
  readonly #held = new Map<string, Held>();
  readonly #keys = new Map<Plugin, string>();
  /** By digest and memory cap. */
  readonly #modules = new Map<string, Promise<CompiledModule>>();
  readonly #clusters = new Map<number, Cluster>();
  readonly #clusterIds = new WeakMap<Cluster, number>();
  #lastClusterId = 0;

  /** @param debug compile modules for a debugger */
  constructor(host: WasmHost, debug: boolean) {
    this.#host = host;
    this.#debug = debug;
  }

  /** The cluster that a plugin's callout names by number. */
  cluster(id: number): Cluster | undefined {
    return this.#clusters.get(id);
  }

  /**
   * Plugins for a snapshot, index for index; each call is undone by one `release` of its result.
   *
   * @param code bytes of modules by digest; those that are compiled already may be missing
   * @throws StageError
   */
  async acquire(
    snapshot: Snapshot,
    clusters: readonly Cluster[],
    code: ReadonlyMap<string, Uint8Array>,
  ): Promise<readonly Plugin[]> {
    const acquired: Plugin[] = [];
    try {
      for (const spec of snapshot.plugins) {
        acquired.push(await this.#acquireOne(spec, snapshot, clusters, code));
        // A start may take its time; what serves comes between two of them.
        await new Promise((resolve) => setImmediate(resolve));
      }
      return acquired;
    } catch (error) {
      this.release(acquired);
      throw error;
    }
  }

  release(plugins: readonly Plugin[]): void {
    for (const plugin of plugins) {
      const held = this.#held.get(this.#keys.get(plugin)!)!;
      held.holders--;
      if (held.holders > 0) continue;
      this.#held.delete(held.key);
      this.#keys.delete(plugin);
      void plugin.retire();
    }
  }

  /** Forgets compiled modules and clusters that nothing alive has. */
  forget(alive: readonly Snapshot[], clusters: readonly Cluster[]): void {
    const modules = new Set(alive.flatMap((snapshot) => snapshot.modules.map(compiledAs)));
    for (const key of this.#modules.keys()) if (!modules.has(key)) this.#modules.delete(key);
    for (const [id, cluster] of this.#clusters) if (!clusters.includes(cluster)) this.#clusters.delete(id);
  }

  /** The module of a plugin that is held; null for another one. */
  moduleOf(plugin: Plugin): ModuleSpec | null {
    return this.#held.get(this.#keys.get(plugin) ?? '')?.module ?? null;
  }

  get all(): readonly Plugin[] {
    return [...this.#held.values()].map(({ plugin }) => plugin);
  }

  async #acquireOne(
    spec: PluginSpec,
    snapshot: Snapshot,
    clusters: readonly Cluster[],
    code: ReadonlyMap<string, Uint8Array>,
  ): Promise<Plugin> {
    const module = snapshot.modules[spec.module]!;
    // Indexes are the snapshot's own; numbers that live as long as the cluster does let a plugin outlive it.
    const own = {
      ...spec,
      callouts: spec.callouts.map(([name, index]) => [name, this.#idOf(clusters[index]!)] as const),
    };
    const key = JSON.stringify([compiledAs(module), { ...own, module: 0, source: '' }]);
    let held = this.#held.get(key);
    if (held === undefined) {
      const compiled = await this.#compile(module, code);
      let plugin: Plugin;
      try {
        plugin = await this.#host.startPlugin(compiled, own);
      } catch (error) {
        throw new StageError(messageOf(error), spec.name, spec.source, error);
      }
      plugin.hasPredecessor =
        module.keepsDigest !== true &&
        [...this.#held.values()].some(
          (other) => other.plugin.spec.name === spec.name && other.module.digest !== module.digest,
        );
      held = { plugin, key, module, holders: 0 };
      this.#held.set(key, held);
      this.#keys.set(plugin, key);
    }
    held.module = module;
    held.holders++;
    return held.plugin;
  }

  #compile(module: ModuleSpec, code: ReadonlyMap<string, Uint8Array>): Promise<CompiledModule> {
    const key = compiledAs(module);
    const known = this.#modules.get(key);
    if (known !== undefined) return known;
    const bytes = code.get(module.digest);
    if (bytes === undefined)
      throw new StageError(`the code of module ${module.name} is not here`, null, module.source);
    const sourceMap = code.get(sourceMapOf(module.digest));
    const compiled = compileModule(bytes, { ...module, sourceMap, debug: this.#debug }).catch(
      (error: unknown) => {
        this.#modules.delete(key);
        throw new StageError(messageOf(error), null, module.source, error);
      },
    );
    this.#modules.set(key, compiled);
    return compiled;
  }

  #idOf(cluster: Cluster): number {
    let id = this.#clusterIds.get(cluster);
    if (id === undefined) {
      id = ++this.#lastClusterId;
      this.#clusterIds.set(cluster, id);
      this.#clusters.set(id, cluster);
    }
    return id;
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
