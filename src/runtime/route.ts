import { bytesEqual } from './byte-table.ts';
import { hostEnd, HostTable } from './host-table.ts';
import { type HeaderBlock, Pseudo } from './http/headers.ts';
import { CompiledVirtualHost } from './route-matches.ts';
import type { PortSpec, RuleSpec } from './snapshot.ts';

/** No rule matches: 404, after the chain of the listener, where one has the hostname. */
export const NO_ROUTE = -1;

/**
 * One for each connection: the virtual host of the authority seen last. A client that keeps its
 * connection keeps its authority, so that the look-up is one comparison of bytes.
 */
export class RouteCache {
  router: Router | null = null;
  listener = -1;
  virtualHost = -1;
  bytes: Buffer = EMPTY;
  length = 0;
}

const EMPTY = Buffer.alloc(0);

/**
 * Finds the rule for a request: listener by hostname, virtual host by hostname, then the first match
 * that holds, in the order that the control plane gave. Compiled once for a port and a snapshot;
 * `match` allocates nothing. Results beside the rule are left in fields.
 */
export class Router {
  /** Index into `PortSpec.listeners`, or -1. */
  listener = -1;
  /** Index into `ListenerSpec.virtualHosts`, or -1. */
  virtualHost = -1;
  /** How many bytes of the path the match took (0 for none and for a regular expression): what ReplacePrefixMatch replaces. */
  matchedPrefixLength = 0;

  readonly #listeners: HostTable;
  /** By listener. */
  readonly #hosts: readonly HostTable[];
  readonly #virtualHosts: readonly (readonly CompiledVirtualHost[])[];

  /**
   * @throws RangeError where a match names a rule that is not in `rules`
   * @throws PatternError where a regular expression is not one for `LinearRegex`
   */
  constructor(port: PortSpec, rules: readonly RuleSpec[]) {
    for (const match of port.listeners
      .flatMap((listener) => listener.virtualHosts)
      .flatMap((host) => host.matches)) {
      if (rules[match.rule] === undefined)
        throw new RangeError(`a match names rule ${match.rule} of ${rules.length}`);
    }
    this.#listeners = new HostTable(port.listeners.map((listener) => listener.hostname));
    this.#hosts = port.listeners.map(
      ({ virtualHosts }) => new HostTable(virtualHosts.map((host) => host.hostname)),
    );
    this.#virtualHosts = port.listeners.map(({ virtualHosts }) =>
      virtualHosts.map((host) => new CompiledVirtualHost(host.matches)),
    );
  }

  /**
   * @param block a request's head: :authority lower-case, :path normalised
   * @returns index of the rule, or `NO_ROUTE`
   */
  match(block: HeaderBlock, cache: RouteCache | null): number {
    this.#findHost(block, cache);
    this.matchedPrefixLength = 0;
    if (this.virtualHost === -1) return NO_ROUTE;
    const host = this.#virtualHosts[this.listener]![this.virtualHost]!;
    const found = host.find(block);
    if (found === null) return NO_ROUTE;
    this.matchedPrefixLength = found.path.length;
    return found.rule;
  }

  #findHost(block: HeaderBlock, cache: RouteCache | null): void {
    const bytes = block.bytes;
    const start = block.spans[4 * Pseudo.Authority + 2]!;
    const end = block.spans[4 * Pseudo.Authority + 3]!;
    if (cache === null) {
      this.#lookUp(bytes, start, end);
      return;
    }
    if (cache.router === this && cache.length === end - start && bytesEqual(cache.bytes, bytes, start)) {
      this.listener = cache.listener;
      this.virtualHost = cache.virtualHost;
      return;
    }
    this.#lookUp(bytes, start, end);
    cache.router = this;
    cache.listener = this.listener;
    cache.virtualHost = this.virtualHost;
    if (cache.length !== end - start) {
      cache.length = end - start;
      cache.bytes = Buffer.allocUnsafe(cache.length);
    }
    cache.bytes.set(bytes.subarray(start, end), 0);
  }

  #lookUp(bytes: Buffer, start: number, end: number): void {
    const host = hostEnd(bytes, start, end);
    this.listener = this.#listeners.find(bytes, start, host);
    this.virtualHost = this.listener === -1 ? -1 : this.#hosts[this.listener]!.find(bytes, start, host);
  }
}
