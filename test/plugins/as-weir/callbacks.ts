// What `wait` does, by callbacks.
import {
  Action,
  Bytes,
  CallResponse,
  LimitDecision,
  PairsWriter,
  Reply,
  StreamContext,
  httpCall,
  logDebug,
  replyWith,
  requestHeader,
  requestHeaders,
  resetStream,
  responseHeaders,
  resumeRequest,
  resumeResponse,
} from '@weir/filters-sdk/assembly';
import { Algorithm, Limit, LimitSet, LimitState, Scope } from '@weir/filters-sdk/assembly/limits';

const limits = [
  new Limit(2, 3_600_000, 0, Algorithm.TokenBucket, Scope.Node),
  new Limit(2, 3_600_000, 0, Algorithm.Gcra, Scope.Node),
  new Limit(2, 3_600_000, 0, Algorithm.TokenBucket, Scope.Local),
];

/** Asked together: each has what the other may lack. */
const many = new Limit(3, 3_600_000, 0, Algorithm.TokenBucket, Scope.Node);
const few = new Limit(1, 3_600_000, 0, Algorithm.TokenBucket, Scope.Node);
const atOnce = new Limit(1, 1, 0, Algorithm.Concurrency, Scope.Node);
const together = new LimitSet();

export class Callbacks extends StreamContext {
  private held: ArrayBuffer | null = null;
  private ticket: u32 = 0;
  private token: u32 = 0;

  onRequestHeaders(count: i32, endOfStream: bool): Action {
    const path = requestHeader(':path')!;
    logDebug('asked for ' + path.toString());
    if (path.equals('/reset')) {
      resetStream();
      return Action.Pause;
    }
    if (path.startsWith('/together')) return this.together(path.slice(9));
    if (!path.startsWith('/limit')) return Action.Continue;
    const limit = limits[path.at(6) - 48];
    const state = limit.take(path, 1);
    if (state == LimitState.Pending) {
      this.ticket = limit.ticket;
      return Action.Pause;
    }
    return state == LimitState.Unavailable ? replyWith(503, 'cannot say\n') : decide(limit.decision);
  }

  /** Which limits a request is counted by, its path says. */
  private together(which: Bytes): Action {
    together.clear().add(many, 'many', 1);
    if (which.indexOf(102) >= 0) together.add(few, 'few', 1);
    if (which.indexOf(111) >= 0) together.add(atOnce, 'once', 1);
    const state = together.take();
    this.held = together.held();
    requestHeaders.set('x-limits', together.length.toString() + ' ' + atOnce.isConcurrency.toString());
    if (state == LimitState.Pending) {
      this.ticket = together.ticket;
      return Action.Pause;
    }
    return decide(together.decision);
  }

  onLog(): void {
    const held = this.held;
    if (held !== null) LimitSet.release(held);
  }

  onLimitDecision(decision: LimitDecision): void {
    if (decision.ticket != this.ticket) return;
    if (decide(decision) == Action.Continue) resumeRequest();
  }

  onResponseHeaders(count: i32, endOfStream: bool): Action {
    if (responseHeaders.get('x-ask') === null) return Action.Continue;
    const head = new PairsWriter().add(':method', 'GET').add(':path', '/').add(':authority', 'authz');
    this.token = httpCall('authz', head, '', 500);
    return Action.Pause;
  }

  onCallResponse(response: CallResponse): void {
    if (response.token != this.token) return;
    const end = response.trailers.get('x-end');
    responseHeaders.set('x-trailers', response.trailerCount.toString());
    responseHeaders.set('x-end', end === null ? 'none' : end.toString());
    responseHeaders.set('x-type', response.headers.get('content-type')!);
    resumeResponse();
  }
}

function decide(decision: LimitDecision): Action {
  if (decision.allowed) {
    requestHeaders.set('x-left', decision.remaining.toString() + ' of ' + decision.limit.toString());
    return Action.Continue;
  }
  const reply = new Reply(429, 'later\n', 'too_many');
  const seconds = (decision.retryAfterMs + 999) / 1000;
  const minutes = (decision.resetMs + 59_999) / 60_000;
  reply.headers.add('x-retry', seconds > 0 && seconds <= 3600 ? 'yes' : seconds.toString());
  reply.headers.add('x-reset', minutes > 0 && minutes <= 60 ? 'yes' : minutes.toString());
  return reply.send();
}
