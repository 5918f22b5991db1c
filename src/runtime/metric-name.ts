/** A name that a guest gave to a metric, taken apart. */
export interface MetricName {
  readonly name: string;
  readonly labels: ReadonlyArray<readonly [label: string, value: string]>;
}

/** Labels of one metric. */
const MOST_LABELS = 16;
const BRACES = /^([^{}]+)\{(.*)\}$/s;
const PAIR = /\s*([A-Za-z_][A-Za-z0-9_]*)\s*=\s*"((?:[^"\\]|\\["\\n])*)"\s*(,|$)/y;
/** Istio's convention: `tag=.=value;.;` any number of times, then what is left of the name. */
const TAG = /^_?([A-Za-z][A-Za-z0-9_]*?)=\.=(.*?);\.;/s;

/**
 * Takes the labels out of a name: `requests{user="a",code="200"}` as Prometheus writes it, or tags as
 * Istio's plugins write them, `user=.=a;.;code=.=200;.;requests`.
 *
 * @returns null where the name has braces that are no list of labels
 */
export function parseMetricName(text: string): MetricName | null {
  const braces = BRACES.exec(text);
  if (braces !== null) {
    const labels = parseLabels(braces[2]!);
    return labels === null ? null : { name: braces[1]!, labels };
  }
  if (/[{}]/.test(text)) return null;
  const labels: [string, string][] = [];
  let name = text;
  for (let tag = TAG.exec(name); tag !== null && labels.length < MOST_LABELS; tag = TAG.exec(name)) {
    labels.push([tag[1]!, tag[2]!]);
    name = name.slice(tag[0].length);
  }
  name = name.replace(/^_/, '');
  return name === '' ? null : { name, labels: distinct(labels) };
}

function parseLabels(text: string): [string, string][] | null {
  const labels: [string, string][] = [];
  if (text.trim() === '') return labels;
  PAIR.lastIndex = 0;
  while (PAIR.lastIndex < text.length || labels.length === 0) {
    const pair = PAIR.exec(text);
    if (pair === null || labels.length === MOST_LABELS) return null;
    labels.push([pair[1]!, pair[2]!.replace(/\\(.)/g, (_, each: string) => (each === 'n' ? '\n' : each))]);
  }
  return distinct(labels);
}

/** The last of several with one name, and none that weir itself or the exposition uses. */
function distinct(labels: readonly [string, string][]): [string, string][] {
  const named = labels.map(([label, value]): [string, string] => [
    label === 'filter' || label === 'le' || label.startsWith('__') ? `exported_${label}` : label,
    value,
  ]);
  return [...new Map(named)];
}
