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
import { configuration, pattern, range, readConfiguration } from '@weir/filters-sdk/assembly/configuration';
import { Parts } from '@weir/filters-sdk/assembly/parts';

const COOKIE = utf8('cookie');
const SET_COOKIE = utf8('set-cookie');
const VARIANT = utf8('x-variant');
const A = utf8('a');
const B = utf8('b');
const EQUALS: i32 = 61;

const text = new ByteWriter(128);
const cookies = new Parts();

/** Sends a share of the clients to another version. */
@configuration({ title: 'my-filter', phase: 'route', capabilities: ['headers', 'secrets'] })
class Settings {
  /** Percent of new clients that get version b; 0 ends the trial for everybody. */
  @range(0, 100) share: i64 = 50;
  /** The cookie by which a client is known again. */
  @pattern('[A-Za-z0-9_-]+') cookie: ArrayBuffer = utf8('variant');
  /** How long it is. */
  @range(1, 400) days: i64 = 30;
}

class RouterRoot extends RootContext {
  settings: Settings = new Settings();

  onConfigure(text: ArrayBuffer): bool {
    // Null refuses the configuration: the log has each fault, with line and column.
    const settings = readConfiguration<Settings>(text);
    if (settings === null) return false;
    this.settings = settings;
    return true;
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
    this.isB = this.root.settings.share > 0 && (known === null ? this.draw() : known.equals(B));
    if (this.isB) requestHeaders.set(VARIANT, B);
    else requestHeaders.remove(VARIANT);
    return Action.Continue;
  }

  onResponseHeaders(_count: i32, _endOfStream: bool): Action {
    responseHeaders.set(VARIANT, this.isB ? B : A);
    if (!this.isNew) return Action.Continue;
    text
      .clear()
      .add(this.root.settings.cookie)
      .addByte(EQUALS)
      .add(this.isB ? B : A);
    text.add('; Path=/; HttpOnly; SameSite=Lax; Max-Age=').addNumber(this.root.settings.days * 86_400);
    // Added, not set: the upstream's own cookies stay.
    responseHeaders.add(SET_COOKIE, text.view());
    return Action.Continue;
  }

  /** By lot: the host has good random numbers. */
  private draw(): bool {
    return <i64>(Math.random() * 100) < this.root.settings.share;
  }

  /** What the cookie says, or null where it is missing or says something else. */
  private known(): Bytes | null {
    const fields = requestHeaders.all();
    while (fields.nextNamed(COOKIE)) {
      cookies.cookies(fields.value);
      while (cookies.next()) {
        if (!cookies.name.equals(this.root.settings.cookie)) continue;
        const value = cookies.value;
        if (value.equals(A) || value.equals(B)) return value;
      }
    }
    return null;
  }
}

registerRoot(new RouterRoot());
