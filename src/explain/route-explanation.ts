import { type HeaderBlock, Pseudo } from '../runtime/http/headers.ts';
import { CompiledMatch } from '../runtime/route-matches.ts';
import type { MatchSpec, PortSpec, Snapshot } from '../runtime/snapshot.ts';
import { HeaderTest, QueryTest } from '../runtime/value-match.ts';

/** One condition of a match, and whether a request meets it. */
export interface Condition {
  /** What is asked for: `path begins with /v1`. */
  readonly wanted: string;
  readonly holds: boolean;
  /** What the request has in its place: `path is /healthz`. */
  readonly actual: string;
}

/** A match of a route's rule beside one request. */
export interface ExplainedMatch {
  /** `namespace/route#section`. */
  readonly rule: string;
  readonly source: string;
  readonly conditions: readonly Condition[];
}

export interface RouteExplanation {
  /** `namespace/gateway/section` of the listener that has the hostname; null: none. */
  readonly listener: string | null;
  /** The host that was asked for, without a port. */
  readonly host: string;
  /** Hostnames that there are where none covers it: of the port's listeners, or of the listener's routes. Empty where one does. */
  readonly otherHostnames: readonly string[];
  /** Hostname of that listener, and the one of routes that was looked under; empty: any. */
  readonly listenerHostname: string;
  readonly hostname: string | null;
  /** The match that holds, the first in order of precedence; null: none. */
  readonly winner: ExplainedMatch | null;
  /** The match that came nearest of those that do not hold; null: there is no other. */
  readonly nearest: ExplainedMatch | null;
}

/**
 * Why a request goes where it goes.
 *
 * @param head as routing sees it: authority lower-case, path normalised
 */
export function explainRoute(snapshot: Snapshot, port: PortSpec, head: HeaderBlock): RouteExplanation {
  const host = hostOf(head);
  const listener = mostSpecific(port.listeners, host);
  const virtualHost = listener === null ? null : mostSpecific(listener.virtualHosts, host);
  const explained = (virtualHost?.matches ?? []).map((match) => explainMatch(snapshot, match, head));
  const winner = explained.find(holds) ?? null;
  const others = explained.filter((match) => !holds(match) && match.rule !== winner?.rule);
  const missed = listener === null ? port.listeners : virtualHost === null ? listener.virtualHosts : [];
  return {
    listener: listener?.name ?? null,
    host,
    otherHostnames: missed.map(({ hostname }) => hostname),
    listenerHostname: listener?.hostname ?? '',
    hostname: virtualHost?.hostname ?? null,
    winner,
    nearest: others.reduce<ExplainedMatch | null>(
      (best, match) => (best === null || nearness(match, head) > nearness(best, head) ? match : best),
      null,
    ),
  };
}

/** The host of the authority, without a port. */
export function hostOf(head: HeaderBlock): string {
  return head.valueText(Pseudo.Authority).replace(/:\d*$/, '');
}

function mostSpecific<T extends { readonly hostname: string }>(all: readonly T[], host: string): T | null {
  const rank = ({ hostname }: T) => (hostname === host ? Infinity : hostname.length);
  return all
    .filter(({ hostname }) => covers(hostname, host))
    .reduce<T | null>((best, each) => (best === null || rank(each) > rank(best) ? each : best), null);
}

function holds({ conditions }: ExplainedMatch): boolean {
  return conditions.every((condition) => condition.holds);
}

/** Conditions that hold, and before all of them the path: how much of it is the same. */
function nearness(match: ExplainedMatch, head: HeaderBlock): number {
  const path = match.conditions[0]!;
  const met = match.conditions.filter((condition) => condition.holds).length / match.conditions.length;
  if (path.holds) return 2 + met;
  const [wanted] = /\/\S*$/.exec(path.wanted) ?? [''];
  const actual = pathOf(head);
  let same = 0;
  while (same < wanted.length && wanted[same] === actual[same]) same++;
  return same / Math.max(wanted.length, actual.length, 1);
}

function explainMatch(snapshot: Snapshot, match: MatchSpec, head: HeaderBlock): ExplainedMatch {
  const rule = snapshot.rules[match.rule]!;
  const conditions = [pathCondition(match, head)];
  if (match.method !== null) {
    const method = head.valueText(Pseudo.Method);
    conditions.push({
      wanted: `method is ${match.method}`,
      holds: method === match.method,
      actual: `method is ${method}`,
    });
  }
  for (const test of match.headers) {
    const value = head.get(test.name === 'host' ? ':authority' : test.name);
    conditions.push({
      wanted: `header ${test.name} ${wantedText(test)}`,
      holds: new HeaderTest(test).holds(head),
      actual:
        value === undefined ? `there is no header ${test.name}` : `header ${test.name} is ${quoted(value)}`,
    });
  }
  const target = head.valueText(Pseudo.Path);
  const query = target.includes('?') ? Buffer.from(target.slice(target.indexOf('?') + 1), 'latin1') : NOTHING;
  for (const test of match.query) {
    const value = new URLSearchParams(query.toString('latin1')).get(test.name);
    conditions.push({
      wanted: `query parameter ${test.name} ${wantedText(test)}`,
      holds: new QueryTest(test).holds(query, 0, query.length),
      actual:
        value === null
          ? `there is no query parameter ${test.name}`
          : `query parameter ${test.name} is ${quoted(value)}`,
    });
  }
  return { rule: rule.name, source: rule.source, conditions };
}

const NOTHING = Buffer.alloc(0);

function pathCondition(match: MatchSpec, head: HeaderBlock): Condition {
  const path = Buffer.from(pathOf(head), 'latin1');
  const { path: wanted } = match;
  const text =
    wanted === null
      ? 'any path'
      : `path ${{ exact: 'is', prefix: 'begins with', regex: 'matches' }[wanted.type]} ${wanted.value}`;
  const holds = new CompiledMatch(match).takes(path, 0, path.length);
  return { wanted: text, holds, actual: `path is ${path.toString('latin1')}` };
}

function pathOf(head: HeaderBlock): string {
  return head.valueText(Pseudo.Path).replace(/\?.*$/s, '');
}

function wantedText({ type, value }: { readonly type: string; readonly value: string }): string {
  return type === 'exact' ? `is ${quoted(value)}` : `matches ${value}`;
}

function quoted(value: string): string {
  return JSON.stringify(value);
}

/** Whether a listener's or a route's hostname covers a host; empty covers any. */
export function covers(hostname: string, host: string): boolean {
  if (hostname === '' || hostname === '*' || hostname === host) return true;
  return hostname.startsWith('*.') && host.endsWith(hostname.slice(1)) && host.length >= hostname.length;
}
