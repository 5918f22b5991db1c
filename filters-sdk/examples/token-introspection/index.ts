// HTTP callout: asks an authorisation server whether a token is good (RFC 7662), and remembers the answer for a while.
export * from '@weir/filters-sdk/assembly/exports';
import {
  Action,
  ByteWriter,
  CallResponse,
  PairsWriter,
  Reply,
  RootContext,
  StreamContext,
  httpCall,
  logWarn,
  now,
  registerRoot,
  requestHeaders,
  resumeRequest,
  utf8,
} from '@weir/filters-sdk/assembly';
import { readConfig } from '@weir/filters-sdk/assembly/config';
import { parseJson } from '@weir/filters-sdk/assembly/json';

const USER = utf8('x-user');
const BEARER = 'Bearer ';
const MAX_REMEMBERED = 10_000;

const missing = Reply.problem(401, 'Unauthorized', 'a bearer token is required', 'token_missing');
const inactive = Reply.problem(401, 'Unauthorized', 'the token is not valid any more', 'token_inactive');
const unavailable = Reply.problem(
  503,
  'Service Unavailable',
  'tokens cannot be checked now',
  'introspection_failed',
);

const head = new PairsWriter();
const form = new ByteWriter(256);

class Remembered {
  constructor(
    public user: ArrayBuffer,
    public until: i64,
  ) {}
}

class IntrospectionRoot extends RootContext {
  upstream: ArrayBuffer = new ArrayBuffer(0);
  path: ArrayBuffer = new ArrayBuffer(0);
  header: ArrayBuffer = new ArrayBuffer(0);
  rememberNs: i64 = 0;
  /** Good tokens of this instance. */
  known: Map<string, Remembered> = new Map<string, Remembered>();

  onConfigure(configuration: ArrayBuffer): bool {
    const config = readConfig(configuration);
    this.upstream = config.text('upstream');
    this.path = config.text('path', utf8('/introspect'));
    this.header = config.text('header', utf8('authorization'));
    this.rememberNs = config.duration('remember', 1, 3_600_000, 60_000) * 1_000_000;
    return config.end();
  }

  createStream(): StreamContext {
    return new Introspection(this);
  }

  remember(token: string, user: ArrayBuffer): void {
    // All at once: keeping an order would cost more than asking again.
    if (this.known.size >= MAX_REMEMBERED) this.known.clear();
    this.known.set(token, new Remembered(user, now() + this.rememberNs));
  }
}

class Introspection extends StreamContext {
  private token: string = '';

  constructor(private root: IntrospectionRoot) {
    super();
  }

  onRequestHeaders(_count: i32, _endOfStream: bool): Action {
    requestHeaders.remove(USER);
    const field = requestHeaders.get(this.root.header);
    if (field === null || !field.startsWith(BEARER)) return missing.send();
    const token = field.slice(BEARER.length).trim();
    for (let i = 0; i < token.length; i++) if (!isTokenByte(token.at(i))) return inactive.send();

    this.token = token.toString();
    if (this.root.known.has(this.token)) {
      const known = this.root.known.get(this.token);
      if (known.until > now()) {
        requestHeaders.set(USER, known.user);
        return Action.Continue;
      }
      this.root.known.delete(this.token);
    }
    head.clear().add(':method', 'POST').add(':path', this.root.path).add(':authority', this.root.upstream);
    head.add('content-type', 'application/x-www-form-urlencoded');
    form.clear().add('token=').add(token);
    const call = httpCall(this.root.upstream, head, form.view(), 1000);
    return call == 0 ? unavailable.send() : Action.Pause;
  }

  onCallResponse(response: CallResponse): void {
    const answer = response.status == 200 ? parseJson(response.body) : null;
    if (answer === null) {
      logWarn(
        'introspection: ' + (response.failed ? response.reason.toString() : response.status.toString()),
      );
      unavailable.send();
      return;
    }
    const active = answer.get('active');
    if (active === null || active.number != 1) {
      inactive.send();
      return;
    }
    const sub = answer.get('sub');
    const user = sub === null ? new ArrayBuffer(0) : sub.text;
    this.root.remember(this.token, user);
    requestHeaders.set(USER, user);
    resumeRequest();
  }

  recycle(): bool {
    this.token = '';
    return true;
  }
}

/** `b64token` of RFC 6750, section 2.1, without what a form would have to encode: `+` and `/`. */
function isTokenByte(byte: i32): bool {
  if (<u32>((byte | 32) - 97) < 26 || <u32>(byte - 48) < 10) return true;
  return byte == 45 || byte == 46 || byte == 95 || byte == 126 || byte == 61;
}

registerRoot(new IntrospectionRoot());
