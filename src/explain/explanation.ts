import { portKey, type PortSpec, type Snapshot } from '../runtime/snapshot.ts';
import { explainAccess, type AccessExplanation } from './access-explanation.ts';
import { explainRoute, type ExplainedMatch, type RouteExplanation } from './route-explanation.ts';
import type { Edit, FilterStep, Trace } from './trace.ts';

/** Everything that decided about one request, in the order in which it did. Plain data, for text and JSON. */
export interface Explanation {
  /** `address:port/protocol`. */
  readonly port: string;
  /** Null where the head broke a rule of HTTP, so that nothing was routed. */
  readonly route: RouteExplanation | null;
  readonly filters: readonly FilterVerdict[];
  /** What AccessPolicies decided; empty where there are none. */
  readonly access: readonly AccessExplanation[];
  /** One for each attempt. */
  readonly upstreams: readonly ExplainedAttempt[];
  /** What differs between the head that came and the one that went to the upstream, rule and backend included. */
  readonly sent: readonly (readonly [name: string, value: string])[];
  readonly status: number;
  readonly flags: string;
  readonly details: string;
  /** The filter that answered in the upstream's place; empty: weir itself; null: nobody did. */
  readonly repliedBy: string | null;
}

export interface ExplainedAttempt {
  readonly cluster: string;
  readonly endpoint: string;
  /** Its weight among the rule's backends, and that of all of them; null where it is the only one, or a filter chose it. */
  readonly share: readonly [weight: number, of: number] | null;
}

/** What one filter of the chain decided. */
export interface FilterVerdict {
  /** `namespace/chain#filter`. */
  readonly filter: string;
  readonly source: string;
  readonly decision: FilterStep['decision'] | 'not reached' | 'not asked';
  readonly request: readonly Edit[];
  readonly response: readonly Edit[];
  /** What it says itself of the request's head; empty: nothing. */
  readonly told: string;
}

/** @param status of the answer; 0: the connection was closed without one */
export function explain(snapshot: Snapshot, port: PortSpec, trace: Trace, status: number): Explanation {
  const stopped = trace.repliedBy !== null && trace.attempts.length === 0;
  const last = trace.steps.findLast(({ direction }) => direction === 'request')?.filter;
  let past = false;
  const filters = trace.chain.map(({ filter, source }): FilterVerdict => {
    const steps = trace.steps.filter((step) => step.filter === filter);
    const edits = (way: string) => steps.filter((s) => s.direction === way).flatMap((s) => s.edits);
    const decision = steps.find((step) => step.decision !== 'continued')?.decision ?? steps[0]?.decision;
    const verdict: FilterVerdict = {
      filter,
      source,
      decision: decision ?? (stopped && past ? 'not reached' : 'not asked'),
      request: edits('request'),
      response: edits('response'),
      told: steps.find((step) => step.told !== '')?.told ?? '',
    };
    if (filter === last) past = true;
    return verdict;
  });
  return {
    port: portKey(port),
    route: trace.begun ? explainRoute(snapshot, port, trace.head) : null,
    filters,
    access: trace.access.map((access) => explainAccess(access, trace.head)),
    upstreams: trace.attempts.map(({ cluster, endpoint }) => ({
      cluster,
      endpoint: endpointText(snapshot, cluster, endpoint),
      share: shareOf(snapshot, trace.rules.at(-1) ?? '', cluster),
    })),
    sent: trace.attempts[0]?.head ?? [],
    status,
    flags: trace.flags,
    details: trace.details,
    repliedBy: trace.repliedBy,
  };
}

function shareOf(snapshot: Snapshot, rule: string, cluster: string): ExplainedAttempt['share'] {
  const backends = snapshot.rules.find(({ name }) => name === rule)?.backends ?? [];
  const own = backends.find((backend) => snapshot.clusters[backend.cluster]?.name === cluster);
  if (own === undefined || backends.length < 2) return null;
  return [own.weight, backends.reduce((sum, { weight }) => sum + weight, 0)];
}

function endpointText(snapshot: Snapshot, name: string, index: number): string {
  const cluster = snapshot.clusters.find((each) => each.name === name);
  const endpoint = cluster?.endpoints[index];
  if (endpoint !== undefined) return `${endpoint.address}:${endpoint.port}`;
  return cluster?.dns ? `${cluster.dns.name}:${cluster.dns.port}` : '';
}

const LABEL = 10;

/** The text that `weir explain` prints. */
export function explanationText(
  explanation: Explanation,
  file: (place: string) => string = (p) => p,
): string {
  const { route } = explanation;
  const lines: string[] = [];
  const put = (label: string, text: string) => lines.push(`${label.padEnd(LABEL)}${text}`.trimEnd());
  if (route === null) {
    put('port', explanation.port);
    put('head', 'refused before it was routed');
  } else {
    putRoute(route, explanation, put, file);
    putFilters(explanation, put, file);
    putAccess(explanation, put, file);
    putUpstream(explanation, put);
  }
  put('answer', answerText(explanation));
  return `${lines.join('\n')}\n`;
}

type Put = (label: string, text: string) => void;

function putRoute(
  route: RouteExplanation,
  explanation: Explanation,
  put: Put,
  file: (p: string) => string,
): void {
  if (route.listener === null) put('listener', `none on ${explanation.port} ${missedHostText(route)}`);
  else put('listener', `${route.listener}   ${hostText(route.listenerHostname)}`);
  const { winner, nearest } = route;
  if (winner === null)
    put(
      'route',
      route.hostname === null && route.listener !== null ? `none ${missedHostText(route)}` : 'none',
    );
  else {
    const why = winner.conditions.map(({ wanted }) => wanted).join(', ');
    put('route', `${winner.rule}   ${why}   ${file(winner.source)}`);
  }
  if (nearest !== null) put('', `not ${nearest.rule}: ${missText(nearest)}   ${file(nearest.source)}`);
}

function hostText(hostname: string): string {
  return hostname === '' ? 'takes any hostname' : `has the hostname ${hostname}`;
}

const MOST_HOSTNAMES = 8;

function missedHostText({ host, otherHostnames }: RouteExplanation): string {
  const some = otherHostnames.slice(0, MOST_HOSTNAMES).join(', ');
  const more = otherHostnames.length > MOST_HOSTNAMES ? ', …' : '';
  return `has the hostname ${host}${some === '' ? '' : `; there are: ${some}${more}`}`;
}

/** The first condition that failed. */
function missText({ conditions }: ExplainedMatch): string {
  const miss = conditions.find((condition) => !condition.holds);
  return miss === undefined ? 'another comes first' : `${miss.actual}, it wants ${miss.wanted}`;
}

function putFilters({ filters }: Explanation, put: Put, file: (p: string) => string): void {
  if (filters.length === 0) put('filters', 'none');
  const width = Math.max(...filters.map(({ filter }) => filter.length), 0);
  for (const [i, { filter, source, decision, told, request, response }] of filters.entries()) {
    put(i === 0 ? 'filters' : '', `${filter.padEnd(width)}  ${decision.padEnd(11)}  ${file(source)}`);
    for (const line of told.split('\n')) if (line !== '') put('', `  says      ${line}`);
    for (const edit of request) put('', `  request   ${editText(edit)}`);
    for (const edit of response) put('', `  response  ${editText(edit)}`);
  }
}

function putAccess({ access }: Explanation, put: Put, file: (p: string) => string): void {
  for (const { allowed, rule, source, tried, nearest } of access) {
    const verb = allowed ? 'allowed' : 'denied';
    put('access', rule === '' ? 'no policy decides' : `${verb} by ${rule}   ${file(source)}`);
    if (tried !== '') put('', `${tried} (dryRun) would have decided otherwise`);
    if (nearest === null) continue;
    const { rule: other, wanted, actual, source: place } = nearest;
    put('', `not ${other}: ${actual}, it wants ${wanted}   ${file(place)}`);
  }
}

function editText({ name, before, after }: Edit): string {
  if (after === null) return `- ${name}: ${before}`;
  if (before === null) return `+ ${name}: ${after}`;
  return `~ ${name}: ${before} → ${after}`;
}

function putUpstream({ upstreams }: Explanation, put: Put): void {
  if (upstreams.length === 0) put('upstream', 'not reached');
  for (const [i, { cluster, endpoint, share }] of upstreams.entries()) {
    const chance = share === null ? '' : `   by chance: ${share[0]} of ${share[1]}`;
    put(i === 0 ? 'upstream' : '', `${cluster}   ${endpoint}${chance}`);
  }
}

function answerText({ status, flags, details, repliedBy, upstreams }: Explanation): string {
  if (status === 0) return 'none: the connection was closed';
  const by =
    repliedBy === null
      ? upstreams.length > 0
        ? 'the upstream'
        : 'weir'
      : repliedBy === ''
        ? 'weir'
        : repliedBy;
  const flagText = flags === '-' || flags === '' ? '' : `   flags ${flags}`;
  return `${status}   by ${by}   ${details}${flagText}`;
}
