// In the style that waits; with callbacks in their place: ../sdk-kit.ts.
import {
  Action,
  PairsWriter,
  Reply,
  StreamContext,
  replyWith,
  requestHeader,
  requestHeaders,
  responseHeaders,
} from '@weir/filters-sdk/assembly';
import { HttpAnswer, call, wait } from '@weir/filters-sdk/assembly/wait';

const TIMEOUT = 2000;

function head(method: string, path: string): PairsWriter {
  return new PairsWriter().add(':method', method).add(':path', path).add(':authority', 'authz');
}

export class Auth extends StreamContext {
  onRequestHeaders(count: i32, endOfStream: bool): Action {
    const unknown = requestHeader(':path')!.equals('/unknown');
    const token = requestHeader('x-token');
    const fields = head('POST', '/check').add('x-token', token === null ? '' : token.toString());
    const asked = call(unknown ? 'nowhere' : 'authz', fields, 'who is it?', TIMEOUT);
    if (asked.settled) return replyWith(500, 'dispatch refused\n');

    const answer = wait(asked);
    if (answer.status == 200) {
      const user = answer.header('x-user');
      requestHeaders.set('x-user', user === null ? '' : user.toString());
      requestHeaders.set('x-call-body', answer.body);
      return Action.Continue;
    }
    const reply = new Reply(403, 'Access forbidden.\n');
    reply.headers.add('x-auth-status', answer.failed ? 'none' : answer.status.toString());
    return reply.send();
  }
}

export class Dispatches extends StreamContext {
  onResponseHeaders(count: i32, endOfStream: bool): Action {
    const asked: HttpAnswer[] = [];
    for (let i = 1; i <= 3; i++) asked.push(call('authz', head('GET', '/' + i.toString()), '', TIMEOUT));
    for (let i = 0; i < asked.length; i++) wait(asked[i]);
    responseHeaders.set('x-dispatched', asked.length.toString());
    return Action.Continue;
  }
}
