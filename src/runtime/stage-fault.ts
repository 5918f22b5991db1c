import type { Position } from './snapshot.ts';

/**
 * Module bytes by digest: all of a snapshot's, or those that a worker has not got yet. Source maps that
 * came beside modules are in it too, each by `sourceMapOf` the digest.
 */
export type Code = ReadonlyMap<string, Uint8Array>;

export function sourceMapOf(digest: string): string {
  return `${digest}.map`;
}

/** The part of a code that these modules are made of. */
export function codeOf(code: Code, digests: Iterable<string>): Map<string, Uint8Array> {
  const part = new Map<string, Uint8Array>();
  for (const digest of digests) {
    for (const key of [digest, sourceMapOf(digest)]) {
      const bytes = code.get(key);
      if (bytes !== undefined) part.set(key, bytes);
    }
  }
  return part;
}

/** Why a worker, or the canary before it, could not take a snapshot. */
export interface StageFault {
  readonly kind: FaultKind;
  /** Where the plugin, module or listener was written; null where no object is to blame. */
  readonly source: Position | null;
  readonly message: string;
  /** Name of the plugin that does not start. */
  readonly plugin?: string;
  /** What the filter logged before it failed. */
  readonly notes?: readonly string[];
}

/**
 * `module`: the bytes are no module that weir runs. `plugin`: it refused to start or its
 * configuration. `time`: it did not come to an end. `listen`: an address cannot be bound.
 * `worker`: the worker broke down or did not answer. `rolled-back`: it served, and failed too often.
 * `test`: a PolicyTest failed that had to pass.
 */
export type FaultKind = 'module' | 'plugin' | 'time' | 'listen' | 'worker' | 'rolled-back' | 'test';

const LISTEN_CODES = new Set(['EADDRINUSE', 'EADDRNOTAVAIL', 'EACCES', 'EAFNOSUPPORT']);

/** What crosses to the supervisor of an error that `Runtime.stage` or the canary ended with. */
export function faultOf(error: unknown): StageFault {
  if (!(error instanceof Error)) return { kind: 'worker', source: null, message: String(error) };
  const { source, plugin } = error as { source?: unknown; plugin?: unknown };
  return {
    kind: kindOf(error),
    source: typeof source === 'string' && source.includes(':') ? source : null,
    message: error.message,
    ...(typeof plugin === 'string' ? { plugin } : {}),
  };
}

function kindOf(error: Error): FaultKind {
  if (error.message.includes('CPU budget of')) return 'time';
  for (let cause: unknown = error; cause instanceof Error; cause = cause.cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (code !== undefined && LISTEN_CODES.has(code)) return 'listen';
    if (cause.name === 'ModuleError') return 'module';
    if (cause.name === 'PluginStartError') return 'plugin';
  }
  if (error.message.startsWith('cannot listen on ')) return 'listen';
  return (error as { plugin?: unknown }).plugin == null ? 'worker' : 'plugin';
}
