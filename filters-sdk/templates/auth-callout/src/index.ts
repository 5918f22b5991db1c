// Asks a service whether a request may pass, and waits for its answer.

// Hands on the callbacks that the host makes. Without this line the module is no filter.
export * from '@weir/filters-sdk/assembly/exports';
import {
  Action,
  CallResponse,
  PairsWriter,
  Reply,
  RootContext,
  StreamContext,
  httpCall,
  logWarn,
  registerRoot,
  requestHeaders,
  resumeRequest,
  utf8,
} from '@weir/filters-sdk/assembly';
import { readConfig } from '@weir/filters-sdk/assembly/config';

const METHOD = utf8(':method');
const PATH = utf8(':path');
const AUTHORITY = utf8(':authority');
const GET = utf8('GET');
const AUTHORIZATION = utf8('authorization');
const ORIGINAL_PATH = utf8('x-original-path');
const USER = utf8('x-user');
const NO_BODY = utf8('');

// Replies that never change are made once.
const unauthorized = Reply.problem(401, 'Unauthorized', 'a valid token is required', 'no_token');
const forbidden = Reply.problem(403, 'Forbidden', 'this token may not do that', 'refused_by_service');
const unavailable = Reply.problem(503, 'Service Unavailable', 'access cannot be checked', 'service_failed');

/** The head of the call; its memory is used again for every request. */
const head = new PairsWriter();

class AuthRoot extends RootContext {
  /** As `callouts` of the chain has it: a filter calls nobody that it is not given there. */
  upstream: ArrayBuffer = NO_BODY;
  path: ArrayBuffer = NO_BODY;
  timeoutMs: u32 = 0;

  onConfigure(configuration: ArrayBuffer): bool {
    const config = readConfig(configuration);
    this.upstream = config.text('upstream');
    this.path = config.text('path', utf8('/check'));
    this.timeoutMs = <u32>config.duration('timeout', 1, 60_000, 500);
    return config.end();
  }

  createStream(): StreamContext {
    return new Auth(this);
  }
}

class Auth extends StreamContext {
  constructor(private root: AuthRoot) {
    super();
  }

  onRequestHeaders(_count: i32, _endOfStream: bool): Action {
    // A user that the client names itself is nobody.
    requestHeaders.remove(USER);
    const token = requestHeaders.get(AUTHORIZATION);
    if (token === null) return unauthorized.send();

    head.clear().add(METHOD, GET).add(PATH, this.root.path).add(AUTHORITY, this.root.upstream);
    head.add(AUTHORIZATION, token);
    const path = requestHeaders.get(PATH);
    if (path !== null) head.add(ORIGINAL_PATH, path);
    const call = httpCall(this.root.upstream, head, NO_BODY, this.root.timeoutMs);
    // Paused: the request goes on when onCallResponse says so.
    return call == 0 ? unavailable.send() : Action.Pause;
  }

  onCallResponse(response: CallResponse): void {
    const status = response.status;
    if (status == 200) {
      const user = response.headers.get(USER);
      if (user !== null) requestHeaders.set(USER, user);
      resumeRequest();
    } else if (status == 401) {
      unauthorized.send();
    } else if (status == 403) {
      forbidden.send();
    } else {
      logWarn('the authorisation service answered ' + status.toString());
      unavailable.send();
    }
  }
}

registerRoot(new AuthRoot());
