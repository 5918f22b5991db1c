import { type HeaderBlock, Pseudo } from './http/headers.ts';
import type { PathRewrite, RedirectSpec, RewriteSpec } from './snapshot.ts';
import { hostEnd } from './host-table.ts';

const COLON = 0x3a;
const ZERO = 0x30;
const SLASH = 0x2f;
const QUESTION = 0x3f;

/** Scratch that grows to the longest result and is used again. */
class Scratch {
  bytes = Buffer.allocUnsafeSlow(1024);
  length = 0;

  put(from: Uint8Array, start: number, end: number): void {
    if (this.length + end - start > this.bytes.length) {
      const larger = Buffer.allocUnsafeSlow(2 * (this.length + end - start));
      this.bytes.copy(larger, 0, 0, this.length);
      this.bytes = larger;
    }
    for (let i = start; i < end; i++) this.bytes[this.length++] = from[i]!;
  }

  putByte(byte: number): void {
    ONE[0] = byte;
    this.put(ONE, 0, 1);
  }

  putNumber(value: number): void {
    if (value >= 10) this.putNumber(Math.floor(value / 10));
    this.putByte(ZERO + (value % 10));
  }
}

const ONE = new Uint8Array(1);

/** A path replacement with its text encoded. */
class CompiledPath {
  readonly #full: boolean;
  readonly #value: Buffer;

  constructor(spec: PathRewrite) {
    this.#full = spec.type === 'full';
    this.#value = Buffer.from(spec.value, 'utf8');
  }

  /**
   * Appends the new path and the query as it was.
   *
   * A prefix is replaced by whole segments, and the slash between the replacement and the rest is
   * there exactly once: for prefix /foo, "/xyz" and "/xyz/" turn /foo/bar into /xyz/bar, and "" or
   * "/" into /bar.
   *
   * @param prefix bytes of the path that the match took, without a slash at their end
   */
  write(out: Scratch, bytes: Uint8Array, start: number, end: number, prefix: number): void {
    const value = this.#value;
    let query = start;
    while (query < end && bytes[query] !== QUESTION) query++;
    const before = out.length;
    const rest = Math.min(start + prefix, query);
    if (this.#full || rest === query) {
      out.put(value, 0, value.length);
    } else {
      const ends = value.length > 0 && value[value.length - 1] === SLASH && bytes[rest] === SLASH;
      out.put(value, 0, ends ? value.length - 1 : value.length);
      out.put(bytes, rest, query);
    }
    if (out.length === before) out.putByte(SLASH);
    out.put(bytes, query, end);
  }
}

const scratch = new Scratch();

/** URLRewrite: changes :path and :authority of a request on its way upstream. */
export class CompiledRewrite {
  readonly #hostname: Buffer | null;
  readonly #path: CompiledPath | null;

  constructor(spec: RewriteSpec) {
    this.#hostname = spec.hostname === null ? null : Buffer.from(spec.hostname, 'latin1');
    this.#path = spec.path === null ? null : new CompiledPath(spec.path);
  }

  /** @param prefix the router's `matchedPrefixLength` for this request */
  apply(block: HeaderBlock, prefix: number): void {
    const hostname = this.#hostname;
    if (hostname !== null) block.setValue(Pseudo.Authority, hostname, 0, hostname.length);
    if (this.#path === null) return;
    scratch.length = 0;
    this.#path.write(
      scratch,
      block.bytes,
      block.spans[4 * Pseudo.Path + 2]!,
      block.spans[4 * Pseudo.Path + 3]!,
      prefix,
    );
    block.setValue(Pseudo.Path, scratch.bytes, 0, scratch.length);
  }
}

const HTTP = Buffer.from('http://', 'latin1');
const HTTPS = Buffer.from('https://', 'latin1');

/** RequestRedirect: what is not given in the specification stays as in the request. */
export class CompiledRedirect {
  readonly status: number;
  /** The Location of the last `build`: `bytes[0 … length)`, until the next rewrite or redirect. */
  get bytes(): Buffer {
    return scratch.bytes;
  }

  get length(): number {
    return scratch.length;
  }

  readonly #scheme: 'http' | 'https' | null;
  readonly #hostname: Buffer | null;
  readonly #port: number | null;
  readonly #path: CompiledPath | null;

  constructor(spec: RedirectSpec) {
    this.status = spec.status;
    this.#scheme = spec.scheme;
    this.#hostname = spec.hostname === null ? null : Buffer.from(spec.hostname, 'latin1');
    this.#port = spec.port;
    this.#path = spec.path === null ? null : new CompiledPath(spec.path);
  }

  /**
   * Builds the Location.
   *
   * Its port (Gateway API, HTTPRequestRedirectFilter): the one that is given; else, where a scheme is
   * given, that scheme's own; else the listener's. It is left out where it is the scheme's own.
   *
   * @param secure whether the listener speaks TLS
   * @param listenerPort the port that the client asked
   * @param prefix the router's `matchedPrefixLength`
   */
  build(block: HeaderBlock, secure: boolean, listenerPort: number, prefix: number): void {
    const { bytes, spans } = block;
    const start = spans[4 * Pseudo.Path + 2]!;
    const end = spans[4 * Pseudo.Path + 3]!;
    scratch.length = 0;
    this.#writeOrigin(block, secure, listenerPort);
    if (this.#path !== null) this.#path.write(scratch, bytes, start, end, prefix);
    else scratch.put(bytes, start, end);
  }

  #writeOrigin(block: HeaderBlock, secure: boolean, listenerPort: number): void {
    const hostStart = block.spans[4 * Pseudo.Authority + 2]!;
    const hostStop = hostEnd(block.bytes, hostStart, block.spans[4 * Pseudo.Authority + 3]!);
    // HTTP/1.0 may come without a host; a Location may come without one too.
    if (this.#hostname === null && hostStart === hostStop) return;
    const https = this.#scheme === null ? secure : this.#scheme === 'https';
    const schemePort = https ? 443 : 80;
    const port = this.#port ?? (this.#scheme === null ? listenerPort : schemePort);
    const scheme = https ? HTTPS : HTTP;
    scratch.put(scheme, 0, scheme.length);
    if (this.#hostname !== null) scratch.put(this.#hostname, 0, this.#hostname.length);
    else scratch.put(block.bytes, hostStart, hostStop);
    if (port === schemePort) return;
    scratch.putByte(COLON);
    scratch.putNumber(port);
  }
}
