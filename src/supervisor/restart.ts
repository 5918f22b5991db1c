/** Delays before a worker that exited is started again, and when exits amount to a crash loop. */
export const RESTART_BASE_MS = 100;
export const RESTART_MAX_MS = 10_000;
export const CRASH_LOOP_EXITS = 5;
export const CRASH_LOOP_WINDOW_MS = 60_000;

/**
 * Decides when the worker of one place starts again. The first restart is immediate, since most
 * exits are single; further ones within a minute wait 100 ms, 200 ms and so on up to 10 s.
 */
export class Backoff {
  private exits = 0;
  private lastExit = -Infinity;

  /** @returns milliseconds to wait before the next start */
  exited(now: number): number {
    if (now - this.lastExit > CRASH_LOOP_WINDOW_MS) this.exits = 0;
    this.lastExit = now;
    const delay = this.exits === 0 ? 0 : Math.min(RESTART_MAX_MS, RESTART_BASE_MS * 2 ** (this.exits - 1));
    this.exits++;
    return delay;
  }
}

/** Counts exits of all workers under one snapshot: five within a minute are a crash loop. */
export class CrashLoop {
  private exits: number[] = [];

  /** @returns true where this exit completes a crash loop; counting then begins anew */
  exited(now: number): boolean {
    this.exits = this.exits.filter((at) => now - at < CRASH_LOOP_WINDOW_MS);
    this.exits.push(now);
    if (this.exits.length < CRASH_LOOP_EXITS) return false;
    this.exits = [];
    return true;
  }

  /** Another snapshot is in force: what came before is not its fault. */
  reset(): void {
    this.exits = [];
  }
}
