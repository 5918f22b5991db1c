import { Canary } from '../control/canary.ts';
import { formatDiagnostics, sortDiagnostics, type Diagnostic } from '../control/diagnostic.ts';
import { diagnose } from '../control/fault-report.ts';
import type { Loaded } from '../control/load.ts';
import type { StageError } from '../runtime/plugin-set.ts';
import type { Snapshot } from '../runtime/snapshot.ts';
import { entryOf } from '../supervisor/entry.ts';

type Startable = Pick<Loaded, 'code' | 'placeOf'> & { readonly snapshot: Snapshot };

/**
 * Starts the filters of a configuration as `weir run` does before it serves it: in a thread with limits.
 *
 * @param paths that it was loaded from
 * @param canary program of the thread
 * @returns what does not start, each with its place; empty where all of it does
 */
export async function startFaults(
  { snapshot, code, placeOf }: Startable,
  paths: readonly string[],
  canary: URL = entryOf('canary-thread'),
): Promise<Diagnostic[]> {
  const faults = await new Canary(canary).tryOut(snapshot, code);
  return sortDiagnostics(await diagnose(faults, paths.join(' '), placeOf));
}

/** What a command prints that could not stage a configuration: the filters that do not start; where all do, the error itself. */
export async function startFaultText(
  loaded: Startable,
  paths: readonly string[],
  error: StageError,
): Promise<string> {
  const found = await startFaults(loaded, paths);
  if (found.length === 0) return `${error.message}\n`;
  return formatDiagnostics(found, { color: process.stderr.isTTY, consequence: null });
}
