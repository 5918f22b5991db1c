import { Status } from './abi.ts';
import type { ForeignResult } from './foreign-result.ts';
import { PASSWORD_BYTES, PASSWORDS_AT_ONCE, PASSWORDS_WAITING } from './limits.ts';
import { writeU32 } from './pairs.ts';
import { isPassword, parsePasswordHash, type PasswordHash } from './password-hash.ts';
import type { RootContext } from './root.ts';
import type { Vm } from './vm.ts';

/** Tickets of passwords have this bit; those of limits are below it, those of quotas have the one above. */
const TICKET = 0x4000_0000;
const State = { Wrong: 0, Right: 1, Pending: 2, Busy: 3 } as const;

/** A check that somebody waits for. */
interface Check {
  readonly password: Buffer;
  readonly hash: PasswordHash;
  readonly root: RootContext;
  readonly contextId: number;
  readonly ticket: number;
}

/** Hashes of configurations, read once; null: it is none. */
const hashes = new Map<string, PasswordHash | null>();
const KEPT_HASHES = 4096;

// Of the worker: a flood of wrong passwords must leave libuv's threads to others, and time to this one.
const queue: Check[] = [];
const running = new Set<Promise<void>>();
let lastTicket = 0;

/**
 * `weir.verify_password`: whether a password is the one of a hash. What it costs is done by another thread, a few at a
 * time; where too many wait already it is refused.
 */
export function verifyPassword(
  vm: Vm,
  memory: Uint8Array,
  start: number,
  end: number,
  result: ForeignResult,
): Status {
  const bytes = Buffer.from(memory.subarray(start, end));
  const size = bytes.length >= 4 ? bytes.readUInt32LE(0) : -1;
  if (size < 0 || 4 + size > bytes.length || bytes.length - 4 - size > PASSWORD_BYTES)
    return Status.BadArgument;
  const hash = hashOf(bytes.toString('latin1', 4, 4 + size));
  if (hash === null || vm.effective === null) {
    vm.plugin.warnOnce('weir.verify_password: the hash is not in its form');
    return Status.BadArgument;
  }
  result.length = 8;
  result.small.fill(0, 0, 8);
  if (queue.length >= PASSWORDS_WAITING) {
    result.small[0] = State.Busy;
    return Status.Ok;
  }
  lastTicket = (lastTicket + 1) & (TICKET - 1);
  const ticket = lastTicket | TICKET;
  queue.push({ password: bytes.subarray(4 + size), hash, root: vm.root, contextId: vm.effective.id, ticket });
  // Not before the callback has returned: the answer must find the guest waiting.
  setImmediate(runNext);
  result.small[0] = State.Pending;
  writeU32(result.small, 4, ticket);
  return Status.Ok;
}

function runNext(): void {
  while (running.size < PASSWORDS_AT_ONCE) {
    const check = queue.shift();
    if (check === undefined) return;
    // A client that has left takes its question with it.
    if (check.root.vm.dead || check.root.vm.contexts.get(check.contextId) === null) continue;
    const work = answer(check).finally(() => {
      running.delete(work);
      runNext();
    });
    running.add(work);
  }
}

async function answer({ password, hash, root, contextId, ticket }: Check): Promise<void> {
  const right = await isPassword(password, hash).catch(() => false);
  const data = new Uint8Array(8);
  data[0] = right ? State.Right : State.Wrong;
  root.onForeignFunction(contextId, ticket, data);
}

/** Passwords that are being looked at: each is settled when its filter has been told. */
export function passwordsAtWork(): ReadonlySet<Promise<void>> {
  return running;
}

function hashOf(text: string): PasswordHash | null {
  let hash = hashes.get(text);
  if (hash === undefined) {
    if (hashes.size >= KEPT_HASHES) hashes.clear();
    hashes.set(text, (hash = parsePasswordHash(text)));
  }
  return hash;
}
