import type { InstanceGroup } from '../instance-group.ts';
import type { Plugin } from '../plugin.ts';
import type { Vm } from '../vm.ts';
import type { Tap } from './tap.ts';
import type { Witness } from './witness.ts';

/** Instances that trap or do not start, after which taps leave their filters alone. */
const FAILURES = 5;

interface RecordedInstance {
  readonly taps: readonly Tap[];
  readonly vm: Vm;
  /** Plugins that it was started with. */
  readonly members: readonly Plugin[];
}

/** Instances of one group that are recorded: one for each set of taps that chose a stream together. */
export class RecordedInstances {
  readonly #group: InstanceGroup;
  #list: RecordedInstance[] = [];
  #failures = 0;

  constructor(group: InstanceGroup) {
    this.#group = group;
  }

  /** The instance for streams that these taps choose; null: there is none that starts. */
  ready(plugin: Plugin, taps: readonly Tap[]): Vm | null {
    const known = this.#list.find((each) => sameTaps(each.taps, taps));
    if (known !== undefined) {
      const { vm } = known;
      if (!vm.dead && taps.every((tap) => tap.isRecorded(vm))) return vm;
      if (vm.dead) this.#failures++;
      this.#forget(known);
    }
    if (this.#failures >= FAILURES) return null;
    return this.#start(plugin, taps);
  }

  /** A stream is given to one of them. */
  taken(vm: Vm): void {
    vm.streams++;
    vm.taken++;
    const { recycleAfter } = this.#group.spec;
    if (recycleAfter > 0 && vm.taken >= recycleAfter) this.#leave((each) => each.vm === vm);
  }

  /** Those that a tap records get no more streams. @param tap null: all of them */
  leave(tap: Tap | null): void {
    this.#leave(({ taps }) => tap === null || taps.includes(tap));
  }

  /** Where a plugin has joined the group, those that began without it get no more streams. */
  keep(): void {
    const { members } = this.#group;
    this.#leave((each) => members.some((plugin) => !each.members.includes(plugin)));
  }

  #start(plugin: Plugin, taps: readonly Tap[]): Vm | null {
    let started: Vm | null = null;
    const { members } = this.#group;
    try {
      const vm = this.#group.watch((made) => {
        started = made;
        return together(taps.map((tap) => tap.look(made, plugin)));
      });
      this.#list.push({ taps, vm, members });
      return vm;
    } catch (error) {
      this.#failures++;
      for (const tap of taps) if (started !== null) tap.lost(started);
      plugin.warnOnce(`it is not recorded: ${(error as Error).message}`);
      return null;
    }
  }

  #leave(which: (each: RecordedInstance) => boolean): void {
    for (const each of this.#list.filter(which)) {
      this.#forget(each);
      if (!each.vm.dead) this.#group.unwatch(each.vm);
    }
  }

  #forget(instance: RecordedInstance): void {
    this.#list = this.#list.filter((each) => each !== instance);
  }
}

function sameTaps(a: readonly Tap[], b: readonly Tap[]): boolean {
  return a.length === b.length && a.every((tap) => b.includes(tap));
}

/** Each sees what the guest does and what the host answers. */
function together(witnesses: readonly Witness[]): Witness {
  return {
    imports: (own) => witnesses.reduce((imports, each) => each.imports(imports), own),
    callbacks: (own) => witnesses.reduce((callbacks, each) => each.callbacks(callbacks), own),
  };
}
