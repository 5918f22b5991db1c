// Limits the requests of each client.

// Hands on the callbacks that the host makes. Without this line the module is no filter.
export * from '@weir/filters-sdk/assembly/exports';
import {
  Action,
  Bytes,
  ByteWriter,
  LimitDecision,
  Reply,
  RootContext,
  StreamContext,
  property,
  propertyPath,
  registerRoot,
  requestHeaders,
  responseHeaders,
  resumeRequest,
  utf8,
} from '@weir/filters-sdk/assembly';
import { configuration, duration, range, readConfiguration } from '@weir/filters-sdk/assembly/configuration';
import { Algorithm, Limit, LimitState, Scope } from '@weir/filters-sdk/assembly/limits';

const API_KEY = utf8('x-api-key');
const ADDRESS = propertyPath('source.address');
const REMAINING = utf8('x-ratelimit-remaining');
const RETRY_AFTER = utf8('retry-after');
const UNKNOWN = utf8('unknown');
const COLON: i32 = 58;

const tooMany = Reply.problem(429, 'Too Many Requests', 'slow down', 'rate_limited');
const unavailable = Reply.problem(
  503,
  'Service Unavailable',
  'the limit cannot be checked',
  'limit_unavailable',
);

/** For keys and numbers; its memory is used again for every request. */
const text = new ByteWriter(128);

/** Lets each client make so many requests in a time. */
@configuration({
  title: 'my-filter',
  phase: 'limit',
  capabilities: ['headers', 'reply', 'properties', 'foreign'],
})
class Settings {
  /** How many, at once or spread. */
  @range(1, 1_000_000) requests: u32;
  /** In which time they come back. */
  @duration('1ms', '24h') per: u32 = 1000;
}

class LimitRoot extends RootContext {
  limit: Limit | null = null;

  onConfigure(text: ArrayBuffer): bool {
    // Null refuses the configuration: the log has each fault, with line and column.
    const settings = readConfiguration<Settings>(text);
    if (settings === null) return false;
    this.limit = new Limit(settings.requests, settings.per, 0, Algorithm.TokenBucket, Scope.Node);
    return true;
  }

  createStream(): StreamContext {
    return new Limited(this);
  }
}

class Limited extends StreamContext {
  private remaining: i64 = -1;

  constructor(private root: LimitRoot) {
    super();
  }

  onRequestHeaders(_count: i32, _endOfStream: bool): Action {
    const limit = this.root.limit!;
    switch (limit.take(client(), 1)) {
      case LimitState.Allowed:
        this.remaining = limit.decision.remaining;
        return Action.Continue;
      case LimitState.Denied:
        return refuse(limit.decision);
      case LimitState.Pending:
        // The other workers are being asked; onLimitDecision brings the answer.
        return Action.Pause;
      default:
        return unavailable.send();
    }
  }

  onLimitDecision(decision: LimitDecision): void {
    if (!decision.allowed) {
      refuse(decision);
      return;
    }
    this.remaining = decision.remaining;
    resumeRequest();
  }

  onResponseHeaders(_count: i32, _endOfStream: bool): Action {
    if (this.remaining >= 0) responseHeaders.set(REMAINING, text.clear().addNumber(this.remaining).view());
    return Action.Continue;
  }
}

/** Whose request it is. Keys of clients and addresses are kept apart, so that none can pass for the other. */
function client(): Bytes {
  const key = requestHeaders.get(API_KEY);
  if (key !== null) return text.clear().add('key ').add(key).view();
  const address = property(ADDRESS);
  text.clear().add('address ');
  // Without the port, which is another for each connection.
  if (address === null) return text.add(UNKNOWN).view();
  const colon = address.lastIndexOf(COLON);
  return text.add(colon < 0 ? address : address.slice(0, colon)).view();
}

function refuse(decision: LimitDecision): Action {
  tooMany.headers.clear().add('content-type', 'application/problem+json');
  // Rounded up: a client that comes back then is let in.
  const seconds = (<i64>decision.retryAfterMs + 999) / 1000;
  tooMany.headers.add(RETRY_AFTER, text.clear().addNumber(max<i64>(1, seconds)).view());
  return tooMany.send();
}

registerRoot(new LimitRoot());
