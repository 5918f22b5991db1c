import { Bytes, requestHeaders, utf8 } from '@weir/filters-sdk/assembly';
import { hasKnownCharset } from './charset';
import { Inspector } from './inspector';

const CONTENT_TYPE = utf8('content-type');
const CONTENT_LENGTH = utf8('content-length');
const TRANSFER_ENCODING = utf8('transfer-encoding');
const RANGE = utf8('range');
const ACCEPT = utf8('accept');
const ACCEPT_ENCODING = utf8('accept-encoding');
/** Servers take their method, path or proxy from these, whatever stands in the first line; `If` and `Lock-Token` are of WebDAV. */
const FORBIDDEN = [
  utf8('proxy'),
  utf8('if'),
  utf8('lock-token'),
  utf8('x-http-method-override'),
  utf8('x-http-method'),
  utf8('x-method-override'),
  utf8('x-original-url'),
  utf8('x-rewrite-url'),
  utf8('x-middleware-subrequest'),
];
const MOST_RANGES = 5;
const MOST_ENCODINGS = 100;

/**
 * What is wrong with a head whatever its values mean: it makes servers disagree on what was asked for.
 *
 * @param bodyFollows it will be looked at, and says itself whether it can be read
 */
export function lookAtFraming(inspector: Inspector, method: Bytes | null, bodyFollows: bool): void {
  const type = requestHeaders.get(CONTENT_TYPE);
  if (type !== null) {
    if (isRepeated(CONTENT_TYPE)) inspector.report('protocol/repeated-field');
    if (!isMediaType(type) || (!bodyFollows && !hasKnownCharset(type)))
      inspector.report('protocol/content-type');
  }
  if (method !== null && (method.equals('GET') || method.equals('HEAD')) && hasBody())
    inspector.report('protocol/body-of-get');
  for (let i = 0; i < FORBIDDEN.length; i++)
    if (requestHeaders.has(FORBIDDEN[i])) inspector.report('protocol/forbidden-field');
  const range = requestHeaders.get(RANGE);
  if (range !== null && !isRange(range)) inspector.report('protocol/range');
  const accept = requestHeaders.get(ACCEPT);
  if (accept !== null && !hasParameters(accept)) inspector.report('protocol/accept');
  const encodings = requestHeaders.get(ACCEPT_ENCODING);
  if (encodings !== null && encodings.length > MOST_ENCODINGS) inspector.report('protocol/accept');
}

function hasBody(): bool {
  if (requestHeaders.has(TRANSFER_ENCODING)) return true;
  const length = requestHeaders.get(CONTENT_LENGTH);
  return length !== null && !length.equals('0');
}

function isRepeated(name: ArrayBuffer): bool {
  const fields = requestHeaders.all();
  return fields.nextNamed(name) && fields.nextNamed(name);
}

/** `type/subtype`, then what parameters look like (RFC 9110, section 8.3.1); one type alone. */
function isMediaType(value: Bytes): bool {
  const end = value.indexOf(59);
  const type = (end < 0 ? value : value.slice(0, end)).trim();
  let slashes = 0;
  for (let i = 0; i < type.length; i++) {
    if (type.at(i) == 47) slashes++;
    else if (!isToken(type.at(i))) return false;
  }
  return slashes == 1 && type.at(0) != 47 && (end < 0 || hasParameters(value.slice(end)));
}

/** Also ranges of media types with their weights, as Accept has them. */
function hasParameters(value: Bytes): bool {
  let quoted = false;
  for (let i = 0; i < value.length; i++) {
    const byte = value.at(i);
    if (byte == 34) quoted = !quoted;
    else if (quoted ? byte < 32 && byte != 9 : !isToken(byte) && !isOfParameter(byte)) return false;
  }
  return !quoted;
}

function isToken(byte: i32): bool {
  if (<u32>(byte - 48) < 10 || <u32>((byte | 32) - 97) < 26) return true;
  return (
    byte == 33 ||
    (byte >= 35 && byte <= 39) ||
    byte == 42 ||
    byte == 43 ||
    byte == 45 ||
    byte == 46 ||
    (byte >= 94 && byte <= 96)
  );
}

/** White space, `;`, `,`, `=`, `/`, and what some write without quotes: `:`, `(`, `)`, `?`, `@`. */
function isOfParameter(byte: i32): bool {
  if (byte == 32 || byte == 9 || byte == 59 || byte == 44 || byte == 61 || byte == 47) return true;
  return byte == 58 || byte == 40 || byte == 41 || byte == 63 || byte == 64;
}

/** Few ranges, none of which goes backwards (RFC 9110, section 14.1.2, and section 17.15). */
function isRange(value: Bytes): bool {
  let count = 1;
  let first: i64 = -1;
  let number: i64 = -1;
  for (let i = value.indexOf(61) + 1; i <= value.length; i++) {
    const byte = i < value.length ? value.at(i) : 44;
    if (<u32>(byte - 48) < 10) number = min<i64>(max<i64>(number, 0) * 10 + byte - 48, 1 << 40);
    else if (byte == 45) {
      first = number;
      number = -1;
    } else if (byte == 44) {
      if (first >= 0 && number >= 0 && number < first) return false;
      first = number = -1;
      if (i < value.length && ++count > MOST_RANGES) return false;
    } else if (byte != 32) return false;
  }
  return true;
}
