import { out } from './arena';
import { LimitDecision } from './limit-decision';
import { now } from './log';
import { utf8 } from './bytes';
import { getShared, setShared } from './shared';
import { ByteWriter } from './writer';

// Limits counted in shared data, for hosts that do not count themselves. The arithmetic is that of weir
// (src/runtime/limit.ts): a key owes units, of which a request costs `periodMs`. All are whole numbers, so nothing
// is rounded in anybody's favour.

const PREFIX = utf8('weir.limit\0');
/** Other VMs may get in between; after so many of them the request is denied. */
const ATTEMPTS = 16;
const RECORD_SIZE = 24;
const FIXED_WINDOW = 2;
const SLIDING_WINDOW = 3;
const CONCURRENCY = 4;
const PEEK = 1;
const CHARGE = 2;

let keyWriter: ByteWriter | null = null;
/** As stored: u64 units used, u64 those of the window before, u64 milliseconds since 1970 at which they were. */
const record = memory.data(RECORD_SIZE, 8);
/** Version of what `read` found; 0: nothing. */
let version: u32 = 0;

/**
 * @param start arguments of `weir.limit_take`, key behind them
 * @param into where remaining, limit, resetMs and retryAfterMs go
 * @returns 0 denied, 1 allowed
 */
export function takeShared(start: usize, size: i32, into: LimitDecision): u32 {
  const algorithm = load<u8>(start);
  const call = load<u8>(start, 2);
  const requests = <u64>load<u32>(start, 4);
  const periodMs = <u64>load<u32>(start, 8);
  const burst = <u64>load<u32>(start, 12);
  const most: u64 = burst > 0 ? burst : algorithm == 1 ? (requests + periodMs - 1) / periodMs : requests;
  const capacity = most * periodMs;
  const wanted = <u64>load<u32>(start, 16) * periodMs;
  const key = keyOf(start, size);

  let owed: u64 = 0;
  let fits = false;
  let done = false;
  for (let i = 0; i < ATTEMPTS && !done; i++) {
    read(key, start);
    owed = owedNow(algorithm, periodMs);
    fits = call == CHARGE || owed + wanted <= capacity;
    if (!fits || call == PEEK) break;
    store<u64>(record, load<u64>(record) + wanted);
    done = setShared(key.view(), record, RECORD_SIZE, version);
  }
  const allowed = fits && (done || call == PEEK);
  if (done) owed += wanted;

  into.remaining = owed < capacity ? <u32>((capacity - owed) / periodMs) : 0;
  into.limit = <u32>most;
  into.resetMs = untilNothing(algorithm, requests, periodMs, owed);
  into.retryAfterMs = allowed ? 0 : max(1, untilRoom(algorithm, requests, periodMs, owed, wanted, capacity));
  return <u32>allowed;
}

/** Undoes `takeShared`. @param takenAt milliseconds since 1970 */
export function giveBackShared(start: usize, size: i32, takenAt: u64): void {
  const algorithm = load<u8>(start);
  const periodMs = <u64>load<u32>(start, 8);
  const units = <u64>load<u32>(start, 16) * periodMs;
  const key = keyOf(start, size);
  for (let i = 0; i < ATTEMPTS; i++) {
    read(key, start);
    let at = record;
    if (algorithm == FIXED_WINDOW || algorithm == SLIDING_WINDOW) {
      const turns = load<u64>(record, 16) / periodMs - takenAt / periodMs;
      if (turns > 1 || (turns == 1 && algorithm == FIXED_WINDOW)) return;
      if (turns == 1) at = record + 8;
    }
    const used = load<u64>(at);
    store<u64>(at, used > units ? used - units : 0);
    if (setShared(key.view(), record, RECORD_SIZE, version)) return;
  }
}

export function millisecondsNow(): u64 {
  return <u64>(now() / 1000000);
}

/** All that tells limits apart, and their key: limits that differ do not share one. */
function keyOf(start: usize, size: i32): ByteWriter {
  if (keyWriter === null) keyWriter = new ByteWriter(128);
  const key = keyWriter!.clear().add<ArrayBuffer>(PREFIX);
  const head = key.reserve(16);
  memory.copy(head, start, 16);
  // What is asked for, and what would be answered.
  store<u16>(head, 0, 2);
  memory.copy(key.reserve(size - 20), start + 20, size - 20);
  return key;
}

/** Fills `record` with what was used of a limit, as it is now. */
function read(key: ByteWriter, start: usize): void {
  const algorithm = load<u8>(start);
  const requests = <u64>load<u32>(start, 4);
  const periodMs = <u64>load<u32>(start, 8);
  const known = getShared(key.view());
  version = known === null ? 0 : load<u32>(out, 8);
  const nowMs = millisecondsNow();
  memory.fill(record, 0, RECORD_SIZE);
  if (known !== null && known.length == RECORD_SIZE) memory.copy(record, known.start, RECORD_SIZE);
  const then = load<u64>(record, 16);
  if (nowMs <= then) return;
  store<u64>(record, nowMs, 16);
  if (algorithm == CONCURRENCY) return;
  const used = load<u64>(record);
  if (algorithm == FIXED_WINDOW || algorithm == SLIDING_WINDOW) {
    const turns = nowMs / periodMs - then / periodMs;
    if (turns == 0) return;
    store<u64>(record, turns == 1 && algorithm == SLIDING_WINDOW ? used : 0, 8);
    store<u64>(record, 0);
    return;
  }
  const back = (nowMs - then) * requests;
  store<u64>(record, used > back ? used - back : 0);
}

function untilTurn(periodMs: u64): u64 {
  return periodMs - (load<u64>(record, 16) % periodMs);
}

/** What counts against the limit. */
function owedNow(algorithm: u8, periodMs: u64): u64 {
  const used = load<u64>(record);
  if (algorithm != SLIDING_WINDOW) return used;
  return used + (load<u64>(record, 8) / periodMs) * untilTurn(periodMs);
}

function untilNothing(algorithm: u8, requests: u64, periodMs: u64, owed: u64): u32 {
  if (owed == 0 || algorithm == CONCURRENCY) return 0;
  if (algorithm == FIXED_WINDOW) return <u32>untilTurn(periodMs);
  if (algorithm == SLIDING_WINDOW) {
    return <u32>(untilTurn(periodMs) + (load<u64>(record) > 0 ? periodMs : 0));
  }
  return <u32>over(owed, requests);
}

// What asks for more than there can ever be is told to come back when all of it is there.
function untilRoom(algorithm: u8, requests: u64, periodMs: u64, owed: u64, wanted: u64, capacity: u64): u32 {
  if (algorithm == CONCURRENCY) return 1;
  const turn = untilTurn(periodMs);
  if (algorithm == FIXED_WINDOW) return <u32>turn;
  const missing = owed + wanted > capacity ? owed + wanted - capacity : 0;
  if (algorithm != SLIDING_WINDOW) return <u32>over(min(missing, owed), requests);
  if (wanted > capacity) return untilNothing(algorithm, requests, periodMs, owed);
  const used = load<u64>(record);
  if (used + wanted <= capacity) return <u32>over(missing, load<u64>(record, 8) / periodMs);
  return <u32>(turn + over(used + wanted - capacity, used / periodMs));
}

/** Rounded up. */
function over(units: u64, pace: u64): u64 {
  return pace == 0 ? 0 : (units + pace - 1) / pace;
}
