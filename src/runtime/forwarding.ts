import { isIP } from 'node:net';
import { X_FORWARDED_FOR, X_FORWARDED_PROTO, X_REQUEST_ID } from './http/fields.ts';
import type { HeaderBlock } from './http/headers.ts';
import { REQUEST_ID_LENGTH, writeRequestId } from './request-id.ts';

/** Clients that are remembered; beyond them all are worked out again rather than kept for ever. */
const KEPT = 4096;

const requestId = Buffer.allocUnsafeSlow(REQUEST_ID_LENGTH);

/**
 * What weir says to upstreams of where a request came from: X-Forwarded-For, X-Forwarded-Proto, X-Request-Id.
 * Those that the request brought were left out by its reader, but behind trusted proxies.
 */
export class Forwarding {
  readonly #address: string;
  readonly #proto: string;
  /** The three fields, each `name: value CRLF`; the id's value is written over in the copy. */
  readonly #lines: Buffer;
  /** Four a field, as `spans` of a header block, counted from the start of the lines. */
  readonly #offsets: Int32Array;
  /** Where the id's value begins. */
  readonly #idOffset: number;

  constructor(address: string, secure: boolean) {
    this.#address = address;
    this.#proto = secure ? 'https' : 'http';
    const fields = [
      ['x-forwarded-for', address],
      ['x-forwarded-proto', this.#proto],
      ['x-request-id', '-'.repeat(REQUEST_ID_LENGTH)],
    ] as const;
    this.#lines = Buffer.from(fields.map(([name, value]) => `${name}: ${value}\r\n`).join(''), 'latin1');
    this.#offsets = new Int32Array(4 * fields.length);
    let at = 0;
    for (const [i, [name, value]] of fields.entries()) {
      const valueAt = at + name.length + 2;
      this.#offsets.set([at, at + name.length, valueAt, valueAt + value.length], 4 * i);
      at = valueAt + value.length + 2;
    }
    this.#idOffset = this.#offsets.at(-2)!;
  }

  /** @param trustedHops proxies before weir whose word counts */
  append(request: HeaderBlock, trustedHops: number): void {
    if (trustedHops > 0) {
      this.#appendTrusted(request);
      return;
    }
    const at = request.appendLines(this.#lines, this.#offsets);
    writeRequestId(request.bytes, at + this.#idOffset);
  }

  #appendTrusted(request: HeaderBlock): void {
    const hops = reported(request);
    hops.push(this.#address);
    request.replaceText('x-forwarded-for', hops.join(', '));
    if (request.indexOf(X_FORWARDED_PROTO) < 0) request.appendText('x-forwarded-proto', this.#proto);
    if (request.indexOf(X_REQUEST_ID) >= 0) return;
    writeRequestId(requestId, 0);
    request.append(X_REQUEST_ID, 0, X_REQUEST_ID.length, requestId, 0, REQUEST_ID_LENGTH);
  }

  /**
   * Address of the client: the peer's, or behind n trusted proxies the n-th from the right of those that
   * they report, with a port or without; where there are fewer, or that one is no address, the peer's.
   *
   * @param request with what `append` added
   */
  clientAddress(request: HeaderBlock, trustedHops: number): string {
    if (trustedHops === 0) return this.#address;
    const hop = withoutPort(reported(request).at(-1 - trustedHops) ?? '');
    return isIP(hop) === 0 ? this.#address : hop;
  }
}

/** Some proxies write the client's port as well: `192.0.2.1:4711`, `[2001:db8::1]:4711`. */
function withoutPort(hop: string): string {
  if (isIP(hop) !== 0) return hop;
  const [, v6, v4] = /^(?:\[([^\]]*)\]|([\d.]+))(?::\d{1,5})?$/.exec(hop) ?? [];
  return v6 ?? v4 ?? hop;
}

/** All addresses of all X-Forwarded-For fields, from the client on. */
function reported(request: HeaderBlock): string[] {
  const hops: string[] = [];
  for (let i = request.indexOf(X_FORWARDED_FOR); i >= 0; i = request.indexOf(X_FORWARDED_FOR, i + 1)) {
    for (const hop of request.valueText(i).split(',')) if (hop.trim() !== '') hops.push(hop.trim());
  }
  return hops;
}

const plain = new Map<string, Forwarding>();
const secured = new Map<string, Forwarding>();

/** One object for all connections of a client, which are many where it does not keep them. */
export function forwardingFor(address: string, secure: boolean): Forwarding {
  const known = secure ? secured : plain;
  let forwarding = known.get(address);
  if (forwarding === undefined) {
    if (known.size >= KEPT) known.clear();
    forwarding = new Forwarding(address, secure);
    known.set(address, forwarding);
  }
  return forwarding;
}
