import { Action } from './abi';
import { Bytes, encode, sizeOf, startOf, utf8 } from './bytes';
import { proxy_send_local_response } from './env';
import { PairsWriter } from './pairs';
import { noteReply } from './running';
import { WAITS } from './waits';

/**
 * Answers the request in the place of the upstream. Return its result from the callback.
 *
 *     return replyWith(403, 'not today\n');
 */
export function replyWith<B>(status: i32, body: B): Action {
  if (isString<B>()) return replyWith<Bytes>(status, encode(changetype<string>(body)));
  if (WAITS) noteReply();
  proxy_send_local_response(status, 0, 0, startOf<B>(body), sizeOf<B>(body), 0, 0, -1);
  return Action.Pause;
}

/** An answer with headers, made once and sent any number of times. */
export class Reply {
  /** Fields besides `content-length`. May be changed between two `send`. */
  headers: PairsWriter = new PairsWriter();
  /** May be changed between two `send`. */
  body: ArrayBuffer;
  private details: ArrayBuffer;

  /**
   * @param details what access logs show as `response.code_details`; no white space
   */
  constructor(
    public status: i32,
    body: string,
    details: string = '',
  ) {
    this.body = utf8(body);
    this.details = utf8(details);
  }

  /**
   * An RFC 9457 problem. `title` and `detail` must not need escaping in JSON.
   *
   * @param members more of it, as JSON: `"plan":"gold"`
   */
  static problem(status: i32, title: string, detail: string, details: string, members: string = ''): Reply {
    const body =
      '{"type":"about:blank","title":"' +
      title +
      '","status":' +
      status.toString() +
      ',"detail":"' +
      detail +
      (members.length > 0 ? '",' + members + '}\n' : '"}\n');
    const reply = new Reply(status, body, details);
    reply.headers.add('content-type', 'application/problem+json');
    return reply;
  }

  send(): Action {
    const fields = this.headers.view();
    if (WAITS) noteReply();
    proxy_send_local_response(
      this.status,
      changetype<usize>(this.details),
      this.details.byteLength,
      changetype<usize>(this.body),
      this.body.byteLength,
      fields.start,
      fields.length,
      -1,
    );
    return Action.Pause;
  }
}
