// A filter of TCP for a protocol of lines: whole lines go on, one with a word that is denied ends the
// connection, and what the upstream says is marked.
export * from '@weir/filters-sdk/assembly/exports';
import {
  Action,
  CloseType,
  RootContext,
  StreamContext,
  closeConnection,
  downstreamData,
  logInfo,
  property,
  registerRoot,
  upstreamData,
  view,
} from '@weir/filters-sdk/assembly';
import { Counter, MetricName } from '@weir/filters-sdk/assembly/metrics';

let lines: Counter | null = null;
let denied: ArrayBuffer = new ArrayBuffer(0);

class Root extends RootContext {
  onConfigure(configuration: ArrayBuffer): bool {
    denied = configuration;
    lines = new Counter(new MetricName('lines_total'));
    return configuration.byteLength > 0;
  }

  createStream(): StreamContext {
    return new Connection();
  }
}

class Connection extends StreamContext {
  private seen: i32 = 0;

  onNewConnection(): Action {
    const source = property('source.address');
    logInfo('from ' + (source === null ? 'nowhere' : source.toString()));
    return Action.Continue;
  }

  onDownstreamData(size: i32, endOfStream: bool): Action {
    const data = downstreamData.read();
    if (!data.toString().endsWith('\n') && !endOfStream) return Action.Pause;
    if (data.indexOfBytes(view(denied)) >= 0) {
      closeConnection();
      return Action.Pause;
    }
    this.seen += size;
    lines!.add();
    return Action.Continue;
  }

  onUpstreamData(size: i32, endOfStream: bool): Action {
    if (size > 0) upstreamData.prepend('> ');
    return Action.Continue;
  }

  onDownstreamClose(by: CloseType): void {
    logInfo(by == CloseType.Remote ? 'the client left' : 'weir closed');
  }

  onLog(): void {
    logInfo('seen ' + this.seen.toString());
  }
}

registerRoot(new Root());
