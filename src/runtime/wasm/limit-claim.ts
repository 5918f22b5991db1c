import type { Decision, Ledger, LedgerWaiter } from '../ledger.ts';
import {
  LimitCall,
  LimitScope,
  MOST_LIMITS,
  OnLimitFailure,
  type LimitArguments,
  type LimitPart,
} from './limit-arguments.ts';
import type { Plugin } from './plugin.ts';
import type { RootContext } from './root.ts';

const LimitState = { Denied: 0, Allowed: 1, Pending: 2, Unavailable: 3 } as const;
const HEAD_BYTES = 4;
const RECORD_BYTES = 16;

/** Bytes of the answer to a call that names so many limits. */
export function answerBytes(limits: number): number {
  return HEAD_BYTES + limits * RECORD_BYTES;
}

/** A place under a limit of concurrency, until its stream is over. */
export class LimitHold {
  readonly #ledger: Ledger;
  readonly #key: string;
  readonly #part: LimitPart;
  readonly #at: number;

  constructor(ledger: Ledger, key: string, part: LimitPart, at: number) {
    this.#ledger = ledger;
    this.#key = key;
    this.#part = part;
    this.#at = at;
  }

  release(): void {
    this.#ledger.giveBack(this.#key, this.#part.cost, this.#part.limit, this.#at);
  }
}

/** Counts the claims of one instance whose answers are still to come, and numbers them. */
export class PendingLimits {
  size = 0;
  /** Used by call after call, until an answer has to be waited for. */
  spare: Claim | null = null;
  #ticket = 0;

  nextTicket(): number {
    // The two highest bits tell answers of other functions apart.
    this.#ticket = this.#ticket === 0x3fff_ffff ? 1 : this.#ticket + 1;
    return this.#ticket;
  }
}

/** All limits of one call: either all of them admit, and all are charged, or none is. */
export class Claim implements LedgerWaiter {
  readonly answer = new Uint8Array(answerBytes(MOST_LIMITS));
  readonly #words = new DataView(this.answer.buffer);
  /** Limits whose answers are still to come, one bit each. */
  missing = 0;
  /** One limit has refused, or could not be asked. */
  #refused = false;
  #plugin!: Plugin;
  #parts!: LimitArguments['parts'];
  /** By limit: who was asked. */
  readonly #ledgers = new Array<Ledger | null>(MOST_LIMITS).fill(null);
  /** By limit: where it was taken and not given back; else null. */
  readonly #taken = new Array<Ledger | null>(MOST_LIMITS).fill(null);
  readonly #takenAt = new Float64Array(MOST_LIMITS);
  // Of one that waits.
  #pending: PendingLimits | null = null;
  #root: RootContext | null = null;
  #contextId = 0;
  #ticket = 0;

  /** Asks for all of them. `missing` and `answer` say what came of it. */
  begin(plugin: Plugin, parts: LimitArguments['parts']): void {
    this.missing = 0;
    this.#refused = false;
    this.#plugin = plugin;
    this.#parts = parts;
    this.#clear();
    for (let i = 0; i < parts.length; i++) this.#taken[i] = null;
    for (let i = 0; i < parts.length && !this.#refused; i++)
      this.#ask(i, parts[i]!.scope === LimitScope.Cluster ? plugin.store!.limits : plugin.host.ledger);
    if (!this.#refused) this.answer[0] = this.missing !== 0 ? LimitState.Pending : LimitState.Allowed;
  }

  /**
   * Answers that come tell the guest of the outcome.
   *
   * @returns the ticket that it will know it by; 0 where there is an outcome already
   */
  wait(pending: PendingLimits, root: RootContext, contextId: number): number {
    pending.size++;
    this.#pending = pending;
    this.#root = root;
    this.#contextId = contextId;
    if (!this.#refused) this.#ticket = pending.nextTicket();
    return this.#ticket;
  }

  decided(index: number, decision: Decision): void {
    if ((this.missing & (1 << index)) === 0) return;
    this.missing ^= 1 << index;
    const told = this.#refused;
    this.#settle(index, decision);
    if (this.missing === 0) this.#pending!.size--;
    if (told) return;
    if (this.#refused) this.#tell();
    else if (this.missing === 0) {
      this.answer[0] = LimitState.Allowed;
      this.#tell();
    }
  }

  /** What is taken of limits of concurrency; the others' is used up. Null: nothing. */
  holds(): LimitHold[] | null {
    let holds: LimitHold[] | null = null;
    for (let i = 0; i < this.#parts.length; i++) {
      const part = this.#parts[i]!;
      const ledger = this.#taken[i]!;
      if (!part.isConcurrency || ledger === null) continue;
      (holds ??= []).push(new LimitHold(ledger, part.keyOf(this.#plugin), part, this.#takenAt[i]!));
    }
    return holds;
  }

  #ask(index: number, ledger: Ledger): void {
    const part = this.#parts[index]!;
    this.#ledgers[index] = ledger;
    const key = part.keyOf(this.#plugin);
    if (part.call === LimitCall.Charge) {
      ledger.charge(key, part.cost, part.limit);
      return;
    }
    const decision =
      part.call === LimitCall.Take
        ? ledger.take(key, part.cost, part.limit, this, index)
        : ledger.peek(key, part.cost, part.limit, this, index);
    if (decision === null) this.missing |= 1 << index;
    else this.#settle(index, decision);
  }

  #settle(index: number, decision: Decision): void {
    const part = this.#parts[index]!;
    if (decision.failed && !this.#refused && this.#doWithout(index, part)) return;
    if (!decision.allowed) {
      if (!this.#refused) this.#refuse(index, decision);
      return;
    }
    if (part.call === LimitCall.Take) {
      this.#taken[index] = this.#ledgers[index]!;
      this.#takenAt[index] = decision.at;
    }
    if (this.#refused) this.#giveBack(index);
    else this.#write(index, decision);
  }

  /** Nobody could be asked. False: that is a refusal. */
  #doWithout(index: number, { onFailure }: LimitPart): boolean {
    if (onFailure === OnLimitFailure.Allow) return true;
    const { ledger } = this.#plugin.host;
    if (onFailure !== OnLimitFailure.Node || this.#ledgers[index] === ledger) return false;
    this.#ask(index, ledger);
    return true;
  }

  #refuse(index: number, decision: Decision): void {
    this.#refused = true;
    for (let i = 0; i < this.#parts.length; i++) this.#giveBack(i);
    this.#clear();
    this.answer[0] = decision.failed ? LimitState.Unavailable : LimitState.Denied;
    this.#write(index, decision);
  }

  #giveBack(index: number): void {
    const ledger = this.#taken[index]!;
    if (ledger === null) return;
    this.#taken[index] = null;
    const part = this.#parts[index]!;
    ledger.giveBack(part.keyOf(this.#plugin), part.cost, part.limit, this.#takenAt[index]!);
  }

  #tell(): void {
    const root = this.#root!;
    const context = root.vm.dead ? null : root.vm.contexts.get(this.#contextId);
    const holds = this.#refused ? null : this.holds();
    if (context !== null && context.stream !== null) {
      if (holds !== null) context.hold(holds);
    } else if (holds !== null) for (const hold of holds) hold.release();
    const data = new Uint8Array(this.answer.subarray(0, answerBytes(this.#parts.length)));
    root.onForeignFunction(this.#contextId, this.#ticket, data);
  }

  #clear(): void {
    // A call of `fill` costs more.
    for (let at = answerBytes(this.#parts.length) - 4; at >= 0; at -= 4) this.#words.setUint32(at, 0);
  }

  #write(index: number, decision: Decision): void {
    const words = this.#words;
    const at = HEAD_BYTES + index * RECORD_BYTES;
    words.setUint32(at, decision.remaining, true);
    words.setUint32(at + 4, decision.limit, true);
    words.setUint32(at + 8, Math.ceil(decision.resetMs), true);
    words.setUint32(at + 12, Math.ceil(decision.retryAfterMs), true);
  }
}
