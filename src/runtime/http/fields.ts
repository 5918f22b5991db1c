/**
 * Field names that weir knows, kept encoded in lower case so that the hot path compares bytes, and
 * one function that tells them apart.
 */

const encode = (name: string): Buffer => Buffer.from(name, 'latin1');

export const ACCEPT = encode('accept');
export const AUTHORIZATION = encode('authorization');
export const CONNECTION = encode('connection');
export const CONTENT_LENGTH = encode('content-length');
export const CONTENT_TYPE = encode('content-type');
export const COOKIE = encode('cookie');
export const EXPECT = encode('expect');
export const FORWARDED = encode('forwarded');
export const HOST = encode('host');
export const KEEP_ALIVE = encode('keep-alive');
export const TE = encode('te');
export const TRAILER = encode('trailer');
export const TRANSFER_ENCODING = encode('transfer-encoding');
export const UPGRADE = encode('upgrade');
export const X_FORWARDED_CLIENT_CERT = encode('x-forwarded-client-cert');
export const X_FORWARDED_FOR = encode('x-forwarded-for');
export const X_FORWARDED_PROTO = encode('x-forwarded-proto');
export const X_REAL_IP = encode('x-real-ip');
export const X_REQUEST_ID = encode('x-request-id');

const HTTP2_SETTINGS = encode('http2-settings');
const PROXY_AUTHENTICATE = encode('proxy-authenticate');
const PROXY_CONNECTION = encode('proxy-connection');
const X_FORWARDED = encode('x-forwarded-');

/** Fields that the readers and the writer treat by name. */
export const FieldId = {
  /** Relayed as it is. */
  Other: 0,
  Host: 1,
  ContentLength: 2,
  TransferEncoding: 3,
  Connection: 4,
  Upgrade: 5,
  Te: 6,
  Expect: 7,
  /** Keep-Alive, Proxy-Connection, Proxy-Authenticate, Trailer, HTTP2-Settings: for one connection, always left out. */
  HopByHop: 8,
  /** X-Forwarded-*, Forwarded, X-Real-IP, X-Request-Id: what a proxy in front says about the client. */
  Forwarding: 9,
  /** Cookie, Authorization: relayed, and no Connection option may take them away. */
  Credential: 10,
  /** X-Forwarded-Client-Cert: left out unless the listener lets it in. */
  ClientCert: 11,
} as const;
export type FieldId = (typeof FieldId)[keyof typeof FieldId];

/** Bit n is set where a name of n bytes has an entry in {@link fieldId}; most names stop here. */
const KNOWN_SIZES =
  (1 << 2) |
  (1 << 4) |
  (1 << 6) |
  (1 << 7) |
  (1 << 9) |
  (1 << 10) |
  (1 << 12) |
  (1 << 13) |
  (1 << 14) |
  (1 << 16) |
  (1 << 17) |
  (1 << 18);

/** Tells which of the fields above a name is. Any case. */
export function fieldId(bytes: Uint8Array, start: number, end: number): FieldId {
  const size = end - start;
  const first = bytes[start]! | 0x20;
  if (first === 0x78 /* x */) {
    if (size > 12 && begins(bytes, start, X_FORWARDED)) {
      const isCert = size === 23 && begins(bytes, start, X_FORWARDED_CLIENT_CERT);
      return isCert ? FieldId.ClientCert : FieldId.Forwarding;
    }
    if (size === 9 && begins(bytes, start, X_REAL_IP)) return FieldId.Forwarding;
    if (size === 12 && begins(bytes, start, X_REQUEST_ID)) return FieldId.Forwarding;
    return FieldId.Other;
  }
  if (size > 18 || ((KNOWN_SIZES >>> size) & 1) === 0) return FieldId.Other;
  switch (size) {
    case 2:
      return begins(bytes, start, TE) ? FieldId.Te : FieldId.Other;
    case 4:
      return begins(bytes, start, HOST) ? FieldId.Host : FieldId.Other;
    case 6:
      if (first === 0x65) return begins(bytes, start, EXPECT) ? FieldId.Expect : FieldId.Other;
      return begins(bytes, start, COOKIE) ? FieldId.Credential : FieldId.Other;
    case 7:
      if (first === 0x75) return begins(bytes, start, UPGRADE) ? FieldId.Upgrade : FieldId.Other;
      return begins(bytes, start, TRAILER) ? FieldId.HopByHop : FieldId.Other;
    case 9:
      return begins(bytes, start, FORWARDED) ? FieldId.Forwarding : FieldId.Other;
    case 10:
      if (first === 0x63) return begins(bytes, start, CONNECTION) ? FieldId.Connection : FieldId.Other;
      return begins(bytes, start, KEEP_ALIVE) ? FieldId.HopByHop : FieldId.Other;
    case 13:
      return begins(bytes, start, AUTHORIZATION) ? FieldId.Credential : FieldId.Other;
    case 14:
      if (first === 0x63) return begins(bytes, start, CONTENT_LENGTH) ? FieldId.ContentLength : FieldId.Other;
      return begins(bytes, start, HTTP2_SETTINGS) ? FieldId.HopByHop : FieldId.Other;
    case 16:
      return begins(bytes, start, PROXY_CONNECTION) ? FieldId.HopByHop : FieldId.Other;
    case 17:
      return begins(bytes, start, TRANSFER_ENCODING) ? FieldId.TransferEncoding : FieldId.Other;
    case 18:
      return begins(bytes, start, PROXY_AUTHENTICATE) ? FieldId.HopByHop : FieldId.Other;
    default:
      return FieldId.Other;
  }
}

/**
 * Do the bytes at `start` begin with a name made of lower-case letters, digits and `-`? Setting
 * 0x20 folds the case of letters and changes no other token byte into one of those.
 */
function begins(bytes: Uint8Array, start: number, name: Buffer): boolean {
  for (let i = 0; i < name.length; i++) if ((bytes[start + i]! | 0x20) !== name[i]) return false;
  return true;
}

/** Do the bytes equal `text`, which is in lower case, without regard to the case of ASCII letters? */
export function equalsIgnoringCase(bytes: Uint8Array, start: number, end: number, text: Buffer): boolean {
  return end - start === text.length && begins(bytes, start, text);
}

/** What is done with a field that is known by name. */
export const Keep = { Yes: 0, No: 1, Refused: 2 } as const;
export type Keep = (typeof Keep)[keyof typeof Keep];
