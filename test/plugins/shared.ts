// Shared data and queues from several instances at once: what a request asks for is its path. The plugin that is
// configured as `receiver` takes the items that the others send.
export * from '@weir/filters-sdk/assembly/exports';
import {
  Action,
  RootContext,
  StreamContext,
  compareAndSetShared,
  dequeue,
  enqueue,
  getShared,
  registerQueue,
  registerRoot,
  replyWith,
  requestHeader,
  resolveQueue,
  sharedVersion,
} from '@weir/filters-sdk/assembly';

/** The first to set a key finds none: a version that is no key's own writes where it is still not there. */
const NONE: u32 = 0xffff_ffff;

/** Adds one, again where another was faster. */
function increment(key: string): i64 {
  let next: i64 = 0;
  let version: u32 = NONE;
  do {
    const known = getShared(key);
    next = (known === null ? 0 : known.toUnsigned()) + 1;
    version = known === null ? NONE : sharedVersion();
  } while (!compareAndSetShared(key, next.toString(), version));
  return next;
}

class SharedRoot extends RootContext {
  onConfigure(configuration: ArrayBuffer): bool {
    if (String.UTF8.decode(configuration) == 'receiver') registerQueue('jobs');
    return true;
  }

  onQueueReady(queue: u32): void {
    for (let item = dequeue(queue); item !== null; item = dequeue(queue)) increment('job/' + item.toString());
  }

  createStream(): StreamContext {
    return new Shared();
  }
}

class Shared extends StreamContext {
  onRequestHeaders(_count: i32, _endOfStream: bool): Action {
    const path = requestHeader(':path')!.toString();
    if (path == '/count') return replyWith(200, increment('count').toString());
    if (path.startsWith('/send/'))
      return replyWith(enqueue(resolveQueue('receiver', 'jobs'), path.substring(6)) ? 200 : 503, '');
    if (path.startsWith('/job/')) {
      const times = getShared(path.substring(1));
      return replyWith(200, times === null ? '0' : times.toString());
    }
    if (path == '/trap') throw new Error('on purpose');
    return Action.Continue;
  }
}

registerRoot(new SharedRoot());
