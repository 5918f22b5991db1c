// Everything that a callback can wait for.
import {
  Action,
  PairsWriter,
  Reply,
  StreamContext,
  replyWith,
  requestBody,
  requestHeader,
  requestHeaders,
  requestTrailers,
  responseHeaders,
} from '@weir/filters-sdk/assembly';
import { Algorithm, Limit, LimitState, Scope } from '@weir/filters-sdk/assembly/limits';
import {
  HttpAnswer,
  LimitAnswer,
  Sleep,
  Waitable,
  call,
  sleep,
  take,
  wait,
  waitAll,
  waitAny,
} from '@weir/filters-sdk/assembly/wait';

const HOUR: u32 = 3_600_000;
const limit = new Limit(2, HOUR, 0, Algorithm.TokenBucket, Scope.Node);

function get(path: string): HttpAnswer {
  const head = new PairsWriter().add(':method', 'GET').add(':path', path).add(':authority', 'authz');
  return call('authz', head, '', 2000);
}

export class Waits extends StreamContext {
  private early: HttpAnswer | null = null;
  private asksForBody: bool = false;

  onRequestHeaders(count: i32, endOfStream: bool): Action {
    const path = requestHeader(':path')!;
    this.asksForBody = path.equals('/body');
    if (path.equals('/sleep')) {
      const nap: Sleep = sleep(15);
      wait(nap);
      wait(sleep(15));
      requestHeaders.set('x-slept', nap.settled.toString());
    } else if (path.equals('/all')) {
      requestHeaders.set('x-all', all());
    } else if (path.equals('/any')) {
      const slow = get('/slow');
      const nap = sleep(20);
      requestHeaders.set('x-first', waitAny([slow, nap]) === nap ? 'sleep' : 'call');
    } else if (path.equals('/limit')) {
      return limited(wait(take(limit, 'key', 1)));
    } else if (path.equals('/early')) {
      this.early = get('/early');
    }
    return Action.Continue;
  }

  onRequestBody(size: i32, endOfStream: bool): Action {
    if (!this.asksForBody) return Action.Continue;
    if (!endOfStream) return Action.Pause;
    const answer = wait(get('/body'));
    requestBody.append(' ' + answer.body.toString());
    return Action.Continue;
  }

  onRequestTrailers(count: i32): Action {
    const answer = wait(get('/trailers'));
    requestTrailers.add('x-asked', answer.body);
    return Action.Continue;
  }

  onResponseHeaders(count: i32, endOfStream: bool): Action {
    const early = this.early;
    if (early !== null) responseHeaders.set('x-early', wait<HttpAnswer>(early).body);
    return Action.Continue;
  }
}

function all(): string {
  const answers = [get('/0'), get('/1'), get('/2')];
  const wanted: Waitable[] = [];
  for (let i = 0; i < answers.length; i++) wanted.push(answers[i]);
  waitAll(wanted);
  let text = '';
  for (let i = 0; i < answers.length; i++) {
    const fields = answers[i].headers;
    const named = fields.nextNamed('x-name') ? fields.value.toString() : 'none';
    const trailer = answers[i].trailer('x-end');
    text += named + '/' + (trailer === null ? 'none' : trailer.toString()) + ' ';
  }
  return text + (wait(call('nowhere', new PairsWriter(), '', 1)).failed ? 'refused' : 'sent');
}

function limited(answer: LimitAnswer): Action {
  const state = answer.state == LimitState.Allowed;
  if (state != answer.allowed) return replyWith(500, 'state');
  if (answer.allowed) {
    requestHeaders.set('x-left', answer.remaining.toString() + ' of ' + answer.limit.toString());
    requestHeaders.set('x-times', between(answer.resetMs) + answer.retryAfterMs.toString());
    return Action.Continue;
  }
  const reply = new Reply(429, 'later\n');
  reply.headers.add('x-times', between(answer.resetMs) + between(answer.retryAfterMs));
  return reply.send();
}

function between(ms: u32): string {
  return ms > 0 && ms <= HOUR ? 'some ' : ms.toString() + ' ';
}
