import { ByteWriter, Bytes, requestHeaders } from '@weir/filters-sdk/assembly';
import { fromBase64 } from '@weir/filters-sdk/assembly/base64';

/** What a request says of its signature. Its bytes are good until the next request. */
export class Claim {
  /** Signatures of 32 bytes each, one behind the other: a sender that changes its secret sends two. */
  readonly signatures: ByteWriter = new ByteWriter(64);
  /** What stands before the body in what was signed. */
  readonly before: ByteWriter = new ByteWriter(128);
  /** Seconds since 1970; -1: this scheme has none. */
  time: i64 = -1;

  clear(): Claim {
    this.signatures.clear();
    this.before.clear();
    this.time = -1;
    return this;
  }
}

/** How a sender of webhooks signs: all with HMAC and SHA-256. */
export abstract class Scheme {
  /** False: the request has no signature that could count. */
  abstract read(claim: Claim): bool;
}

/** One field with the signature of the body alone, behind a prefix. */
export class PlainScheme extends Scheme {
  constructor(
    private header: ArrayBuffer,
    private prefix: ArrayBuffer,
    private base64: bool,
  ) {
    super();
  }

  read(claim: Claim): bool {
    const value = single(this.header, signature);
    if (value === null || !value.startsWith(this.prefix)) return false;
    const text = value.slice(this.prefix.byteLength);
    return this.base64 ? addBase64(claim.signatures, text) : addHex(claim.signatures, text);
  }
}

/** `Stripe-Signature: t=1492774577,v1=5257…,v1=…` over `t.body`. */
export class StripeScheme extends Scheme {
  read(claim: Claim): bool {
    const value = single('stripe-signature', signature);
    if (value === null) return false;
    let rest = value;
    for (;;) {
      const comma = rest.indexOf(44);
      const part = comma < 0 ? rest : rest.slice(0, comma);
      if (part.startsWith('t=')) {
        if (claim.time >= 0) return false;
        claim.time = seconds(part.slice(2));
        claim.before.add(part.slice(2)).add('.');
      } else if (part.startsWith('v1=') && !addHex(claim.signatures, part.slice(3))) return false;
      if (comma < 0) break;
      rest = rest.slice(comma + 1);
    }
    return claim.time >= 0 && claim.signatures.length > 0;
  }
}

/** `X-Slack-Signature: v0=…` over `v0:time:body`. */
export class SlackScheme extends Scheme {
  read(claim: Claim): bool {
    const value = single('x-slack-signature', signature);
    const stamp = single('x-slack-request-timestamp', time);
    if (value === null || stamp === null || !value.startsWith('v0=')) return false;
    claim.time = seconds(stamp);
    claim.before.add('v0:').add(stamp).add(':');
    return claim.time >= 0 && addHex(claim.signatures, value.slice(3));
  }
}

/** Standard Webhooks: `webhook-signature: v1,BASE64 v1,BASE64` over `id.time.body`. */
export class StandardScheme extends Scheme {
  read(claim: Claim): bool {
    const value = single('webhook-signature', signature);
    const name = single('webhook-id', id);
    const stamp = single('webhook-timestamp', time);
    if (value === null || name === null || stamp === null || name.length == 0 || name.length > 256)
      return false;
    claim.time = seconds(stamp);
    // A dot in it could move what is the id, what the time and what the body.
    if (claim.time < 0 || name.indexOf(46) >= 0) return false;
    claim.before.add(name).add('.').add(stamp).add('.');
    let rest = value;
    for (;;) {
      const space = rest.indexOf(32);
      const part = space < 0 ? rest : rest.slice(0, space);
      // Others, such as v1a, are signatures of another kind.
      if (part.startsWith('v1,') && !addBase64(claim.signatures, part.slice(3))) return false;
      if (space < 0) break;
      rest = rest.slice(space + 1);
    }
    return claim.signatures.length > 0;
  }
}

const MOST_SIGNATURES = 8;
const SIZE = 32;

const signature = new ByteWriter(512);
const time = new ByteWriter(32);
const id = new ByteWriter(256);

/** The value of a field that is there once; of two nobody knows which one was signed. @param into holds it */
function single<T>(name: T, into: ByteWriter): Bytes | null {
  const fields = requestHeaders.all();
  if (!fields.nextNamed(name)) return null;
  into.clear().add(fields.value);
  return fields.nextNamed(name) ? null : into.view();
}

/** -1: no number of seconds. */
function seconds(text: Bytes): i64 {
  if (text.length == 0 || text.length > 12) return -1;
  let time: i64 = 0;
  for (let i = 0; i < text.length; i++) {
    const digit = text.at(i) - 48;
    if (<u32>digit > 9) return -1;
    time = time * 10 + digit;
  }
  return time;
}

function addHex(into: ByteWriter, text: Bytes): bool {
  if (text.length != 2 * SIZE || into.length >= MOST_SIGNATURES * SIZE) return false;
  for (let i = 0; i < text.length; i += 2) {
    const high = digitOf(text.at(i));
    const low = digitOf(text.at(i + 1));
    if (high < 0 || low < 0) return false;
    into.addByte((high << 4) | low);
  }
  return true;
}

function digitOf(byte: i32): i32 {
  if (<u32>(byte - 48) < 10) return byte - 48;
  return <u32>((byte | 32) - 97) < 6 ? (byte | 32) - 87 : -1;
}

function addBase64(into: ByteWriter, text: Bytes): bool {
  if (into.length >= MOST_SIGNATURES * SIZE) return false;
  const bytes = fromBase64(text);
  if (bytes === null || bytes.length != SIZE) return false;
  into.add(bytes);
  return true;
}
