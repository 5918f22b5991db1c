import type { ExplainRequest } from '../control/explain-request.ts';
import { ALL_BODIES, type TapRequest } from '../control/tap-request.ts';
import { EXPLAIN_FIELD, signToken } from '../explain/token.ts';
import { RECORDING_VERSION } from '../runtime/wasm/tap/record.ts';
import type { ToWorker } from '../worker/protocol.ts';

/** What somebody wants to see of requests, in all workers: a tap, or explanations. */
export interface Watch {
  /** In the log: `a tap`, and what is told of it. */
  readonly title: string;
  readonly about: object;
  /** Requests, at most. */
  readonly count: number;
  /** Milliseconds. */
  readonly limitMs: number;
  readonly limitBytes: number;
  /** With lines, of all workers. */
  readonly mostMessages: number;
  /** Has a worker choose streams. */
  message(id: number): ToWorker;
  /** The first line: the reader may rely on it from then on. */
  firstLine(id: number): object;
}

/** @param version of weir */
export function tapWatch({ spec, limitMs, limitBytes }: TapRequest, version: string): Watch {
  const { filters, path, keepSecrets, count, bodyBytes } = spec;
  return {
    title: 'a tap',
    about: { filters, path, keepSecrets },
    count,
    limitMs,
    limitBytes,
    mostMessages: Infinity,
    message: (id) => ({ type: 'tap', id, spec }),
    firstLine: () => ({
      type: 'recording',
      version: RECORDING_VERSION,
      weir: version,
      filters,
      began: new Date().toISOString(),
      secrets: keepSecrets ? 'kept' : 'redacted',
      bodies: bodyBytes === ALL_BODIES ? null : bodyBytes,
    }),
  };
}

export function explainWatch({ spec, limitMs }: ExplainRequest): Watch {
  const until = Date.now() + limitMs;
  const key = Buffer.from(spec.key, 'base64');
  return {
    title: 'explaining requests',
    about: { count: spec.count },
    count: spec.count,
    limitMs,
    limitBytes: Infinity,
    // One for each explanation.
    mostMessages: spec.count,
    message: (id) => ({ type: 'explain', id, spec }),
    firstLine: (id) => ({ type: 'token', field: EXPLAIN_FIELD, token: signToken(id, until, key) }),
  };
}
