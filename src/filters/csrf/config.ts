import { Bytes, Reply, lower, utf8, view } from '@weir/filters-sdk/assembly';
import { Config, JsonKind, faultAt, readConfig } from '@weir/filters-sdk/assembly/config';
import { fieldName } from '@weir/filters-sdk/assembly/fields';
import { isBelow } from '@weir/filters-sdk/assembly/url';

const NONE = new ArrayBuffer(0);
/** Methods that change nothing (RFC 9110, section 9.2.1). */
const SAFE = ['GET', 'HEAD', 'OPTIONS', 'TRACE'];

export class CsrfConfig {
  private origins: ArrayBuffer[] = [];
  private paths: ArrayBuffer[] = [];
  /** Without an Origin, too, a request is refused. */
  requireOrigin: bool = false;
  /** Of the token that a page sends twice; empty: it sends none. */
  cookie: ArrayBuffer = NONE;
  header: ArrayBuffer = NONE;
  crossSite: Reply = Reply.problem(
    403,
    'Forbidden',
    'the request comes from another site',
    'csrf_cross_site',
  );
  token: Reply = Reply.problem(403, 'Forbidden', 'the token of the page is missing or another', 'csrf_token');

  read(configuration: ArrayBuffer): bool {
    const config = readConfig(configuration);
    const origins = config.items('allowedOrigins');
    for (let i = 0; i < origins.length; i++) {
      const item = origins[i];
      if (item.kind != JsonKind.String || !isOrigin(view(item.text)))
        faultAt(item, 'expected a scheme and a host, such as https://app.example.com');
      this.origins.push(item.text);
    }
    const paths = config.items('exemptPaths');
    for (let i = 0; i < paths.length; i++) {
      const item = paths[i];
      if (item.kind != JsonKind.String || item.text.byteLength == 0 || view(item.text).at(0) != 47)
        faultAt(item, 'expected a path');
      this.paths.push(item.text);
    }
    this.requireOrigin = config.boolean('requireOrigin', false);
    if (config.has('token')) this.readToken(config.object('token'));
    return config.end();
  }

  private readToken(token: Config): void {
    this.cookie = token.text('cookie');
    if (this.cookie.byteLength == 0) token.fault('cookie', 'must not be empty');
    const name = token.has('header') ? fieldName(token.text('header')) : utf8('x-csrf-token');
    if (name === null) token.fault('header', 'must be the name of a field that filters may change');
    else this.header = name;
  }

  isSafe(method: Bytes): bool {
    for (let i = 0; i < SAFE.length; i++) if (method.equals(SAFE[i])) return true;
    return false;
  }

  allows(origin: Bytes): bool {
    for (let i = 0; i < this.origins.length; i++) if (origin.equalsIgnoreCase(this.origins[i])) return true;
    return false;
  }

  /**
   * @param path without the query; a path that is listed stands for what is below it as well. Not so one that a server behind could
   *   read as another: with escapes, parameters of segments, or slashes of other kinds
   */
  isExempt(path: Bytes): bool {
    for (let i = 0; i < path.length; i++) {
      const byte = path.at(i);
      if (byte == 37 || byte == 59 || byte == 92 || (byte == 47 && i > 0 && path.at(i - 1) == 47))
        return false;
    }
    for (let i = 0; i < this.paths.length; i++) if (isBelow(path, view(this.paths[i]))) return true;
    return false;
  }
}

/** `scheme://host[:port]` in lower case. */
function isOrigin(text: Bytes): bool {
  const scheme = text.indexOfBytes('://');
  if (scheme < 1 || text.length == scheme + 3) return false;
  for (let i = 0; i < text.length; i++) {
    const byte = text.at(i);
    if (byte <= 32 || byte >= 127 || lower(byte) != byte) return false;
    if (i > scheme + 2 && !isHostByte(byte)) return false;
  }
  return true;
}

function isHostByte(byte: i32): bool {
  if (<u32>(byte - 97) < 26 || <u32>(byte - 48) < 10) return true;
  return byte == 45 || byte == 46 || byte == 58 || byte == 91 || byte == 93 || byte == 95;
}
