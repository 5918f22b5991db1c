import type { Logger } from 'pino';
import type { Snapshot } from '../runtime/snapshot.ts';
import type { Code, StageFault } from '../runtime/stage-fault.ts';
import { formatDiagnostics, hasErrors, type Diagnostic } from './diagnostic.ts';
import { diagnose } from './fault-report.ts';
import type { Loaded } from './load.ts';
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
  readonly counts = { applied: 0, rejected: 0, rollbacks: 0, stateFailures: 0 };
  current: Release | null = null;
  refusal: Refusal | null = null;
  /** The last write of the state failed. */
  stateFailing = false;
  private previous: Release | null = null;
  private readonly deps: RolloutDeps;
  private lastNumber = 0;
  /** A version that workers crashed under; not tried again by itself. */
  private blocked: string | null = null;
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
    this.running ??= this.run().finally(() => {
      this.running = null;
    });
    return this.running;
  }

  /** The same as {@link request}, and also where it is a version that was rolled back. */
  insist(): Promise<void> {
    this.blocked = null;
    return this.request();
  }

  /** Puts a snapshot from disk in force. */
  async resume(saved: SavedSnapshot): Promise<boolean> {
    const faults = await this.deps.workers.deploy(saved);
    if (faults.length === 0) {
      this.lastNumber = saved.number;
      this.current = { ...saved, since: Date.now() };
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

  private async run(): Promise<void> {
    while (this.again) {
      this.again = false;
      await this.once();
    }
  }

  private async once(): Promise<void> {
    const { deps } = this;
    const startedAt = performance.now();
    const readSince = Date.now();
    let loaded: Loaded;
    try {
      loaded = await deps.load();
      await deps.follow(loaded.files, readSince);
    } catch (error) {
      deps.log.error({ err: error }, 'reading the configuration failed');
      const message = error instanceof Error ? error.message : String(error);
      this.refuse(null, await diagnose([{ kind: 'worker', source: null, message }], deps.name), false);
      return;
    }
    const { snapshot, code, diagnostics } = loaded;
    if (snapshot === null || hasErrors(diagnostics)) {
      this.refuse(null, diagnostics, false);
      return;
    }
    if (snapshot.version === this.blocked) return;
    if (snapshot.version === this.current?.snapshot.version) {
      if (this.refusal)
        deps.log.info({ version: snapshot.version }, 'the configuration is the one in force again');
      this.refusal = null;
      this.showWarnings(diagnostics);
      return;
    }
    const loadedAt = performance.now();
    let faults = await deps.tryOut(snapshot, code);
    const triedAt = performance.now();
    if (faults.length === 0) faults = await deps.workers.deploy({ snapshot, code });
    if (faults.length > 0) {
      const found = await diagnose(faults, deps.name);
      const isListenFault = faults.every((fault) => fault.kind === 'listen');
      this.refuse(snapshot.version, [...diagnostics, ...found], isListenFault);
      return;
    }
    this.previous = this.current ?? this.previous;
    this.current = { number: ++this.lastNumber, snapshot, code, since: Date.now() };
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
    deps.log.info({ number: this.lastNumber, version: snapshot.version, tookMs }, 'snapshot in force');
    this.showWarnings(diagnostics);
    this.save(this.current);
  }

  private refuse(version: string | null, diagnostics: readonly Diagnostic[], isListenFault: boolean): void {
    const { deps, current } = this;
    this.counts.rejected++;
    this.refusal = { at: Date.now(), version, diagnostics, isListenFault };
    const consequence = current
      ? `snapshot ${short(current.snapshot)} (${age(current.since)} old) keeps serving`
      : undefined;
    deps.print(
      formatDiagnostics(diagnostics, { color: deps.color, ...(consequence ? { consequence } : {}) }),
    );
    const errors = diagnostics.filter(({ severity }) => severity === 'error');
    const places = errors.map(({ code, file, line, column, message, hint }) => ({
      code,
      file,
      line,
      column,
      message,
      hint,
    }));
    deps.log.error(
      { serving: current?.snapshot.version ?? null, errors: places },
      'the configuration is refused, nothing was applied',
    );
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
        await state.save(release);
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
