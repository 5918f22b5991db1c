// Local reply: answers in place of the upstream while it is being worked on, but for those who work on it.
export * from '@weir/filters-sdk/assembly/exports';
import {
  Action,
  Reply,
  RootContext,
  StreamContext,
  registerRoot,
  requestHeaders,
  utf8,
} from '@weir/filters-sdk/assembly';
import { readConfig } from '@weir/filters-sdk/assembly/config';

const PATH = utf8(':path');
const PASS = utf8('x-maintenance-pass');

class MaintenanceRoot extends RootContext {
  pass: ArrayBuffer = new ArrayBuffer(0);
  open: ArrayBuffer[] = [];
  /** Made once, sent any number of times. */
  reply: Reply = Reply.problem(503, 'Service Unavailable', 'we are back in a moment', 'maintenance');

  onConfigure(configuration: ArrayBuffer): bool {
    const config = readConfig(configuration);
    this.pass = config.text('pass', new ArrayBuffer(0));
    const open = config.items('open');
    for (let i = 0; i < open.length; i++) this.open.push(open[i].text);
    this.reply.headers.add('retry-after', config.integer('retryAfter', 1, 86_400, 300).toString());
    return config.end();
  }

  createStream(): StreamContext {
    return new Maintenance(this);
  }
}

class Maintenance extends StreamContext {
  constructor(private root: MaintenanceRoot) {
    super();
  }

  onRequestHeaders(_count: i32, _endOfStream: bool): Action {
    return this.mayPass() ? Action.Continue : this.root.reply.send();
  }

  private mayPass(): bool {
    const path = requestHeaders.get(PATH);
    const open = this.root.open;
    for (let i = 0; path !== null && i < open.length; i++) if (path.startsWith(open[i])) return true;
    const pass = requestHeaders.get(PASS);
    // How long it takes does not tell how much of a guess is right.
    return pass !== null && pass.length > 0 && pass.equalsInConstantTime(this.root.pass);
  }

  recycle(): bool {
    return true;
  }
}

registerRoot(new MaintenanceRoot());
