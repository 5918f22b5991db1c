// Routing: sends a share of the users to another version, each user always to the same one, by a field that routes match.
export * from '@weir/filters-sdk/assembly/exports';
import {
  Action,
  RootContext,
  StreamContext,
  registerRoot,
  requestHeaders,
  responseHeaders,
  utf8,
} from '@weir/filters-sdk/assembly';
import { readConfig } from '@weir/filters-sdk/assembly/config';

const VERSION = utf8('x-version');
const CANARY = utf8('canary');
const STABLE = utf8('stable');

class CanaryRoot extends RootContext {
  by: ArrayBuffer = new ArrayBuffer(0);
  permille: u32 = 0;

  onConfigure(configuration: ArrayBuffer): bool {
    const config = readConfig(configuration);
    this.by = config.text('by', utf8('x-user'));
    this.permille = <u32>config.integer('permille', 0, 1000, -1);
    return config.end();
  }

  createStream(): StreamContext {
    return new Canary(this);
  }
}

class Canary extends StreamContext {
  private isCanary: bool = false;

  constructor(private root: CanaryRoot) {
    super();
  }

  onRequestHeaders(_count: i32, _endOfStream: bool): Action {
    const user = requestHeaders.get(this.root.by);
    // The same user has the same number whatever the share: a larger one only adds users.
    this.isCanary = user !== null && user.hash() % 1000 < this.root.permille;
    // Replaces what a client says. When filters have changed the head, the route is found again.
    requestHeaders.set(VERSION, this.isCanary ? CANARY : STABLE);
    return Action.Continue;
  }

  onResponseHeaders(_count: i32, _endOfStream: bool): Action {
    responseHeaders.set(VERSION, this.isCanary ? CANARY : STABLE);
    return Action.Continue;
  }

  recycle(): bool {
    this.isCanary = false;
    return true;
  }
}

registerRoot(new CanaryRoot());
