import type { Connection } from './connection.ts';
import type { HeaderBlock } from './http/headers.ts';
import type { LiveSnapshot } from './live-snapshot.ts';

/** How often routing may be decided again because filters changed what it reads. */
const MAX_DECISIONS = 4;

/** Where a request goes, and whether filters have changed since then what that was decided on. */
export class RouteDecision {
  /** Index into `LiveSnapshot.rules`; -1: no route. */
  rule = -1;
  /** Index of the listener that has the hostname; -1: none. */
  listener = -1;
  /** Index of the virtual host of the listener; -1: none. */
  virtualHost = -1;
  /** Bytes of the path that the match took. */
  prefixLength = 0;
  /** A guest asked for routing to be decided again (`clear_route_cache`). */
  cleared = false;
  #edits = 0;
  #decisions = 0;

  reset(): void {
    this.rule = this.listener = this.virtualHost = -1;
    this.#decisions = 0;
  }

  decide(request: HeaderBlock, connection: Connection, live: LiveSnapshot): void {
    const router = connection.routerOf(live);
    this.#edits = request.edits;
    this.#decisions++;
    this.cleared = false;
    if (router === null) return;
    this.rule = router.match(request, connection.routeCache);
    this.listener = router.listener;
    this.virtualHost = router.virtualHost;
    this.prefixLength = router.matchedPrefixLength;
  }

  isStale(request: HeaderBlock): boolean {
    return this.cleared || request.edits !== this.#edits;
  }

  /** Filters send the request in circles. */
  get loops(): boolean {
    return this.#decisions > MAX_DECISIONS;
  }

  /** Index of the chain for this rule, or of the listener's where no rule matched. */
  chain(connection: Connection, live: LiveSnapshot): number {
    if (this.rule >= 0) return live.rules[this.rule]!.spec.chain;
    return live.listenerChain(connection.port.key, this.listener);
  }

  /** A request for another listener than the one whose certificate was shown (RFC 9110 §15.5.20). */
  isMisdirected(connection: Connection, live: LiveSnapshot): boolean {
    if (connection.tls === null) return false;
    const shown = connection.listenerOf(live);
    return shown >= 0 && this.listener >= 0 && shown !== this.listener;
  }
}
