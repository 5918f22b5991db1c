// Headers: puts the fields on every answer that keep browsers safe, and takes out what tells about the server.
export * from '@weir/filters-sdk/assembly/exports';
import {
  Action,
  RootContext,
  StreamContext,
  registerRoot,
  responseHeaders,
  utf8,
} from '@weir/filters-sdk/assembly';

// Encoded once: a request then only points at the bytes.
const SERVER = utf8('server');
const POWERED_BY = utf8('x-powered-by');
const CONTENT_TYPE_OPTIONS = utf8('x-content-type-options');
const NOSNIFF = utf8('nosniff');
const TRANSPORT_SECURITY = utf8('strict-transport-security');
const TWO_YEARS = utf8('max-age=63072000; includeSubDomains');
const SECURITY_POLICY = utf8('content-security-policy');
const SELF = utf8("default-src 'self'");

class SecurityRoot extends RootContext {
  private stream: SecurityHeaders = new SecurityHeaders();

  /** One object for all streams: it keeps nothing of them. */
  createStream(): StreamContext {
    return this.stream;
  }
}

class SecurityHeaders extends StreamContext {
  onResponseHeaders(_count: i32, _endOfStream: bool): Action {
    responseHeaders.remove(SERVER);
    responseHeaders.remove(POWERED_BY);
    responseHeaders.set(CONTENT_TYPE_OPTIONS, NOSNIFF);
    responseHeaders.set(TRANSPORT_SECURITY, TWO_YEARS);
    // An application that has a policy of its own knows better.
    if (!responseHeaders.has(SECURITY_POLICY)) responseHeaders.set(SECURITY_POLICY, SELF);
    return Action.Continue;
  }
}

registerRoot(new SecurityRoot());
