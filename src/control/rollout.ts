import type { Logger } from 'pino';
import type { FilterTrip } from '../runtime/runtime.ts';
import type { Snapshot } from '../runtime/snapshot.ts';
import type { Code, StageFault } from '../runtime/stage-fault.ts';
import { formatDiagnostics, hasErrors, type Diagnostic } from './diagnostic.ts';
import { diagnose } from './fault-report.ts';
import type { Loaded } from './load.ts';
import { ModuleRollback, type Content, type ModuleFailure } from './module-rollback.ts';
import type { SavedSnapshot, StateStore } from './state.ts';

/** A snapshot that serves or served, under the number it was given when it came in force. */
export interface Release {
  readonly number: number;
  readonly snapshot: Snapshot;
  readonly code: Code;
  /** Wall clock. */
  readonly since: number;
}

/** A configuration that is not in force, and why. */
export interface Refusal {
  readonly at: number;
  /** Of its snapshot, where it got that far. */
  readonly version: string | null;
  readonly diagnostics: readonly Diagnostic[];
  /** Nothing but an address stood in its way. */
  readonly isListenFault: boolean;
}

/** What a rollout under way is at. */
export type RolloutStep = 'load' | 'try-out' | 'test' | 'deploy';

/** Lines of the log that others wait for. */
export const IN_FORCE = 'snapshot in force';
export const UNCHANGED = 'the configuration is the one in force again';
export const REFUSED = 'the configuration is refused, nothing was applied';

/** A step that takes longer is told in the log. */
const SLOW_STEP_MS = 10_000;

/** The same refusal is printed once in this time. */
const ECHO_MS = 5000;

/** The workers, as far as a rollout needs them. */
export interface Deployment {
  deploy(release: { snapshot: Snapshot; code: Code }): Promise<readonly StageFault[]>;
  revert(release: { snapshot: Snapshot; code: Code }): void;
}

export interface RolloutDeps {
  load(): Promise<Loaded>;
  /** Every file that the last load read, and the wall clock before it. */
  follow(files: readonly string[], readSince: number): Promise<void>;
  tryOut(snapshot: Snapshot, code: Code): Promise<readonly StageFault[]>;
  /** Runs the PolicyTests of the files that were loaded, which must have compiled to `version`; null: they need not pass. */
  readonly test: ((version: string) => Promise<readonly StageFault[]>) | null;
  readonly workers: Deployment;
  readonly state: StateStore | null;
  readonly log: Logger;
  /** Shows a fault list to a person. */
  print(text: string): void;
  readonly color: boolean;
  /** Where faults are shown that have no place of their own. */
  readonly name: string;
}

/**
 * Brings configurations in force, one at a time: load, try out, stage on all workers, swap. What
 * cannot be put in force leaves everything as it is. Requests that come while one is under way
 * are one more afterwards, which reads the files as they are then.
 */
export class Rollout {
  readonly counts = { applied: 0, rejected: 0, rollbacks: 0, moduleRollbacks: 0, stateFailures: 0 };
  current: Release | null = null;
  refusal: Refusal | null = null;
  /** Null while none is under way. Wall clock. */
  underWay: { readonly step: RolloutStep; readonly since: number } | null = null;
  /** The last write of the state failed. */
  stateFailing = false;
  private previous: Release | null = null;
  private readonly deps: RolloutDeps;
  private lastNumber = 0;
  /** A version that workers crashed under; not tried again by itself. */
  private blocked: string | null = null;
  /** Somebody asked for it, so a configuration that closes all is meant. */
  private insisted = false;
  private readonly modules = new ModuleRollback();
  private readonly trips: FilterTrip[] = [];
  private running: Promise<void> | null = null;
  private again = false;
  private shownWarnings = '';
  private saving: Promise<void> = Promise.resolve();

  constructor(deps: RolloutDeps) {
    this.deps = deps;
  }

  /** Reads the configuration again, now or when the rollout under way is done. */
  request(): Promise<void> {
    this.again = true;
    return this.start();
  }

  /** The same as {@link request}, and also where it is a version that was rolled back or has no listener left. */
  insist(): Promise<void> {
    this.blocked = null;
    this.insisted = true;
    this.modules.forgive();
    return this.request();
  }

  /** Puts a snapshot from disk in force. */
  async resume(saved: SavedSnapshot): Promise<boolean> {
    const faults = await this.deps.workers.deploy(saved);
    if (faults.length === 0) {
      this.lastNumber = saved.number;
      this.current = { ...saved, since: Date.now() };
      this.modules.restore(saved.failures, saved);
      this.deps.log.warn(
        { number: saved.number, version: saved.snapshot.version },
        'serving the last good snapshot from disk',
      );
      return true;
    }
    this.deps.print(formatDiagnostics(await diagnose(faults, this.deps.name), { color: this.deps.color }));
    return false;
  }

  /** What a new process knows of the one before it: where to count on from, and to roll back to. */
  remember(saved: SavedSnapshot): void {
    this.lastNumber = Math.max(this.lastNumber, saved.number);
    this.previous ??= { ...saved, since: Date.now() };
    this.modules.restore(saved.failures, saved);
  }

  /** Modules whose configured digest failed, each with what serves instead. */
  get failures(): readonly ModuleFailure[] {
    return this.modules.failures;
  }

  /** Whether another digest serves than the configuration names. */
  get isRolledBack(): boolean {
    return this.failures.some(({ servedBy }) => servedBy !== null);
  }

  /** The breaker of a filter tripped: its module goes back to the digest before, where there is one. */
  tripped(trip: FilterTrip): Promise<void> {
    this.trips.push(trip);
    return this.start();
  }

  /** Workers crash under the snapshot in force: the one before it takes its place. */
  rollBack(): void {
    const { current, previous, deps } = this;
    const bad = current?.snapshot.version ?? null;
    if (!current || !previous || previous.snapshot.version === bad) {
      deps.log.fatal(
        { version: bad },
        'workers crash again and again, and there is no other snapshot to go back to',
      );
      return;
    }
    this.counts.rollbacks++;
    this.blocked = bad;
    deps.workers.revert(previous);
    this.current = { ...previous, number: ++this.lastNumber, since: Date.now() };
    const message = `workers crashed again and again under snapshot ${short(current.snapshot)} (number ${current.number})`;
    this.refusal = {
      at: Date.now(),
      version: bad,
      diagnostics: [
        { code: 'WEIR4006', severity: 'error', file: deps.name, line: 0, column: 1, length: 1, message },
      ],
      isListenFault: false,
    };
    deps.log.fatal(
      { from: bad, to: previous.snapshot.version, number: this.current.number },
      `${message}, rolled back`,
    );
    this.save(this.current);
  }

  /** Resolves when nothing is being written any more. */
  settled(): Promise<void> {
    return this.saving;
  }

  private start(): Promise<void> {
    this.running ??= this.run().finally(() => {
      this.running = null;
    });
    return this.running;
  }

  private async run(): Promise<void> {
    while (this.again || this.trips.length > 0) {
      const trip = this.trips.shift();
      if (trip !== undefined) {
        await this.goBack(trip);
        continue;
      }
      this.again = false;
      await this.once();
    }
  }

  /** Says what is being done for as long as it is. */
  private async at<T>(step: RolloutStep, work: Promise<T>): Promise<T> {
    const since = Date.now();
    this.underWay = { step, since };
    const slow = setInterval(() => {
      const seconds = Math.round((Date.now() - since) / 1000);
      this.deps.log.warn({ step, seconds }, 'a rollout is under way for long; what served serves');
    }, SLOW_STEP_MS).unref();
    try {
      return await work;
    } finally {
      clearInterval(slow);
      this.underWay = null;
    }
  }

  /** What serves goes on serving, but for the one module. */
  private async goBack(trip: FilterTrip): Promise<void> {
    const { current, deps } = this;
    if (current === null) return;
    const content = this.modules.trip(trip, current, Date.now());
    if (content === null) return;
    let faults = await this.at('try-out', deps.tryOut(content.snapshot, content.code));
    if (faults.length === 0) faults = await this.at('deploy', deps.workers.deploy(content));
    if (faults.length > 0) {
      this.modules.stuck(trip.digest);
      deps.log.error({ trip, faults }, 'a module that fails cannot go back to its digest before');
      return;
    }
    this.counts.moduleRollbacks++;
    this.bring(content);
    const diagnostics = await this.moduleDiagnostics();
    deps.print(formatDiagnostics(diagnostics, { color: deps.color }));
    deps.log.error(
      { trip, number: this.lastNumber, version: content.snapshot.version },
      'a module failed again and again, its digest before serves again',
    );
  }

  /** Modules that were gone back from, told like faults of the configuration. */
  private moduleDiagnostics(): Promise<Diagnostic[]> {
    const faults = this.failures.flatMap(({ module, digest, servedBy, plugin, reason }) => {
      if (servedBy === null) return [];
      const source = this.current?.snapshot.modules.find(({ name }) => name === module)?.source ?? null;
      const message = `Module ${module}: filter ${plugin} of sha256 ${digest} failed again and again (${reason}); sha256 ${servedBy} serves again`;
      return [{ kind: 'rolled-back' as const, source, message }];
    });
    return diagnose(faults, this.deps.name);
  }

  /** Under a new number, as the last good one. */
  private bring(content: Content): void {
    this.modules.replace(this.current ?? this.previous, content);
    this.current = { ...content, number: ++this.lastNumber, since: Date.now() };
    this.save(this.current);
  }

  private async once(): Promise<void> {
    const { deps, insisted } = this;
    this.insisted = false;
    const startedAt = performance.now();
    const readSince = Date.now();
    let loaded: Loaded;
    try {
      loaded = await this.at('load', deps.load());
      await this.at('load', deps.follow(loaded.files, readSince));
    } catch (error) {
      deps.log.error({ err: error }, 'reading the configuration failed');
      const message = error instanceof Error ? error.message : String(error);
      this.refuse(null, await diagnose([{ kind: 'worker', source: null, message }], deps.name), false);
      return;
    }
    const { diagnostics } = loaded;
    if (loaded.snapshot === null || hasErrors(diagnostics)) {
      this.refuse(null, diagnostics, false);
      return;
    }
    const content = this.modules.apply({ snapshot: loaded.snapshot, code: loaded.code });
    const { snapshot, code } = content;
    if (snapshot.version === this.blocked) return;
    if (!insisted && snapshot.ports.length === 0 && (this.current?.snapshot.ports.length ?? 0) > 0) {
      // Warnings would be about what is missing.
      this.refuse(snapshot.version, [this.closesAll()], false);
      return;
    }
    if (snapshot.version === this.current?.snapshot.version) {
      if (this.refusal) deps.log.info({ version: snapshot.version }, UNCHANGED);
      this.refusal = null;
      this.modules.settle(loaded.snapshot);
      this.showWarnings(diagnostics);
      return;
    }
    const loadedAt = performance.now();
    let faults = await this.at('try-out', deps.tryOut(snapshot, code));
    if (faults.length === 0 && deps.test !== null)
      faults = await this.at('test', deps.test(loaded.snapshot.version));
    const triedAt = performance.now();
    if (faults.length === 0) faults = await this.at('deploy', deps.workers.deploy(content));
    if (faults.length > 0) {
      const found = await diagnose(faults, deps.name, loaded.placeOf);
      const isListenFault = faults.every((fault) => fault.kind === 'listen');
      this.refuse(snapshot.version, [...diagnostics, ...found], isListenFault);
      return;
    }
    const before = this.current ?? this.previous;
    this.modules.settle(loaded.snapshot);
    this.bring(content);
    this.previous = before;
    this.refusal = null;
    this.blocked = null;
    this.counts.applied++;
    const ms = (from: number, to: number): number => Math.round(to - from);
    const endedAt = performance.now();
    const tookMs = {
      load: ms(startedAt, loadedAt),
      tryOut: ms(loadedAt, triedAt),
      deploy: ms(triedAt, endedAt),
    };
    const { version, ports } = snapshot;
    const listening = ports.map(({ protocol, address, port }) => `${protocol}://${address}:${port}`);
    deps.log.info({ number: this.lastNumber, version, listening, tookMs }, IN_FORCE);
    this.showWarnings(diagnostics);
  }

  /** More often a file that is half written, or a folder that is being replaced, than meant. */
  private closesAll(): Diagnostic {
    return {
      code: 'WEIR4009',
      severity: 'error',
      file: this.deps.name,
      line: 0,
      column: 1,
      length: 1,
      message: 'there is no Gateway with a listener any more, so that nothing would be served',
      hint: 'SIGHUP puts it in force if that is meant',
    };
  }

  private refuse(version: string | null, diagnostics: readonly Diagnostic[], isListenFault: boolean): void {
    const { deps, current, refusal } = this;
    this.counts.rejected++;
    this.refusal = { at: Date.now(), version, diagnostics, isListenFault };
    // One save may be several events.
    const isEcho =
      refusal !== null &&
      refusal.at > Date.now() - ECHO_MS &&
      formatDiagnostics(refusal.diagnostics) === formatDiagnostics(diagnostics);
    const consequence = current
      ? `snapshot ${short(current.snapshot)} (${age(current.since)} old) keeps serving`
      : undefined;
    if (!isEcho)
      deps.print(
        formatDiagnostics(diagnostics, { color: deps.color, ...(consequence ? { consequence } : {}) }),
      );
    const errors = diagnostics.filter(({ severity }) => severity === 'error');
    const places = errors.map(({ code, file, line, column, length, sourceLine, message, hint }) => ({
      code,
      file,
      line,
      column,
      length,
      sourceLine,
      message,
      hint,
    }));
    deps.log.error({ serving: current?.snapshot.version ?? null, errors: places }, REFUSED);
  }

  /** Warnings are shown when they change, not with every reload. */
  private showWarnings(diagnostics: readonly Diagnostic[]): void {
    const text = formatDiagnostics(diagnostics, { color: this.deps.color });
    if (text !== this.shownWarnings && text !== '') this.deps.print(text);
    this.shownWarnings = text;
  }

  private save(release: Release): void {
    const { state, log } = this.deps;
    if (!state) return;
    // A save that is late is skipped where a newer release came in force meanwhile.
    this.saving = this.saving.then(async () => {
      if (this.current !== release) return;
      try {
        await state.save({ ...release, failures: this.failures });
        this.stateFailing = false;
      } catch (error) {
        this.stateFailing = true;
        this.counts.stateFailures++;
        log.error(
          { err: error, number: release.number },
          'the snapshot in force could not be saved; it serves all the same',
        );
      }
    });
  }
}

function short(snapshot: Snapshot): string {
  return snapshot.version.slice(0, 6);
}

function age(since: number): string {
  const seconds = Math.max(0, Math.round((Date.now() - since) / 1000));
  if (seconds < 120) return `${seconds} s`;
  if (seconds < 7200) return `${Math.round(seconds / 60)} min`;
  return `${Math.round(seconds / 3600)} h`;
}
