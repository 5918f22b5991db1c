// Tokens that requests carry (RFC 6750): where they may be, and how one is refused.
import { toBase64 } from './base64';
import { Bytes, utf8, view } from './bytes';
import { Config, JsonValue, faultAt } from './config';
import { credentialOf, fieldName } from './fields';
import { requestHeaders } from './headers';
import { Pairs } from './pairs';
import { Parts, encodePart } from './parts';
import { Reply } from './reply';
import { ByteWriter } from './writer';

const NONE = new ArrayBuffer(0);
const COOKIE = utf8('cookie');
const cookies = new Parts();

/** One place where a token may be. */
class Source {
  constructor(
    /** Of the header field; of the cookie, where it is one. */
    public name: ArrayBuffer,
    /** What stands before the token in a header; empty: nothing. */
    public scheme: ArrayBuffer,
    public isCookie: bool,
  ) {}
}

/** Places where a token may be, all of which are looked at: two tokens in one request leave open which one counts. */
export class TokenSources {
  private list: Source[] = [];
  /** Whether the last request had more than one. */
  several: bool = false;
  private start: usize = 0;
  private length: i32 = 0;

  /** Reads `from` of a configuration: `{header, scheme}` or `{cookie}` each. Without it: `Authorization: Bearer`. */
  read(config: Config): void {
    const from = config.items('from');
    for (let i = 0; i < from.length; i++) this.readSource(from[i]);
    if (from.length == 0) this.list.push(new Source(utf8('authorization'), utf8('Bearer'), false));
  }

  private readSource(value: JsonValue): void {
    const config = Config.of(value);
    if (config.has('header')) {
      const name = fieldName(config.text('header'));
      const scheme = config.has('scheme') ? config.text('scheme') : NONE;
      if (name === null) faultAt(value, 'not the name of a field that filters may change');
      else this.list.push(new Source(name, scheme, false));
    } else if (config.has('cookie')) {
      this.list.push(new Source(config.text('cookie'), NONE, true));
    } else faultAt(value, 'expected header or cookie, with a name');
    config.end();
  }

  /** The one token of a request; null where there is none, or with `several` where there are more. */
  find(fields: Pairs): Bytes | null {
    this.several = false;
    this.start = 0;
    while (fields.next()) {
      for (let i = 0; i < this.list.length; i++) this.look(unchecked(this.list[i]), fields);
    }
    return this.several || this.start == 0 ? null : Bytes.of(this.start, this.length);
  }

  private look(source: Source, fields: Pairs): void {
    if (!source.isCookie) {
      if (fields.name.equals(source.name)) this.lookInHeader(source, fields.value);
      return;
    }
    if (!fields.name.equals(COOKIE)) return;
    cookies.cookies(fields.value);
    while (cookies.next()) if (cookies.name.equals(source.name)) this.take(cookies.value);
  }

  private lookInHeader(source: Source, value: Bytes): void {
    const token = source.scheme.byteLength > 0 ? credentialOf(value, source.scheme) : value;
    // Another scheme is another filter's business.
    if (token !== null) this.take(token);
  }

  private take(token: Bytes): void {
    if (this.start != 0) this.several = true;
    this.start = token.start;
    this.length = token.length;
  }

  /** Takes the header fields that may hold a token out of the request; cookies stay. */
  strip(): void {
    for (let i = 0; i < this.list.length; i++)
      if (!this.list[i].isCookie) requestHeaders.remove(this.list[i].name);
  }
}

/**
 * A 401 with the challenge of RFC 6750, section 3.
 *
 * @param error `invalid_token`; empty where there was no token
 * @param details what access logs show
 */
export function bearerChallenge(realm: ArrayBuffer, error: string, details: string, text: string): Reply {
  const reply = Reply.problem(401, 'Unauthorized', text, details);
  const field = new ByteWriter(64).add('Bearer realm="').add(realm).add('"');
  if (error.length > 0) field.add(', error="').add(error).add('"');
  reply.headers.add('www-authenticate', field.view());
  return reply;
}

/**
 * How a client says to a server who it is, as the value of Authorization (RFC 6749, section 2.3.1): both parts are encoded as
 * in a form before they are joined.
 */
export function clientCredentials(id: ArrayBuffer, secret: ArrayBuffer): ArrayBuffer {
  const pair = new ByteWriter(128);
  encodePart(view(id), pair);
  encodePart(view(secret), pair.addByte(58));
  const encoded = toBase64(pair.view());
  return pair.clear().add('Basic ').add(encoded).copy();
}
