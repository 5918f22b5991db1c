// A filter whose callbacks wait; what a request is for is told by its path.
export * from '@weir/filters-sdk/assembly/exports';
import {
  Action,
  Bytes,
  PairsWriter,
  RootContext,
  StreamContext,
  logInfo,
  registerRoot,
  replyWith,
  requestBody,
  requestHeader,
  requestHeaders,
  requestTrailers,
  responseBody,
  responseHeaders,
  setTickPeriod,
} from '@weir/filters-sdk/assembly';
import { Algorithm, Limit, Scope } from '@weir/filters-sdk/assembly/limits';
import {
  HttpAnswer,
  Waitable,
  call,
  callGrpc,
  sleep,
  take,
  wait,
  waitAll,
  waitAny,
} from '@weir/filters-sdk/assembly/wait';

class Root extends RootContext {
  ticks: i32 = 0;
  limit: Limit = new Limit(2, 1000, 0, Algorithm.TokenBucket, Scope.Node);

  onConfigure(configuration: ArrayBuffer): bool {
    if (configuration.byteLength > 0) setTickPeriod(20);
    return true;
  }

  onTick(): void {
    const number = ++this.ticks;
    if (number == 2) {
      const answer = wait(get('/from-tick'));
      logInfo('tick ' + number.toString() + ' got ' + answer.status.toString());
    } else logInfo('tick ' + number.toString());
  }

  createStream(): StreamContext {
    return new Waiting(this);
  }
}

function get(path: string): HttpAnswer {
  return call(
    'auth',
    new PairsWriter().add(':method', 'GET').add(':path', path).add(':authority', 'a'),
    '',
    100,
  );
}

/** What an answer says, from a function below the callback. */
function ask(path: string): string {
  const answer = wait(get(path));
  return answer.failed ? 'failed ' + answer.reason.toString() : answer.body.toString();
}

class Waiting extends StreamContext {
  early: HttpAnswer | null = null;

  constructor(private root: Root) {
    super();
  }

  onRequestHeaders(count: i32, endOfStream: bool): Action {
    const path = requestHeader(':path')!;
    if (path.equals('/sequence')) {
      const first = ask('/one');
      const second = ask('/two-' + first);
      requestHeaders.set('x-answer', first + ' ' + second + ' ' + count.toString() + ' ' + path.toString());
      return Action.Continue;
    }
    if (path.startsWith('/loop')) return this.loop(path);
    if (path.equals('/reply')) {
      const answer = wait(get('/may-i'));
      if (answer.status != 200) return replyWith(answer.status, 'no: ' + answer.header('x-why')!.toString());
      requestHeaders.set('x-trailer', answer.trailer('x-end')!);
      wait(get('/second'));
      return replyWith(403, 'still no');
    }
    if (path.equals('/all')) return this.all();
    if (path.equals('/any')) {
      const slow = get('/slow');
      const nap = sleep(30);
      const first = waitAny([slow, nap]);
      requestHeaders.set('x-first', first === nap ? 'sleep' : 'call');
      return Action.Continue;
    }
    if (path.equals('/sleep')) {
      wait(sleep(25));
      wait(sleep(25));
      requestHeaders.set('x-slept', 'twice');
      return Action.Continue;
    }
    if (path.equals('/unknown')) {
      const answer = wait(call('nobody', new PairsWriter().add(':method', 'GET'), '', 1));
      requestHeaders.set('x-failed', answer.failed.toString() + answer.status.toString());
      return Action.Continue;
    }
    if (path.equals('/limit')) {
      const answer = wait(take(this.root.limit, 'key', 1));
      requestHeaders.set('x-limit', answer.allowed.toString() + ' ' + answer.remaining.toString());
      return answer.allowed ? Action.Continue : replyWith(429, 'later');
    }
    if (path.equals('/grpc')) {
      const answer = wait(callGrpc('auth', 'test.Echo', 'Say', null, 'hello', 100));
      const text = answer.failed
        ? answer.status.toString() + ' ' + answer.reason.toString()
        : answer.body.toString();
      requestHeaders.set('x-grpc', text);
      return Action.Continue;
    }
    if (path.equals('/early')) this.early = get('/early');
    if (path.equals('/trap')) {
      wait(get('/before-trap'));
      throw new Error('after a wait');
    }
    if (path.equals('/views')) return views(path);
    if (path.equals('/garbage')) return garbage();
    return Action.Continue;
  }

  /** As many calls as the path says, each depending on the one before. */
  private loop(path: Bytes): Action {
    const times = <i32>path.slice(6).toUnsigned();
    const seen: string[] = [];
    let total: i64 = 0;
    for (let i = 0; i < times; i++) {
      const text = ask('/' + i.toString());
      if (text == 'skip') continue;
      if (text == 'stop') break;
      seen.push(text);
      total += i;
    }
    requestHeaders.set('x-seen', seen.join(',') + ' ' + total.toString());
    return Action.Continue;
  }

  private all(): Action {
    const answers: HttpAnswer[] = [];
    const wanted: Waitable[] = [];
    for (let i = 0; i < 3; i++) {
      answers.push(get('/' + i.toString()));
      wanted.push(answers[i]);
    }
    waitAll(wanted);
    let text = '';
    for (let i = 0; i < 3; i++) text += answers[i].body.toString() + ';';
    requestHeaders.set('x-all', text);
    return Action.Continue;
  }

  onRequestBody(size: i32, endOfStream: bool): Action {
    const path = requestHeader(':path')!;
    if (!path.startsWith('/body')) return Action.Continue;
    if (!endOfStream && path.equals('/body-whole')) return Action.Pause;
    const answer = ask('/scan-' + requestBody.read().toString());
    logInfo('body ' + size.toString() + ' ' + endOfStream.toString() + ' ' + requestBody.read().toString());
    requestBody.append('+' + answer);
    return Action.Continue;
  }

  onRequestTrailers(count: i32): Action {
    logInfo('trailers ' + count.toString());
    requestTrailers.set('x-asked', ask('/trailers'));
    return Action.Continue;
  }

  onResponseHeaders(count: i32, endOfStream: bool): Action {
    const early = this.early;
    if (early !== null) responseHeaders.set('x-early', wait<HttpAnswer>(early).body);
    if (requestHeader(':path')!.equals('/both')) responseHeaders.set('x-both', ask('/response'));
    return Action.Continue;
  }

  onLog(): void {
    logInfo('log ' + requestHeader(':path')!.toString());
  }
}

/** Views from before a wait, more of them than the callback's own memory holds. */
function views(path: Bytes): Action {
  const value = requestHeader('x-value')!;
  const part = value.slice(1, 4);
  wait(get('/1'));
  const large = requestHeader('x-large')!;
  const twice = requestHeader('x-large')!;
  wait(get('/2'));
  const same = large.equals(twice) && large.length == requestHeader('x-large')!.length;
  requestHeaders.set('x-views', path.toString() + ' ' + part.toString() + ' ' + same.toString());
  return Action.Continue;
}

class Node {
  constructor(
    public text: string,
    public next: Node | null,
  ) {}
}

/** Objects that only locals of a waiting callback hold, while others make the collector run. */
function garbage(): Action {
  let list: Node | null = null;
  for (let i = 0; i < 10; i++) {
    list = new Node('node ' + i.toString(), list);
    const answer = ask('/' + i.toString());
    for (let j = 0; j < 200; j++) new Node(answer + j.toString(), null);
    list.text += answer;
  }
  let text = '';
  let node = list;
  while (node !== null) {
    text += node.text + ',';
    node = node.next;
  }
  requestHeaders.set('x-list', text);
  return Action.Continue;
}

registerRoot(new Root());
