// Timer: fetches a list of refused clients now and then, and keeps the last one that it got.
export * from '@weir/filters-sdk/assembly/exports';
import {
  Action,
  CallResponse,
  PairsWriter,
  Reply,
  RootContext,
  StreamContext,
  httpCall,
  logInfo,
  logWarn,
  registerRoot,
  requestHeaders,
  setTickPeriod,
  utf8,
} from '@weir/filters-sdk/assembly';
import { readConfig } from '@weir/filters-sdk/assembly/config';

const NEW_LINE: i32 = 10;
/** Writers are made once and cleared. */
const head = new PairsWriter();
const refused = Reply.problem(403, 'Forbidden', 'this client is refused', 'on_deny_list');

class DenyRoot extends RootContext {
  header: ArrayBuffer = new ArrayBuffer(0);
  denied: Set<string> = new Set<string>();
  private upstream: ArrayBuffer = new ArrayBuffer(0);
  private path: ArrayBuffer = new ArrayBuffer(0);
  private periodMs: u32 = 0;
  private isFirst: bool = true;

  onConfigure(configuration: ArrayBuffer): bool {
    const config = readConfig(configuration);
    this.upstream = config.text('upstream');
    this.path = config.text('path', utf8('/deny-list'));
    this.header = config.text('header', utf8('x-user'));
    this.periodMs = <u32>config.duration('every', 100, 86_400_000, 30_000);
    // The first time soon: a call that is made while the plugin starts might be one for nothing.
    setTickPeriod(10);
    return config.end();
  }

  onTick(): void {
    if (this.isFirst) setTickPeriod(this.periodMs);
    this.isFirst = false;
    head.clear().add(':method', 'GET').add(':path', this.path).add(':authority', this.upstream);
    if (httpCall(this.upstream, head, '', 2000) == 0) logWarn('deny list: it cannot be asked for');
  }

  /** The root context called, so the answer comes to it. */
  onCallResponse(response: CallResponse): void {
    if (response.status != 200) {
      logWarn('deny list: ' + response.status.toString() + ', the one before stays');
      return;
    }
    const body = response.body;
    const denied = new Set<string>();
    for (let from = 0; from < body.length;) {
      const next = body.indexOf(NEW_LINE, from);
      const to = next < 0 ? body.length : next;
      const line = body.slice(from, to).trim();
      if (line.length > 0) denied.add(line.toString());
      from = to + 1;
    }
    if (denied.size != this.denied.size) logInfo('deny list: ' + denied.size.toString() + ' entries');
    this.denied = denied;
  }

  createStream(): StreamContext {
    return new Checked(this);
  }
}

class Checked extends StreamContext {
  constructor(private root: DenyRoot) {
    super();
  }

  onRequestHeaders(_count: i32, _endOfStream: bool): Action {
    if (this.root.denied.size == 0) return Action.Continue;
    // Each value of the field: a client that sends two must not hide behind the first.
    const fields = requestHeaders.all();
    while (fields.nextNamed(this.root.header)) {
      if (this.root.denied.has(fields.value.toString())) return refused.send();
    }
    return Action.Continue;
  }

  recycle(): bool {
    return true;
  }
}

registerRoot(new DenyRoot());
