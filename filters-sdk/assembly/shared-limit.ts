import { out } from './arena';
import { utf8 } from './bytes';
import { now } from './log';
import { getShared, setShared } from './shared';
import { ByteWriter } from './writer';

// Limits counted in shared data, for hosts that do not count themselves. The arithmetic is that of weir
// (src/runtime/limit.ts): a key owes units, of which a request costs `periodMs` and each millisecond gives
// `requests` back. All are whole numbers, so nothing is rounded in anybody's favour.

const PREFIX = utf8('weir.limit\0');
/** Other VMs may get in between; after so many of them the request is denied. */
const ATTEMPTS = 16;

let keyWriter: ByteWriter | null = null;
/** As stored: u64 units owed, u64 milliseconds since 1970 at which they were. */
const record = memory.data(16, 8);

/**
 * @param start arguments of `weir.limit_take`, key behind them
 * @param answer 20 bytes, filled as `weir.limit_take` does
 * @returns 0 denied, 1 allowed
 */
export function takeShared(start: usize, size: i32, answer: usize): u32 {
  const algorithm = load<u8>(start);
  const requests = <u64>load<u32>(start, 4);
  const periodMs = <u64>load<u32>(start, 8);
  const burst = <u64>load<u32>(start, 12);
  const cost = <u64>load<u32>(start, 16);
  const most: u64 = burst > 0 ? burst : algorithm == 1 ? 1 : requests;
  const capacity = most * periodMs;
  const wanted = cost * periodMs;

  if (keyWriter === null) keyWriter = new ByteWriter(128);
  // The whole argument but the cost: limits that differ do not share a key.
  const key = keyWriter!.clear().add<ArrayBuffer>(PREFIX);
  memory.copy(key.reserve(16), start, 16);
  memory.copy(key.reserve(size - 20), start + 20, size - 20);

  let debt: u64 = 0;
  let allowed = false;
  for (let i = 0; i < ATTEMPTS && !allowed; i++) {
    const nowMs = <u64>(now() / 1000000);
    const known = getShared(key.view());
    const cas = load<u32>(out, 8);
    debt = 0;
    if (known !== null && known.length == 16) {
      debt = load<u64>(known.start);
      const then = load<u64>(known.start, 8);
      const back = nowMs > then ? (nowMs - then) * requests : 0;
      debt = debt > back ? debt - back : 0;
    }
    if (debt + wanted > capacity) break;
    store<u64>(record, debt + wanted);
    store<u64>(record, nowMs, 8);
    allowed = setShared(key.view(), record, 16, known === null ? 0 : cas);
  }
  if (allowed) debt += wanted;

  store<u32>(answer, <u32>allowed);
  store<u32>(answer, debt < capacity ? <u32>((capacity - debt) / periodMs) : 0, 4);
  store<u32>(answer, <u32>most, 8);
  store<u32>(answer, <u32>((debt + requests - 1) / requests), 12);
  const over = debt + wanted > capacity ? debt + wanted - capacity : 0;
  const missing = min(over, debt);
  const retry = <u32>((missing + requests - 1) / requests);
  store<u32>(answer, allowed ? 0 : max(1, retry), 16);
  return <u32>allowed;
}
