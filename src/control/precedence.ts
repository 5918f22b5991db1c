import type { MatchSpec, PathMatch, ValueMatch } from '../runtime/snapshot.ts';
import { compareText, type UsableObject } from './config.ts';
import type { MatchConfig } from './schema/http-route.ts';

/** A match of a rule of a route, and what decides ties. */
export interface RankedMatch {
  readonly match: MatchSpec;
  readonly route: UsableObject<'HTTPRoute'>;
  readonly ruleIndex: number;
  readonly matchIndex: number;
}

/** The match of a configuration in the form that the router compares. */
export function compileMatch(config: MatchConfig, rule: number): MatchSpec {
  return {
    path: compilePath(config.path),
    method: config.method ?? null,
    headers: uniqueNames(config.headers.map((header) => ({ ...header, name: header.name.toLowerCase() }))),
    query: uniqueNames(config.queryParams),
    rule,
  };
}

function compilePath(path: MatchConfig['path']): PathMatch {
  if (path.type === 'RegularExpression') return { type: 'regex', value: path.value };
  const value = canonicalPath(path.value);
  if (path.type === 'Exact') return { type: 'exact', value };
  // A prefix matches whole elements, so that /v1/ and /v1 are the same prefix.
  return { type: 'prefix', value: value.length > 1 && value.endsWith('/') ? value.slice(0, -1) : value };
}

/** As the runtime normalises the path of a request: unreserved characters are not escaped. */
function canonicalPath(path: string): string {
  return path.replaceAll(/%([0-9a-fA-F]{2})/g, (triplet, hex: string) => {
    const char = String.fromCharCode(Number.parseInt(hex, 16));
    return /[A-Za-z0-9\-._~]/.test(char) ? char : triplet;
  });
}

/** Of entries with one name only the first counts (Gateway API, HTTPRouteMatch). */
function uniqueNames(
  matches: readonly {
    readonly name: string;
    readonly type: 'Exact' | 'RegularExpression';
    readonly value: string;
  }[],
): ValueMatch[] {
  const seen = new Set<string>();
  const unique: ValueMatch[] = [];
  for (const { name, type, value } of matches) {
    if (seen.has(name)) continue;
    seen.add(name);
    unique.push({ name, type: type === 'Exact' ? 'exact' : 'regex', value });
  }
  return unique;
}

const PATH_RANK = { exact: 0, regex: 1, prefix: 2 } as const;

/**
 * Sorts by merge rule 4: Exact, then regular expressions, then prefixes; longer paths first; with
 * a method first; more headers; more query parameters; the older route; namespace and name; the
 * order in the route. For matches of one hostname.
 */
export function compareMatches(a: RankedMatch, b: RankedMatch): number {
  return comparePaths(a.match.path!, b.match.path!) || compareConditions(a, b) || compareRoutes(a, b);
}

function comparePaths(a: PathMatch, b: PathMatch): number {
  return PATH_RANK[a.type] - PATH_RANK[b.type] || b.value.length - a.value.length;
}

function compareConditions(a: RankedMatch, b: RankedMatch): number {
  return (
    Number(a.match.method === null) - Number(b.match.method === null) ||
    b.match.headers.length - a.match.headers.length ||
    b.match.query.length - a.match.query.length
  );
}

function compareRoutes(a: RankedMatch, b: RankedMatch): number {
  return (
    createdAt(a.route) - createdAt(b.route) ||
    compareText(a.route.namespace, b.route.namespace) ||
    compareText(a.route.name, b.route.name) ||
    a.ruleIndex - b.ruleIndex ||
    a.matchIndex - b.matchIndex
  );
}

/** Objects without a time of creation are younger than those with one. */
function createdAt(route: UsableObject<'HTTPRoute'>): number {
  const time = Date.parse(route.value.metadata.creationTimestamp ?? '');
  return Number.isNaN(time) ? Number.MAX_SAFE_INTEGER : time;
}

/** Matches in order of precedence, without those that an earlier one makes pointless. */
export class MatchCover {
  readonly matches: RankedMatch[] = [];
  readonly #byPath = new Map<string, RankedMatch[]>();

  /** Adds a match of lower precedence than all before, unless one of these takes all of its requests: returns that one. */
  add(ranked: RankedMatch): RankedMatch | null {
    const path = ranked.match.path!;
    for (const key of coveringPaths(path)) {
      const outer = this.#byPath.get(key)?.find((before) => coversConditions(before.match, ranked.match));
      if (outer !== undefined) return outer;
    }
    const key = `${path.type} ${path.value}`;
    const same = this.#byPath.get(key);
    if (same === undefined) this.#byPath.set(key, [ranked]);
    else same.push(ranked);
    this.matches.push(ranked);
    return null;
  }
}

/** The path itself, and the prefixes that take all that it takes. */
function* coveringPaths(path: PathMatch): Generator<string> {
  yield `${path.type} ${path.value}`;
  yield 'prefix /';
  if (path.type === 'regex') return;
  for (let end = path.value.length; end > 0; end = path.value.lastIndexOf('/', end - 1)) {
    yield `prefix ${path.value.slice(0, end)}`;
  }
}

/** Whether the conditions beside the path hold wherever those of `inner` do. May say no where it is so. */
function coversConditions(outer: MatchSpec, inner: MatchSpec): boolean {
  return (
    (outer.method === null || outer.method === inner.method) &&
    outer.headers.every((wanted) => inner.headers.some((given) => sameMatch(wanted, given))) &&
    outer.query.every((wanted) => inner.query.some((given) => sameMatch(wanted, given)))
  );
}

function sameMatch(a: ValueMatch, b: ValueMatch): boolean {
  return a.name === b.name && a.type === b.type && a.value === b.value;
}
