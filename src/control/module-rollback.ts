import type { FilterTrip } from '../runtime/runtime.ts';
import type { Snapshot } from '../runtime/snapshot.ts';
import { codeOf, type Code } from '../runtime/stage-fault.ts';
import { snapshotVersion } from './version.ts';

/** A Module whose filters trapped so often that another digest serves in its place, or that none could. */
export interface ModuleFailure {
  /** `namespace/name`. */
  readonly module: string;
  /** The digest that failed. */
  readonly digest: string;
  /** The one that serves instead; null where there is none to go back to, and the breaker holds. */
  readonly servedBy: string | null;
  /** `namespace/chain#filter`. */
  readonly plugin: string;
  readonly reason: string;
  /** Wall clock. */
  readonly at: number;
}

interface Version {
  readonly digest: string;
  readonly code: Code;
}

/** A snapshot with the bytes of its modules. */
export interface Content {
  readonly snapshot: Snapshot;
  readonly code: Code;
}

/**
 * Remembers, for each Module, the digest that served before the one in force, and goes back to it where
 * that one trips a breaker. A digest that failed stays out until the configuration brings another one.
 */
export class ModuleRollback {
  readonly #good = new Map<string, Version>();
  readonly #failed = new Map<string, ModuleFailure>();

  get failures(): readonly ModuleFailure[] {
    return [...this.#failed.values()];
  }

  /** `next` comes in force after `before`: what it replaces is what can be gone back to. */
  replace(before: Content | null, next: Content): void {
    const names = new Set(next.snapshot.modules.map(({ name }) => name));
    for (const name of this.#good.keys()) if (!names.has(name)) this.#good.delete(name);
    for (const module of before?.snapshot.modules ?? []) {
      const successor = next.snapshot.modules.find(({ name }) => name === module.name);
      const code = codeOf(before!.code, [module.digest]);
      if (successor === undefined || successor.digest === module.digest || code.size === 0) continue;
      if (this.#failed.get(module.name)?.digest === module.digest) continue;
      this.#good.set(module.name, { digest: module.digest, code });
    }
  }

  /** What a process before this one went back to. */
  restore(failures: readonly ModuleFailure[], { snapshot, code }: Content): void {
    for (const failure of failures) {
      this.#failed.set(failure.module, failure);
      const { module, servedBy: digest } = failure;
      if (digest === null || !code.has(digest) || !snapshot.modules.some(({ name }) => name === module))
        continue;
      this.#good.set(module, { digest, code: codeOf(code, [digest]) });
    }
  }

  /** Puts digests that were gone back to in the place of those that failed. */
  apply({ snapshot, code }: Content): Content {
    const bytes = new Map(code);
    let changed = false;
    const modules = snapshot.modules.map((module) => {
      const failure = this.#failed.get(module.name);
      const good = this.#good.get(module.name);
      if (failure?.digest !== module.digest || good === undefined || failure.servedBy !== good.digest)
        return module;
      changed = true;
      for (const [key, each] of good.code) bytes.set(key, each);
      return { ...module, digest: good.digest };
    });
    if (!changed) return { snapshot, code };
    const { version: _, ...content } = { ...snapshot, modules };
    return {
      snapshot: Object.freeze({ version: snapshotVersion(content), ...content }),
      code: codeOf(
        bytes,
        modules.map(({ digest }) => digest),
      ),
    };
  }

  /** A configuration is in force: failures of digests that it no longer has are past. */
  settle(configured: Snapshot): void {
    for (const { module, digest } of this.failures) {
      const now = configured.modules.find(({ name }) => name === module);
      if (now?.digest !== digest) this.#failed.delete(module);
    }
  }

  /**
   * A breaker tripped.
   *
   * @returns what to put in force: the same snapshot with the digest before; null where there is none, or
   *   the digest is not that of a module in force
   */
  trip({ digest, plugin, reason }: FilterTrip, current: Content, now: number): Content | null {
    const concerned = current.snapshot.modules.filter((module) => module.digest === digest);
    let canGoBack = false;
    for (const { name, keepsDigest = false } of concerned) {
      const good = this.#good.get(name);
      // The one that was gone back to fails too: its breaker holds, and there is nothing behind it.
      if (good?.digest === digest && this.#failed.get(name)?.servedBy === digest) continue;
      const servedBy = good === undefined || good.digest === digest || keepsDigest ? null : good.digest;
      if (servedBy !== null) canGoBack = true;
      this.#failed.set(name, { module: name, digest, servedBy, plugin, reason, at: now });
    }
    return canGoBack ? this.apply(current) : null;
  }

  /** The digest before could not be put in force either. */
  stuck(digest: string): void {
    for (const failure of this.failures) {
      if (failure.digest === digest) this.#failed.set(failure.module, { ...failure, servedBy: null });
    }
  }

  /** Somebody insists: what failed is tried again. */
  forgive(): void {
    this.#failed.clear();
  }
}
