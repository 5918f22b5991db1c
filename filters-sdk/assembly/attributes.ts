import { Bytes, isToken, lower, utf8 } from './bytes';
import { requestHeaders } from './headers';
import { integerProperty, property, propertyPath } from './properties';
import { ByteWriter } from './writer';

// Attributes of a stream by the names that configurations use, compiled once.

enum Kind {
  Text,
  Integer,
  Boolean,
  /** `ip:port`, of which the port is left out. */
  Address,
  /** A pseudo-header of the request: dearer as a property. */
  RequestHeader,
  /** `:path` up to the query. */
  Path,
  /** `:path` after the question mark. */
  Query,
}

const TEXTS = [
  'request.id',
  'request.protocol',
  'request.referer',
  'request.useragent',
  'route_name',
  'cluster_name',
  'node.id',
  'node.cluster',
  'response.code_details',
  'connection.requested_server_name',
  'connection.tls_version',
  'connection.subject_peer_certificate',
  'connection.uri_san_peer_certificate',
  'connection.dns_san_peer_certificate',
  'connection.sha256_peer_certificate_digest',
];
const INTEGERS = [
  'response.code',
  'request.size',
  'request.total_size',
  'response.size',
  'response.total_size',
  'source.port',
  'destination.port',
  'upstream.port',
  'connection.id',
  'upstream.request_attempt_count',
];
const ADDRESSES = ['source.address', 'destination.address', 'upstream.address'];

/** Something that the host, or a filter before, knows of a stream. */
export class Attribute {
  constructor(
    private kind: Kind,
    private path: ArrayBuffer,
  ) {}

  /** Writes it as text; nothing where the stream does not have it. False then. */
  write(writer: ByteWriter): bool {
    switch (this.kind) {
      case Kind.Integer: {
        const value = integerProperty(this.path, i64.MIN_VALUE);
        if (value == i64.MIN_VALUE) return false;
        writer.addNumber(value);
        return true;
      }
      case Kind.Boolean: {
        const value = property(this.path);
        if (value === null) return false;
        const holds = value.length == 1 ? value.at(0) == 1 : value.equals('true');
        writer.add(holds ? 'true' : 'false');
        return true;
      }
      default: {
        const value = this.text();
        if (value === null) return false;
        writer.add<Bytes>(value);
        return true;
      }
    }
  }

  private text(): Bytes | null {
    const kind = this.kind;
    if (kind < Kind.RequestHeader) {
      const value = property(this.path);
      return value !== null && kind == Kind.Address ? withoutPort(value) : value;
    }
    const value = requestHeaders.get(this.path);
    if (value === null || kind == Kind.RequestHeader) return value;
    const mark = value.indexOf(63);
    if (kind == Kind.Path) return mark < 0 ? value : value.slice(0, mark);
    return mark < 0 ? value.slice(value.length) : value.slice(mark + 1);
  }
}

/** The address of `ip:port` or `[ip]:port`, without brackets. */
export function withoutPort(address: Bytes): Bytes {
  const colon = address.lastIndexOf(58);
  if (colon < 0) return address;
  if (address.length > 0 && address.at(0) == 91) return address.slice(1, address.indexOf(93));
  // More than one colon and no brackets: an IPv6 address that has no port.
  return address.indexOf(58) == colon ? address.slice(0, colon) : address;
}

/** Null where there is no attribute of this name. */
export function parseAttribute(text: Bytes): Attribute | null {
  const name = text.toString();
  if (name == 'request.path') return header(Kind.RequestHeader, ':path');
  if (name == 'request.url_path') return header(Kind.Path, ':path');
  if (name == 'request.query') return header(Kind.Query, ':path');
  if (name == 'request.method') return header(Kind.RequestHeader, ':method');
  if (name == 'request.host') return header(Kind.RequestHeader, ':authority');
  if (name == 'request.scheme') return header(Kind.RequestHeader, ':scheme');
  if (name == 'connection.mtls') return known(Kind.Boolean, name);
  for (let i = 0; i < TEXTS.length; i++) if (name == TEXTS[i]) return known(Kind.Text, name);
  for (let i = 0; i < INTEGERS.length; i++) if (name == INTEGERS[i]) return known(Kind.Integer, name);
  for (let i = 0; i < ADDRESSES.length; i++) if (name == ADDRESSES[i]) return known(Kind.Address, name);
  // What other filters leave: `consumer.name` comes from `api-key`. One segment: Envoy finds no others again.
  if (name.startsWith('consumer.') && name.length > 9) return new Attribute(Kind.Text, utf8(name));
  if (name.startsWith('graphql.') && name.length > 8) return new Attribute(Kind.Text, utf8(name));
  if (name.startsWith('request.headers.')) return field('request.headers[', text, 16);
  if (name.startsWith('response.headers.')) return field('response.headers[', text, 17);
  return null;
}

function header(kind: Kind, name: string): Attribute {
  return new Attribute(kind, utf8(name));
}

function known(kind: Kind, name: string): Attribute {
  return new Attribute(kind, propertyPath(name));
}

/** All values of a field, joined by commas, as the property has it. */
function field(prefix: string, text: Bytes, from: i32): Attribute | null {
  if (from == text.length) return null;
  for (let i = from; i < text.length; i++) {
    if (!isToken(text.at(i))) return null;
    store<u8>(text.start + i, <u8>lower(text.at(i)));
  }
  return new Attribute(Kind.Text, propertyPath(prefix + text.slice(from).toString() + ']'));
}
