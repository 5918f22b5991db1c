import type { InstanceGroup } from '../instance-group.ts';
import type { Plugin, StreamChooser } from '../plugin.ts';
import type { RootContext } from '../root.ts';
import type { StreamHost } from '../stream-host.ts';
import type { Vm } from '../vm.ts';
import { RecordedInstances } from './recorded-instances.ts';
import type { Tap } from './tap.ts';

/**
 * The taps of one worker. Streams that a tap chooses go to an instance of their own, recorded from its first moment,
 * so that a replay begins where the recording does; all others stay where they were. A stream that several taps
 * choose goes to an instance that all of them record.
 */
export class TapSet {
  readonly #taps = new Set<Tap>();
  readonly #choosers = new Map<Plugin, PluginTaps>();
  readonly #instances = new Map<InstanceGroup, RecordedInstances>();
  #plugins: readonly Plugin[] = [];

  add(tap: Tap): void {
    this.#taps.add(tap);
    this.#attach();
  }

  /** No more streams; resolves when the last line is written. */
  remove(tap: Tap): Promise<void> {
    this.#taps.delete(tap);
    for (const instances of this.#instances.values()) instances.leave(tap);
    this.#attach();
    return tap.stop();
  }

  /** The plugins there are now: those of others are tapped no more. */
  follow(plugins: readonly Plugin[]): void {
    this.#plugins = plugins;
    this.#attach();
  }

  #attach(): void {
    for (const [plugin, chooser] of this.#choosers) {
      if (this.#plugins.includes(plugin) && [...this.#taps].some((tap) => tap.isFor(plugin))) continue;
      if (plugin.tap === chooser) plugin.tap = null;
      this.#choosers.delete(plugin);
    }
    if (this.#taps.size === 0) this.#instances.clear();
    for (const [group, instances] of this.#instances) {
      if ([...this.#choosers.keys()].some((plugin) => plugin.group === group)) instances.keep();
      else {
        instances.leave(null);
        this.#instances.delete(group);
      }
    }
    if (this.#taps.size === 0) return;
    for (const plugin of this.#plugins) {
      const taps = [...this.#taps].filter((tap) => tap.isFor(plugin));
      if (taps.length === 0) continue;
      let chooser = this.#choosers.get(plugin);
      if (chooser === undefined) {
        chooser = new PluginTaps(plugin, this.#instancesOf(plugin.group));
        this.#choosers.set(plugin, chooser);
      }
      chooser.use(taps);
      plugin.tap = chooser;
    }
  }

  #instancesOf(group: InstanceGroup): RecordedInstances {
    let instances = this.#instances.get(group);
    if (instances === undefined) this.#instances.set(group, (instances = new RecordedInstances(group)));
    return instances;
  }
}

/** The choice of streams for one plugin. */
class PluginTaps implements StreamChooser {
  readonly #plugin: Plugin;
  readonly #instances: RecordedInstances;
  /** Streams that each tap still takes. */
  readonly #left = new Map<Tap, number>();

  constructor(plugin: Plugin, instances: RecordedInstances) {
    this.#plugin = plugin;
    this.#instances = instances;
  }

  use(taps: readonly Tap[]): void {
    for (const tap of this.#left.keys()) if (!taps.includes(tap)) this.#left.delete(tap);
    for (const tap of taps) if (!this.#left.has(tap)) this.#left.set(tap, tap.spec.count);
  }

  choose(stream: StreamHost): RootContext | null {
    const taps: Tap[] = [];
    for (const [tap, left] of this.#left) {
      if (left <= 0 || !tap.wants(stream)) continue;
      if (tap.isSlow) tap.dropped++;
      else taps.push(tap);
    }
    if (taps.length === 0) return null;
    const vm: Vm | null = this.#instances.ready(this.#plugin, taps);
    const root = vm?.rootOf(this.#plugin) ?? null;
    if (vm === null || root === null) return null;
    for (const tap of taps) {
      this.#left.set(tap, this.#left.get(tap)! - 1);
      tap.streams++;
    }
    this.#instances.taken(vm);
    return root;
  }
}
