// Cross-origin resource sharing: answers preflights, and marks answers. See README.md.
export * from '@weir/filters-sdk/assembly/exports';
import {
  Action,
  Bytes,
  PairsWriter,
  Reply,
  RootContext,
  StreamContext,
  registerRoot,
  requestHeaders,
  responseHeaders,
  utf8,
} from '@weir/filters-sdk/assembly';
import { CorsConfig } from './config';

const METHOD = utf8(':method');
const OPTIONS = utf8('OPTIONS');
const ORIGIN = utf8('origin');
const REQUEST_METHOD = utf8('access-control-request-method');
const REQUEST_HEADERS = utf8('access-control-request-headers');
const REQUEST_PRIVATE_NETWORK = utf8('access-control-request-private-network');
const ALLOW_ORIGIN = utf8('access-control-allow-origin');
const ALLOW_CREDENTIALS = utf8('access-control-allow-credentials');
const ALLOW_METHODS = utf8('access-control-allow-methods');
const ALLOW_HEADERS = utf8('access-control-allow-headers');
const ALLOW_PRIVATE_NETWORK = utf8('access-control-allow-private-network');
const EXPOSE_HEADERS = utf8('access-control-expose-headers');
const MAX_AGE = utf8('access-control-max-age');
const VARY = utf8('vary');
const ORIGIN_NAME = utf8('Origin');
const TRUE = utf8('true');
const STAR = utf8('*');
const PREFLIGHT_VARIES = utf8('Origin, Access-Control-Request-Method, Access-Control-Request-Headers');
const PREFLIGHT_VARIES_ON_NETWORK = utf8(
  'Origin, Access-Control-Request-Method, Access-Control-Request-Headers, Access-Control-Request-Private-Network',
);

const preflight = new Reply(204, '', 'cors_preflight');

class CorsRoot extends RootContext {
  config: CorsConfig = new CorsConfig();

  onConfigure(configuration: ArrayBuffer): bool {
    return this.config.read(configuration);
  }

  createStream(): StreamContext {
    return new Cors(this.config);
  }
}

/** What the request's origin is. */
enum Origin {
  /** The request has none: it does not come from a page of another site. */
  None,
  Refused,
  Allowed,
  /** The answer to a preflight is complete as it is. */
  Answered,
}

class Cors extends StreamContext {
  private state: Origin = Origin.None;
  /** The allowed origin, or `*`. */
  private origin: ArrayBuffer = STAR;

  constructor(private config: CorsConfig) {
    super();
  }

  onRequestHeaders(_count: i32, _endOfStream: bool): Action {
    const config = this.config;
    const given = requestHeaders.get(ORIGIN);
    if (given === null) return Action.Continue;
    const allowed = isSingle(ORIGIN) && config.allowsOrigin(given);
    this.state = allowed ? Origin.Allowed : Origin.Refused;
    const method = requestHeaders.get(METHOD);
    if (method !== null && method.equals(OPTIONS)) {
      const wanted = requestHeaders.get(REQUEST_METHOD);
      if (wanted !== null) return this.answerPreflight(given, wanted, allowed);
    }
    if (allowed && !config.any) this.origin = given.copy();
    return Action.Continue;
  }

  /** A preflight never goes upstream. Where something is not allowed, the answer says nothing at all. */
  private answerPreflight(origin: Bytes, method: Bytes, allowed: bool): Action {
    const config = this.config;
    this.state = Origin.Answered;
    preflight.status = config.preflightStatus;
    const headers = preflight.headers.clear();
    if (!config.any || config.privateNetwork || !config.anyMethod || !config.anyHeader) {
      headers.add(VARY, config.privateNetwork ? PREFLIGHT_VARIES_ON_NETWORK : PREFLIGHT_VARIES);
    }
    const wanted = requestHeaders.get(REQUEST_HEADERS);
    if (allowed && config.allowsMethod(method) && (wanted === null || this.allowsHeaders(wanted))) {
      this.addPermission(headers, origin, method, wanted);
    }
    return preflight.send();
  }

  private allowsHeaders(wanted: Bytes): bool {
    return isSingle(REQUEST_HEADERS) && this.config.allowsHeaders(wanted);
  }

  private addPermission(headers: PairsWriter, origin: Bytes, method: Bytes, wanted: Bytes | null): void {
    const config = this.config;
    if (config.any) headers.add(ALLOW_ORIGIN, STAR);
    else headers.add(ALLOW_ORIGIN, origin);
    if (config.credentials) headers.add(ALLOW_CREDENTIALS, TRUE);
    // With credentials a star is taken by its letter, so the answer names what was asked for.
    if (config.anyMethod && config.credentials) headers.add(ALLOW_METHODS, method);
    else headers.add(ALLOW_METHODS, config.methodList);
    if (wanted !== null) {
      // A star does not cover Authorization either.
      if (config.anyHeader) headers.add(ALLOW_HEADERS, wanted);
      else headers.add(ALLOW_HEADERS, config.headerList);
    }
    if (config.maxAge.byteLength > 0) headers.add(MAX_AGE, config.maxAge);
    if (!config.privateNetwork) return;
    const network = requestHeaders.get(REQUEST_PRIVATE_NETWORK);
    if (network !== null && network.equals(TRUE)) headers.add(ALLOW_PRIVATE_NETWORK, TRUE);
  }

  onResponseHeaders(_count: i32, _endOfStream: bool): Action {
    const config = this.config;
    const state = this.state;
    if (state == Origin.Answered) return Action.Continue;
    // A cache must not hand one origin's answer to another, also where this request had none.
    if (!config.any) responseHeaders.add(VARY, ORIGIN_NAME);
    if (state == Origin.None) return Action.Continue;
    // What the upstream says of its own accord does not count.
    if (state == Origin.Allowed) responseHeaders.set(ALLOW_ORIGIN, this.origin);
    else responseHeaders.remove(ALLOW_ORIGIN);
    if (state == Origin.Allowed && config.credentials) responseHeaders.set(ALLOW_CREDENTIALS, TRUE);
    else responseHeaders.remove(ALLOW_CREDENTIALS);
    if (state == Origin.Allowed && config.exposeList.byteLength > 0) {
      responseHeaders.set(EXPOSE_HEADERS, config.exposeList);
    } else responseHeaders.remove(EXPOSE_HEADERS);
    return Action.Continue;
  }

  recycle(): bool {
    this.state = Origin.None;
    this.origin = STAR;
    return true;
  }
}

/** A field that came twice is nothing to decide by. */
function isSingle(name: ArrayBuffer): bool {
  const fields = requestHeaders.all();
  return fields.nextNamed(name) && !fields.nextNamed(name);
}

registerRoot(new CorsRoot());
