import { Action, ByteWriter, Reply, requestHeaders } from '@weir/filters-sdk/assembly';

const message = new ByteWriter(256);
const body = new ByteWriter(512);

/** Why a request is refused. */
export class Refusal {
  /** 0: it is not. */
  status: i32 = 0;
  private code: string = '';
  private details: string = '';

  clear(): void {
    this.status = 0;
  }

  /** @param text no character of it needs an escape in JSON */
  set(status: i32, code: string, details: string, text: string): bool {
    this.status = status;
    this.code = code;
    this.details = details;
    message.clear().add(text);
    return false;
  }

  /** For something that is more than it may be. */
  setLimit(code: string, details: string, what: string, found: i64, most: i64): bool {
    this.set(400, code, details, what);
    message.add(': ').addNumber(found).add(', and ').addNumber(most).add(' allowed');
    return false;
  }

  addNumber(number: i32): bool {
    message.addNumber(number);
    return false;
  }

  /** As GraphQL over HTTP has it: a result of errors alone. */
  send(): Action {
    body
      .clear()
      .add('{"errors":[{"message":"')
      .add(message.view())
      .add('","extensions":{"code":"')
      .add(this.code)
      .add('"}}]}\n');
    const reply = new Reply(this.status, '', this.details);
    reply.body = body.copy();
    const accept = requestHeaders.get('accept');
    const asked = accept !== null && accept.indexOfBytes('application/graphql-response+json') >= 0;
    reply.headers.add('content-type', asked ? 'application/graphql-response+json' : 'application/json');
    if (this.status == 405) reply.headers.add('allow', 'GET, POST');
    return reply.send();
  }
}
