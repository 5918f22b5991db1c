/**
 * Host names as the Gateway API has them: lower-case, `*.example.com` for every name below
 * example.com (any number of labels, not example.com itself), empty for any name.
 */

/** Whether every name that `inner` stands for is one that `outer` stands for. */
export function coversHostname(outer: string, inner: string): boolean {
  if (outer === '' || outer === inner) return true;
  return outer.startsWith('*.') && inner !== '' && inner.endsWith(outer.slice(1));
}

/** The names that both stand for; null where there are none. */
export function intersectHostnames(a: string, b: string): string | null {
  if (coversHostname(a, b)) return b;
  return coversHostname(b, a) ? a : null;
}

/** Sorts the most specific first: exact, then wildcards with more characters, then any. */
export function compareHostnames(a: string, b: string): number {
  const rank = (name: string) => (name === '' ? 2 : name.startsWith('*.') ? 1 : 0);
  return rank(a) - rank(b) || b.length - a.length || (a < b ? -1 : a > b ? 1 : 0);
}
