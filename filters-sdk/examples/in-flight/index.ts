// Shared data with compare-and-set: at most so many requests of one tenant at a time, over all workers.
export * from '@weir/filters-sdk/assembly/exports';
import {
  Action,
  ByteWriter,
  Reply,
  RootContext,
  StreamContext,
  compareAndSetShared,
  getShared,
  registerRoot,
  requestHeaders,
  sharedVersion,
  utf8,
} from '@weir/filters-sdk/assembly';
import { readConfig } from '@weir/filters-sdk/assembly/config';

const ATTEMPTS = 16;
const busy = Reply.problem(429, 'Too Many Requests', 'too many at a time', 'in_flight');

const key = new ByteWriter(128);
const number = new ByteWriter(4);

class InFlightRoot extends RootContext {
  header: ArrayBuffer = new ArrayBuffer(0);
  most: i32 = 0;

  onConfigure(configuration: ArrayBuffer): bool {
    const config = readConfig(configuration);
    this.header = config.text('header', utf8('x-tenant'));
    this.most = <i32>config.integer('most', 1, 1_000_000, 0);
    return config.end();
  }

  createStream(): StreamContext {
    return new InFlight(this);
  }
}

class InFlight extends StreamContext {
  /** Whose place it has taken; empty for none. */
  private tenant: ArrayBuffer = new ArrayBuffer(0);

  constructor(private root: InFlightRoot) {
    super();
  }

  onRequestHeaders(_count: i32, _endOfStream: bool): Action {
    const tenant = requestHeaders.get(this.root.header);
    if (tenant === null || tenant.length == 0) return Action.Continue;
    const kept = tenant.copy();
    if (!change(kept, 1, this.root.most)) return busy.send();
    this.tenant = kept;
    return Action.Continue;
  }

  /** Comes once for each stream, however it ended. */
  onDone(): void {
    if (this.tenant.byteLength > 0) change(this.tenant, -1, i32.MAX_VALUE);
  }
}

/** Adds to a tenant's number where that leaves it at most `most`. Another worker may be faster: then it looks again. */
function change(tenant: ArrayBuffer, by: i32, most: i32): bool {
  for (let i = 0; i < ATTEMPTS; i++) {
    key.clear().add('in-flight ').add(tenant);
    const found = getShared(key.view());
    const before = found === null ? 0 : load<i32>(found.start);
    const after = max(before + by, 0);
    if (after > most) return false;
    // The version that was read; 0 would overwrite whatever another has written.
    const version = found === null ? 0 : sharedVersion();
    if (compareAndSetShared(key.view(), number.clear().addU32(after).view(), version)) return true;
  }
  return false;
}

registerRoot(new InFlightRoot());
