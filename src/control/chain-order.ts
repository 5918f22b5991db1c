import type { Attached } from './attachments.ts';
import type { Config, UsableObject } from './config.ts';
import { PHASES, type Phase } from './phase.ts';

type Chain = UsableObject<'FilterChain'>;

/** One filter in the chain of a scope; `plugin` is OFF where it is switched off, MISSING where it cannot be had. */
export interface Link {
  readonly chain: Chain;
  readonly filter: string;
  /** In the chain object. */
  readonly index: number;
  readonly phase: Phase | null;
  readonly plugin: number;
}

export const OFF = -1;
export const MISSING = -2;

/** Warns where a filter runs after one of a later phase (merge rule 5). */
export function checkPhases(config: Config, links: readonly Link[]): void {
  let latest: Link | null = null;
  for (const link of links) {
    if (link.phase === null || link.plugin === OFF) continue;
    if (latest === null || PHASES.indexOf(link.phase) >= PHASES.indexOf(latest.phase!)) {
      latest = link;
      continue;
    }
    const message = `filter "${link.filter}" (${link.phase}) runs after "${latest.filter}" (${latest.phase})`;
    config.report(link.chain, 'WEIR3011', ['spec', 'filters', link.index, 'name'], message, {
      severity: 'warning',
      notes: [`phases in order: ${PHASES.join(', ')}`],
      related: [latest.chain.document.place(['spec', 'filters', latest.index, 'name'])],
    });
  }
}

/** Two chains on one target must say which comes first (merge rule 3). */
export function checkOrder(
  config: Config,
  scope: string,
  attached: readonly Attached<'FilterChain'>[],
): void {
  const places = new Map<string, Attached<'FilterChain'>>();
  for (const entry of attached) {
    const { spec } = entry.policy.value;
    const place = JSON.stringify(spec.placement ?? null);
    const other = places.get(place);
    if (other === undefined) {
      places.set(place, entry);
      if (!spec.inherit && scope.startsWith('Gateway ')) {
        config.report(
          entry.policy,
          'WEIR1046',
          ['spec', 'inherit'],
          'inherit: false has a meaning on routes and rules only',
        );
      }
      continue;
    }
    const message = `FilterChains ${other.policy.name} and ${entry.policy.name} both attach to ${scope}, and nothing says which runs first`;
    config.report(entry.policy, 'WEIR2003', ['spec', 'targetRefs', entry.index], message, {
      notes: ['merge rule 3: join them, move one to an inner scope, or give one a placement'],
      related: [other.policy.document.place(['spec', 'targetRefs', other.index])],
    });
  }
}

/**
 * Where access is decided: behind all that finds out who asks, and before all that acts on it. A filter without a
 * phase may be either, so what stands in front of the later phases runs before.
 */
export function placeOfAccess(links: readonly Link[]): number {
  const rank = ({ phase }: Link) => (phase === null ? -1 : PHASES.indexOf(phase));
  const authz = PHASES.indexOf('authz');
  const later = links.findIndex((link) => rank(link) >= authz);
  const lastBefore = links.findLastIndex((link) => link.phase !== null && rank(link) < authz);
  return Math.max(later < 0 ? links.length : later, lastBefore + 1);
}
