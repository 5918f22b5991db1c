import {
  Action,
  Bytes,
  LogLevel,
  StreamContext,
  encode,
  log,
  now,
  property,
  requestHeader,
  requestHeaders,
  responseHeaders,
  setProperty,
} from '@weir/filters-sdk/assembly';
import { proxy_call_foreign_function } from '@weir/filters-sdk/assembly/env';

export class Properties extends StreamContext {
  private path: string = '';

  private get value(): string {
    const bytes = property(this.path);
    if (bytes === null) return 'none';
    let hex = '';
    for (let i = 0; i < bytes.length; i++) hex += bytes.at(i).toString(16).padStart(2, '0');
    return hex;
  }

  onRequestHeaders(count: i32, endOfStream: bool): Action {
    const path = requestHeader('x-property');
    if (path !== null) this.path = path.toString();
    setProperty('note', 'written');
    requestHeaders.set('x-value', this.value);
    return Action.Continue;
  }

  onResponseHeaders(count: i32, endOfStream: bool): Action {
    responseHeaders.set('x-value', this.value);
    const note = property('note');
    responseHeaders.set('x-note', note === null ? 'none' : note.toString());
    return Action.Continue;
  }

  onLog(): void {
    log(LogLevel.Info, this.path + ' = ' + this.value);
  }
}

export class Logs extends StreamContext {
  onRequestHeaders(count: i32, endOfStream: bool): Action {
    log(LogLevel.Trace, 'at trace');
    log(LogLevel.Debug, 'at debug');
    log(LogLevel.Info, 'at info');
    log(LogLevel.Warn, 'at warn');
    log(LogLevel.Error, 'at error');
    log(LogLevel.Critical, 'at critical');
    return Action.Continue;
  }
}

const out = memory.data(8);

/** The SDK names the functions that it knows itself; others are called like this. */
function foreign(name: string, args: Bytes): i32 {
  const bytes = encode(name);
  return proxy_call_foreign_function(bytes.start, bytes.length, args.start, args.length, out, out + 4);
}

export class Foreign extends StreamContext {
  onRequestHeaders(count: i32, endOfStream: bool): Action {
    const words = encode('hello hello hello hello hello hello');
    let same = foreign('compress', words) == 0;
    same = same && foreign('uncompress', Bytes.of(load<usize>(out), load<i32>(out, 4))) == 0;
    same = same && Bytes.of(load<usize>(out), load<i32>(out, 4)).equals(words);
    requestHeaders.set('x-compress', same ? 'ok' : 'wrong');
    requestHeaders.set('x-unknown', foreign('no such function', Bytes.of(0, 0)).toString());
    return Action.Continue;
  }
}

export class Clock extends StreamContext {
  onRequestHeaders(count: i32, endOfStream: bool): Action {
    requestHeaders.set('x-clock', now() > 1_600_000_000_000_000_000 ? 'ok' : 'wrong');
    return Action.Continue;
  }
}

export class Configuration extends StreamContext {
  constructor(
    private plugin: string,
    private vm: string,
  ) {
    super();
  }

  onRequestHeaders(count: i32, endOfStream: bool): Action {
    requestHeaders.set('x-config', this.plugin);
    requestHeaders.set('x-vm-config', this.vm);
    return Action.Continue;
  }
}
