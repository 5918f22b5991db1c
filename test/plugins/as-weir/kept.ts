// Shared data by the SDK's own functions, with what they fall back to where the host has none of them.
import {
  Action,
  Bytes,
  StreamContext,
  getShared,
  requestHeader,
  requestHeaders,
  utf8,
} from '@weir/filters-sdk/assembly';
import {
  Counted,
  SharedChange,
  addShared,
  deleteShared,
  setSharedFor,
  sharedKeys,
} from '@weir/filters-sdk/assembly/counters';

class Append extends SharedChange {
  asked: i32 = 0;

  constructor(private text: string) {
    super();
  }

  next(current: Bytes | null): ArrayBuffer {
    // Another is faster, the first time.
    if (this.asked++ == 0) setSharedFor('list', 'x', 0);
    return utf8((current === null ? '' : current.toString()) + this.text);
  }
}

export class Counters extends StreamContext {
  onRequestHeaders(count: i32, endOfStream: bool): Action {
    const key = requestHeader(':path')!.toString();
    const first: Counted = addShared(key, 5)!;
    const second = addShared(key, -2, 60_000)!;
    requestHeaders.set('x-counted', first.value.toString() + ' ' + second.value.toString());

    setSharedFor('list', 'old', 0);
    const append = new Append('a');
    const appended = append.apply('list');
    const list = getShared('list')!.toString();
    requestHeaders.set('x-changed', [appended, append.asked == 2].toString() + ' ' + list);

    const set = setSharedFor('kept', 'value', 60_000);
    const known = getShared('kept')!.equals('value');
    requestHeaders.set('x-kept', [set, known].toString());

    const keys = sharedKeys('ke');
    let names = 'none';
    if (keys !== null) for (names = ''; keys.next();) names += keys.name.toString();
    const removed = deleteShared('kept');
    requestHeaders.set('x-weir-alone', names + ' ' + [removed, deleteShared('kept')].toString());
    return Action.Continue;
  }
}
