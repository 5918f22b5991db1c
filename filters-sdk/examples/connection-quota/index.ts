// TCP: counts what goes each way, and closes a connection that has taken more than its share.
export * from '@weir/filters-sdk/assembly/exports';
import {
  Action,
  RootContext,
  StreamContext,
  closeConnection,
  logInfo,
  property,
  registerRoot,
} from '@weir/filters-sdk/assembly';
import { readConfig } from '@weir/filters-sdk/assembly/config';
import { Counter, MetricName } from '@weir/filters-sdk/assembly/metrics';

class QuotaRoot extends RootContext {
  most: i64 = 0;
  closed!: Counter;

  onConfigure(configuration: ArrayBuffer): bool {
    const config = readConfig(configuration);
    this.most = config.integer('bytes', 1, 1_000_000_000_000, 0);
    this.closed = new Counter(new MetricName('connections_over_quota_total'));
    return config.end();
  }

  createStream(): StreamContext {
    return new Quota(this);
  }
}

class Quota extends StreamContext {
  private sent: i64 = 0;
  private received: i64 = 0;
  private over: bool = false;

  constructor(private root: QuotaRoot) {
    super();
  }

  onDownstreamData(size: i32, _endOfStream: bool): Action {
    this.sent += size;
    return this.check();
  }

  onUpstreamData(size: i32, _endOfStream: bool): Action {
    this.received += size;
    return this.check();
  }

  private check(): Action {
    if (this.sent + this.received <= this.root.most) return Action.Continue;
    if (!this.over) {
      this.over = true;
      this.root.closed.add();
      closeConnection();
    }
    // What went beyond is not passed on.
    return Action.Pause;
  }

  onDone(): void {
    const address = property('source.address');
    const who = address === null ? '?' : address.slice(0, address.lastIndexOf(58)).toString();
    logInfo(who + ' sent ' + this.sent.toString() + ', received ' + this.received.toString());
  }
}

registerRoot(new QuotaRoot());
