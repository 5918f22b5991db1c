import {
  Context,
  FilterHeadersStatusValues,
  RootContext,
  get_current_time_nanoseconds,
  set_property,
  stream_context,
} from '@gcoredev/proxy-wasm-sdk-as/assembly';
import {
  INFO,
  LANGUAGE,
  TRACE,
  foreign,
  foreignStatus,
  foreignText,
  logLine,
  property,
  requestHeader,
  setRequestHeader,
  text,
  utf8,
} from './support';

export class Properties extends Context {
  private path: string = '';

  private get value(): string {
    const bytes = Uint8Array.wrap(property(this.path));
    // The SDK makes no difference between an empty value and none.
    if (bytes.length == 0) return 'none';
    let hex = '';
    for (let i = 0; i < bytes.length; i++) hex += bytes[i].toString(16).padStart(2, '0');
    return hex;
  }

  onRequestHeaders(count: u32, end: bool): FilterHeadersStatusValues {
    this.path = requestHeader('x-property');
    set_property('note', utf8('written'));
    setRequestHeader('x-value', this.value);
    return FilterHeadersStatusValues.Continue;
  }

  onResponseHeaders(count: u32, end: bool): FilterHeadersStatusValues {
    stream_context.headers.response.replace('x-value', this.value);
    stream_context.headers.response.replace('x-note', text(property('note')));
    return FilterHeadersStatusValues.Continue;
  }

  onLog(): void {
    logLine(INFO, this.path + ' = ' + this.value);
  }
}

export class Logs extends Context {
  onRequestHeaders(count: u32, end: bool): FilterHeadersStatusValues {
    const levels = ['trace', 'debug', 'info', 'warn', 'error', 'critical'];
    for (let i = 0; i < levels.length; i++) logLine(TRACE + i, 'at ' + levels[i]);
    process.stdout.write('printed by ' + LANGUAGE + '\n');
    return FilterHeadersStatusValues.Continue;
  }
}

export class Foreign extends Context {
  onRequestHeaders(count: u32, end: bool): FilterHeadersStatusValues {
    const words = 'hello hello hello hello hello hello';
    const plain = text(foreign('uncompress', foreignText('compress', words)));
    setRequestHeader('x-compress', plain == words ? 'ok' : 'wrong');
    setRequestHeader('x-unknown', foreignStatus('no such function').toString());
    return FilterHeadersStatusValues.Continue;
  }
}

export class Clock extends Context {
  onRequestHeaders(count: u32, end: bool): FilterHeadersStatusValues {
    const host = <i64>(get_current_time_nanoseconds() / 1_000_000_000);
    const wasi = Date.now() / 1000;
    setRequestHeader('x-clock', host > 1_600_000_000 && abs(host - wasi) < 5 ? 'ok' : 'wrong');
    const random = new Uint8Array(16);
    crypto.getRandomValues(random);
    let sum = 0;
    for (let i = 0; i < 16; i++) sum += random[i];
    setRequestHeader('x-random', sum > 0 ? 'ok' : 'wrong');
    return FilterHeadersStatusValues.Continue;
  }
}

export class Configuration extends Context {
  constructor(
    id: u32,
    root: RootContext,
    private plugin: string,
    private vm: string,
  ) {
    super(id, root);
  }

  onRequestHeaders(count: u32, end: bool): FilterHeadersStatusValues {
    setRequestHeader('x-config', this.plugin);
    setRequestHeader('x-vm-config', this.vm);
    return FilterHeadersStatusValues.Continue;
  }
}
