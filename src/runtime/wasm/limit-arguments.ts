import { createHash } from 'node:crypto';
import { ALGORITHMS, capacityFits, isWindowed, type Limit } from '../limit.ts';
import { Interner } from './intern.ts';
import type { Plugin } from './plugin.ts';

/** Who counts together. */
export const LimitScope = { Worker: 0, Node: 1, Cluster: 2 } as const;
export const LimitCall = { Take: 0, Peek: 1, Charge: 2 } as const;
/** What is answered where nobody can be asked. */
export const OnLimitFailure = { Refuse: 0, Allow: 1, Node: 2 } as const;

/** Limits that one call may name. */
export const MOST_LIMITS = 8;
const HEAD_BYTES = 20;
/** Of these, several fit: a limit and its key are seldom more than 100 bytes. */
const KEPT_BYTES = 512;
/** A longer key counts under its digest: clients choose keys, and the ledger keeps very many. */
const KEY_BYTES = 128;

/** One limit that a guest asks for. */
export class LimitPart {
  readonly valid: boolean;
  readonly limit: Limit;
  readonly cost: number;
  /** Of {@link LimitCall}. */
  readonly call: number;
  /** Of {@link OnLimitFailure}. */
  readonly onFailure: number;
  /** Of {@link LimitScope}. */
  readonly scope: number;
  readonly #text: string;
  // Not the plugin itself: these live longer than one.
  #owner = '';
  #key = '';

  constructor(bytes: Buffer) {
    const whole = bytes.length > HEAD_BYTES;
    const byte = (at: number): number => (whole ? bytes[at]! : 0);
    const word = (at: number): number => (whole ? bytes.readUInt32LE(at) : 0);
    const algorithm = ALGORITHMS[byte(0)];
    this.scope = byte(1);
    this.call = byte(2);
    this.onFailure = byte(3);
    this.limit = {
      algorithm: algorithm ?? 'token-bucket',
      requests: word(4),
      periodMs: word(8),
      burst: word(12),
    };
    this.cost = word(16);
    this.valid =
      algorithm !== undefined &&
      this.scope <= LimitScope.Cluster &&
      this.call <= LimitCall.Charge &&
      this.onFailure <= OnLimitFailure.Node &&
      isCountable(this.limit);
    this.#text = keyText(bytes.subarray(HEAD_BYTES));
  }

  get isConcurrency(): boolean {
    return this.limit.algorithm === 'concurrency';
  }

  /** Keys of two plugins never meet. */
  keyOf({ spec, host }: Plugin): string {
    if (this.#owner !== spec.name) {
      const place = this.scope === LimitScope.Worker ? `${spec.name}\0${host.workerId}\0` : `${spec.name}\0`;
      this.#key = place + this.#text;
      this.#owner = spec.name;
    }
    return this.#key;
  }
}

function keyText(bytes: Buffer): string {
  if (bytes.length <= KEY_BYTES) return bytes.toString('latin1');
  return `sha256 ${createHash('sha256').update(bytes).digest().toString('latin1')}`;
}

/** All its arithmetic is in whole numbers below 2^53. */
function isCountable(limit: Limit): boolean {
  const { requests, periodMs, burst, algorithm } = limit;
  if (requests === 0 || periodMs === 0) return false;
  if (burst > 0 && (isWindowed(limit) || algorithm === 'concurrency')) return false;
  if (algorithm === 'concurrency' && periodMs !== 1) return false;
  return capacityFits(requests, burst, periodMs);
}

/** What one call asks for, read once for all calls that ask the same. */
export class LimitArguments {
  readonly parts: readonly LimitPart[];
  readonly valid: boolean;
  /** Something of it is held until the stream is over. */
  readonly holds: boolean;

  constructor(parts: readonly LimitPart[]) {
    this.parts = parts;
    this.holds = parts.some(({ isConcurrency }) => isConcurrency);
    this.valid = parts.length > 0 && parts.length <= MOST_LIMITS && parts.every(({ valid }) => valid);
  }
}

/** Of `weir.limit_take`. */
export const oneLimit = new Interner((bytes) => new LimitArguments([new LimitPart(bytes)]), KEPT_BYTES);

/** Of `weir.limits_take`: each with its size before it. */
export const someLimits = new Interner((bytes) => {
  const parts: LimitPart[] = [];
  let at = 0;
  while (at + 4 <= bytes.length && parts.length <= MOST_LIMITS) {
    const end = at + 4 + bytes.readUInt32LE(at);
    if (end > bytes.length) return new LimitArguments([]);
    parts.push(new LimitPart(bytes.subarray(at + 4, end)));
    at = end;
  }
  return new LimitArguments(at === bytes.length ? parts : []);
}, KEPT_BYTES);
