import type { FaultKind, StageFault } from './protocol.ts';

const LISTEN_CODES = new Set(['EADDRINUSE', 'EADDRNOTAVAIL', 'EACCES', 'EAFNOSUPPORT']);

/** What crosses to the supervisor of an error that `Runtime.stage` or the canary ended with. */
export function faultOf(error: unknown): StageFault {
  if (!(error instanceof Error)) return { kind: 'worker', source: null, message: String(error) };
  const { source } = error as { source?: unknown };
  return {
    kind: kindOf(error),
    source: typeof source === 'string' && source.includes(':') ? source : null,
    message: error.message,
  };
}

function kindOf(error: Error): FaultKind {
  for (let cause: unknown = error; cause instanceof Error; cause = cause.cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (code !== undefined && LISTEN_CODES.has(code)) return 'listen';
    if (cause.name === 'ModuleError') return 'module';
    if (cause.name === 'PluginStartError') return 'plugin';
  }
  return (error as { plugin?: unknown }).plugin === undefined ? 'worker' : 'plugin';
}
