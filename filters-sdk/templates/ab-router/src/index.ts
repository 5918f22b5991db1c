// Sends a share of the clients to another version, and each client always to the same one.

// Hands on the callbacks that the host makes. Without this line the module is no filter.
export * from '@weir/filters-sdk/assembly/exports';
import {
  Action,
  ByteWriter,
  Bytes,
  RootContext,
  StreamContext,
  registerRoot,
  requestHeaders,
  responseHeaders,
  utf8,
} from '@weir/filters-sdk/assembly';
import { readConfig } from '@weir/filters-sdk/assembly/config';

const COOKIE = utf8('cookie');
const SET_COOKIE = utf8('set-cookie');
const VARIANT = utf8('x-variant');
const A = utf8('a');
const B = utf8('b');
const SEMICOLON: i32 = 59;
const EQUALS: i32 = 61;

const text = new ByteWriter(128);

class RouterRoot extends RootContext {
  cookie: ArrayBuffer = utf8('');
  /** Percent of new clients. */
  share: i64 = 0;
  days: i64 = 0;

  onConfigure(configuration: ArrayBuffer): bool {
    const config = readConfig(configuration);
    this.cookie = config.text('cookie', utf8('variant'));
    this.share = config.integer('share', 0, 100, 50);
    this.days = config.integer('days', 1, 400, 30);
    return config.end();
  }

  createStream(): StreamContext {
    return new Routed(this);
  }
}

class Routed extends StreamContext {
  /** The client does not know yet which one it has. */
  private isNew: bool = false;
  private isB: bool = false;

  constructor(private root: RouterRoot) {
    super();
  }

  onRequestHeaders(_count: i32, _endOfStream: bool): Action {
    const known = this.known();
    this.isNew = known === null;
    // A share of 0 ends the trial for everybody, cookie or not.
    this.isB = this.root.share > 0 && (known === null ? this.draw() : known.equals(B));
    if (this.isB) requestHeaders.set(VARIANT, B);
    else requestHeaders.remove(VARIANT);
    return Action.Continue;
  }

  onResponseHeaders(_count: i32, _endOfStream: bool): Action {
    responseHeaders.set(VARIANT, this.isB ? B : A);
    if (!this.isNew) return Action.Continue;
    text
      .clear()
      .add(this.root.cookie)
      .addByte(EQUALS)
      .add(this.isB ? B : A);
    text.add('; Path=/; HttpOnly; SameSite=Lax; Max-Age=').addNumber(this.root.days * 86_400);
    // Added, not set: the upstream's own cookies stay.
    responseHeaders.add(SET_COOKIE, text.view());
    return Action.Continue;
  }

  /** By lot: the host has good random numbers. */
  private draw(): bool {
    return <i64>(Math.random() * 100) < this.root.share;
  }

  /** What the cookie says, or null where it is missing or says something else. */
  private known(): Bytes | null {
    const fields = requestHeaders.all();
    while (fields.nextNamed(COOKIE)) {
      const value = cookieIn(fields.value, this.root.cookie);
      if (value !== null && (value.equals(A) || value.equals(B))) return value;
    }
    return null;
  }
}

/** The value of one cookie of a field such as `theme=dark; variant=b`, or null. */
function cookieIn(field: Bytes, name: ArrayBuffer): Bytes | null {
  for (let from = 0; from <= field.length;) {
    const next = field.indexOf(SEMICOLON, from);
    const to = next < 0 ? field.length : next;
    const pair = field.slice(from, to).trim();
    const equals = pair.indexOf(EQUALS);
    if (equals > 0 && pair.slice(0, equals).equals(name)) return pair.slice(equals + 1);
    from = to + 1;
  }
  return null;
}

registerRoot(new RouterRoot());
