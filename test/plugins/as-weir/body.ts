import {
  Action,
  Body as Content,
  Reply,
  StreamContext,
  requestBody,
  requestHeader,
  requestHeaders,
  responseBody,
  responseHeaders,
} from '@weir/filters-sdk/assembly';

export class Body extends StreamContext {
  private mode: string = '';

  onRequestHeaders(count: i32, endOfStream: bool): Action {
    const mode = requestHeader('x-body');
    if (mode !== null) this.mode = mode.toString();
    requestHeaders.remove('content-length');
    return Action.Continue;
  }

  onRequestBody(size: i32, endOfStream: bool): Action {
    if (!endOfStream) return Action.Pause;
    if (this.mode == 'append') requestBody.append('[end]');
    else if (this.mode == 'prepend') requestBody.prepend('[begin]');
    else if (this.mode == 'replace') requestBody.replace('[replaced]');
    else redact(requestBody);
    return Action.Continue;
  }

  onResponseHeaders(count: i32, endOfStream: bool): Action {
    responseHeaders.remove('content-length');
    return Action.Continue;
  }

  onResponseBody(size: i32, endOfStream: bool): Action {
    if (!endOfStream) return Action.Pause;
    redact(responseBody);
    return Action.Continue;
  }
}

function redact(body: Content): void {
  const content = body.read();
  if (content.indexOfBytes('secret') < 0) return;
  body.replace('Original message body (' + content.length.toString() + ' bytes) redacted.\n');
}

export class Scan extends StreamContext {
  onRequestBody(size: i32, endOfStream: bool): Action {
    const at = requestBody.read().indexOfBytes('pattern');
    if (at < 0) return endOfStream ? Action.Continue : Action.Pause;
    const reply = new Reply(403, 'pattern at ' + at.toString() + '\n');
    reply.headers.add('x-scan', 'found');
    return reply.send();
  }
}
