import type { Plugin } from '../../src/runtime/wasm/plugin.ts';
import { HOST_GROUPS } from '../../src/runtime/wasm/usage.ts';

interface Cost {
  readonly fuel: number;
  readonly hostCalls: Record<string, number>;
}

/** What plugins have used since one last asked. */
export class CostBook {
  readonly #before = new Map<Plugin, { fuel: number; hostCalls: Float64Array }>();

  constructor(plugins: readonly Plugin[]) {
    for (const plugin of plugins) this.#note(plugin);
  }

  take(plugin: Plugin): Cost {
    const before = this.#before.get(plugin)!;
    const { fuel, hostCalls } = plugin.usage;
    const counts: Record<string, number> = {};
    for (const [i, group] of HOST_GROUPS.entries()) {
      const count = hostCalls[i]! - before.hostCalls[i]!;
      if (count > 0) counts[group] = count;
    }
    const cost = { fuel: fuel - before.fuel, hostCalls: counts };
    this.#note(plugin);
    return cost;
  }

  skip(): void {
    for (const plugin of this.#before.keys()) this.#note(plugin);
  }

  #note(plugin: Plugin): void {
    const { fuel, hostCalls } = plugin.usage;
    this.#before.set(plugin, { fuel, hostCalls: Float64Array.from(hostCalls) });
  }
}
