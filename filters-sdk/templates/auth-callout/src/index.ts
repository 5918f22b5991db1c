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
import {
  configuration,
  duration,
  length,
  pattern,
  readConfiguration,
} from '@weir/filters-sdk/assembly/configuration';

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

/** Asks a service whether a request may pass. */
@configuration({
  title: 'my-filter',
  phase: 'authz',
  capabilities: ['headers', 'reply', 'httpCall', 'secrets'],
})
class Settings {
  /** The service, by its name in `callouts` of the chain: a filter calls nobody that it is not given there. */
  @length(1, 253) upstream: ArrayBuffer;
  /** What is asked for there. */
  @pattern('/[!-~]*') path: ArrayBuffer = utf8('/check');
  /** How long to wait for its answer. */
  @duration('1ms', '1m') timeout: u32 = 500;
}

class AuthRoot extends RootContext {
  settings: Settings = new Settings();

  onConfigure(text: ArrayBuffer): bool {
    // Null refuses the configuration: the log has each fault, with line and column.
    const settings = readConfiguration<Settings>(text);
    if (settings === null) return false;
    this.settings = settings;
    return true;
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

    const settings = this.root.settings;
    head.clear().add(METHOD, GET).add(PATH, settings.path).add(AUTHORITY, settings.upstream);
    head.add(AUTHORIZATION, token);
    const path = requestHeaders.get(PATH);
    if (path !== null) head.add(ORIGINAL_PATH, path);
    const call = httpCall(settings.upstream, head, NO_BODY, settings.timeout);
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
