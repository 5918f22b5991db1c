import {
  Action,
  CallResponse,
  PairsWriter,
  Reply,
  StreamContext,
  httpCall,
  replyWith,
  requestHeader,
  requestHeaders,
  responseHeaders,
  resumeRequest,
  resumeResponse,
} from '@weir/filters-sdk/assembly';

const TIMEOUT = 500;

function head(method: string, path: string): PairsWriter {
  return new PairsWriter().add(':method', method).add(':path', path).add(':authority', 'authz');
}

export class Auth extends StreamContext {
  onRequestHeaders(count: i32, endOfStream: bool): Action {
    const upstream = requestHeader(':path')!.equals('/unknown') ? 'nowhere' : 'authz';
    const token = requestHeader('x-token');
    const fields = head('POST', '/check').add('x-token', token === null ? '' : token.toString());
    if (httpCall(upstream, fields, 'who is it?', TIMEOUT) == 0) return replyWith(500, 'dispatch refused\n');
    return Action.Pause;
  }

  onCallResponse(response: CallResponse): void {
    if (response.status == 200) {
      const user = response.headers.get('x-user');
      requestHeaders.set('x-user', user === null ? '' : user.toString());
      requestHeaders.set('x-call-body', response.body);
      resumeRequest();
      return;
    }
    const reply = new Reply(403, 'Access forbidden.\n');
    reply.headers.add('x-auth-status', response.failed ? 'none' : response.status.toString());
    reply.send();
  }
}

export class Dispatches extends StreamContext {
  private pending: i32 = 3;

  onResponseHeaders(count: i32, endOfStream: bool): Action {
    const paths = ['/1', '/2', '/3'];
    for (let i = 0; i < 3; i++) httpCall('authz', head('GET', paths[i]), '', TIMEOUT);
    return Action.Pause;
  }

  onCallResponse(response: CallResponse): void {
    this.pending--;
    if (this.pending > 0) return;
    responseHeaders.set('x-dispatched', '3');
    resumeResponse();
  }
}
