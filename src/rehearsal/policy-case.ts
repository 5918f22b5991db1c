import type { LoadedWithTests } from '../control/load.ts';
import type { Presented } from '../control/stand-ins.ts';
import { qualifiedName } from '../control/policy-tests.ts';
import type { ValueOf } from '../control/schema/kind.ts';
import { explain, type Explanation } from '../explain/explanation.ts';
import { withoutTexts } from '../explain/redaction.ts';
import type { PortSpec, Snapshot } from '../runtime/snapshot.ts';
import type { Rehearsal, Rehearsed } from './rehearsal.ts';
import { parseUrl, portFor, rehearsedRequest, withCredentials } from './request.ts';
import { PLAIN_ANSWER, type UpstreamStep } from './scripted-upstream.ts';
import type { Fields } from '../explain/trace.ts';

type Case = ValueOf<'PolicyTest'>['spec']['cases'][number];
type Request = Case['request'];
type Step = NonNullable<Case['upstream']>['script'][number];
type FieldMap = Request['headers'];

const NOTHING: Presented = { headers: [], query: [] };

function isNothing({ headers, query }: Presented): boolean {
  return headers.length === 0 && query.length === 0;
}

/** What became of one case: nothing in `misses` where all that was expected came. */
export interface CaseOutcome {
  /** A text each, some of two lines. */
  readonly misses: readonly string[];
  /** What decided about the last request, where something was missed; null: it was not sent. */
  readonly explanation: Explanation | null;
  /** The requests that were sent, with those before. */
  readonly rehearsed: readonly Rehearsed[];
}

/**
 * Runs one case on a rehearsal that has not been used before.
 *
 * @param namespace of the PolicyTest
 * @param loaded what Consumers show, by `namespace/name`, and what nothing that is told may show
 */
export async function runCase(
  rehearsal: Rehearsal,
  namespace: string,
  spec: Case,
  { consumers, secretTexts }: Pick<LoadedWithTests, 'consumers' | 'secretTexts'>,
): Promise<CaseOutcome> {
  const script = scriptsOf(rehearsal.snapshot, namespace, spec);
  const rehearsed: Rehearsed[] = [];
  let lastPort: PortSpec | null = null;
  for (const { request, repeat, after } of [...spec.before, spec]) {
    rehearsal.advance(after);
    const { url, client, method, headers, body } = request;
    const target = parseUrl(url);
    const port = target === null ? null : portFor(rehearsal.snapshot, target);
    if (target === null || port === null) return notSent(noListener(rehearsal.snapshot, url), rehearsed);
    const name = request.as && `${namespace}/${request.as.consumer}`;
    const shown = name === undefined ? NOTHING : consumers.get(name);
    if (shown === undefined || (name !== undefined && isNothing(shown)))
      return notSent(`as: no filter selects Consumer ${name} by a credential apiKey or basic`, rehearsed);
    const parts = { method, url: target, headers: fieldsOf(headers), body: Buffer.from(body), client };
    const sent = withCredentials(parts, shown);
    lastPort = port;
    for (let i = 0; i < repeat; i++)
      rehearsed.push(await rehearsal.send(port, rehearsedRequest(sent), script));
  }
  const last = rehearsed.at(-1)!;
  const misses = missesOf(last, namespace, spec.expect, secretTexts);
  const asked = new Set(
    rehearsed.slice(-spec.repeat).flatMap(({ trace }) => trace.attempts.map(({ cluster }) => cluster)),
  );
  for (const name of spec.expect.upstreamAllOf ?? [])
    if (!asked.has(`${namespace}/${name}`)) misses.push(`upstreams: ${name} was not asked`);
  const explanation =
    misses.length === 0 ? null : explain(rehearsal.snapshot, lastPort!, last.trace, last.answer?.status ?? 0);
  return { misses, explanation: withoutTexts(explanation, secretTexts), rehearsed };
}

function notSent(miss: string, rehearsed: readonly Rehearsed[]): CaseOutcome {
  return { misses: [miss], explanation: null, rehearsed };
}

function noListener({ ports }: Snapshot, url: string): string {
  const known = ports.map(({ protocol, port }) => `${protocol} on port ${port}`);
  return `no listener takes ${url}; there are: ${known.join(', ') || 'none'}`;
}

function scriptsOf(snapshot: Snapshot, namespace: string, spec: Case): Map<string, readonly UpstreamStep[]> {
  const all = spec.upstream?.script.map(stepOf) ?? [];
  const scripts = new Map(snapshot.clusters.map(({ name }) => [name, all]));
  for (const [name, { script }] of Object.entries(spec.upstreams))
    scripts.set(`${namespace}/${name}`, script.map(stepOf));
  return scripts;
}

function stepOf(step: Step): UpstreamStep {
  if (typeof step === 'number') return { ...PLAIN_ANSWER, status: step };
  const { status, headers, body, delay: delayMs, reset } = step;
  return { status, headers: fieldsOf(headers), body, delayMs, reset };
}

function fieldsOf(map: FieldMap): Fields {
  return Object.entries(map).flatMap(([name, value]) =>
    (typeof value === 'string' ? [value] : value).map((each) => [name, each] as const),
  );
}

/** What was expected and did not come, a line each. */
function missesOf(
  { trace, answer, upstreams }: Rehearsed,
  namespace: string,
  expected: Case['expect'],
  secrets: readonly string[],
): string[] {
  const misses: string[] = [];
  const by = decider(trace.decidedBy);
  const miss = (what: string, wanted: unknown, got: unknown): void => {
    misses.push(missText(what, withoutTexts(wanted, secrets), withoutTexts(got, secrets)));
  };
  const same = (what: string, wanted: unknown, got: unknown): void => {
    if (wanted !== undefined && wanted !== got) miss(what, wanted, got);
  };
  const status = answer?.status ?? null;
  if (expected.status !== undefined && expected.status !== status)
    misses.push(
      `status: expected ${expected.status}, got ${status ?? 'no answer'} by ${by} (${trace.details})`,
    );
  if (expected.rule !== undefined) {
    const wanted = expected.rule === null ? null : qualifiedName(expected.rule, namespace);
    same('rule', wanted, trace.rules.at(-1) || null);
  }
  if (expected.decidedBy !== undefined)
    same('decidedBy', qualifiedName(expected.decidedBy, namespace) ?? expected.decidedBy, by);
  const attempt = trace.attempts.at(-1);
  const cluster = attempt?.cluster ?? null;
  if (expected.upstream !== undefined) same('upstream', `${namespace}/${expected.upstream}`, cluster);
  if (expected.upstreamOneOf?.every((name) => `${namespace}/${name}` !== cluster) === true)
    miss('upstream', `one of ${expected.upstreamOneOf.join(', ')}`, cluster);
  // A field that is not to be there is no field of a request that never came.
  if (expected.upstreamHeaders !== undefined && attempt === undefined)
    misses.push(`upstream headers: no upstream was asked, ${by} answered (${trace.details})`);
  else
    for (const [name, wanted] of Object.entries(expected.upstreamHeaders ?? {}))
      same(`upstream header ${name}`, wanted, valueOf(attempt!.head, name));
  if (expected.upstreamBody !== undefined)
    same(
      'upstream body',
      expected.upstreamBody,
      upstreams
        .get(cluster ?? '')
        ?.at(-1)
        ?.body.toString() ?? null,
    );
  for (const [name, wanted] of Object.entries(expected.headers ?? {}))
    same(`header ${name}`, wanted, valueOf(answer?.headers ?? [], name));
  same('body', expected.body, answer?.body.toString() ?? null);
  same('attempts', expected.attempts, trace.attempts.length);
  same('details', expected.details, trace.details);
  return misses;
}

/** As `decidedBy` names it. */
function decider(by: string | null): string {
  if (by === null) return 'upstream';
  return by === '' ? 'weir' : by;
}

function valueOf(fields: Fields, wanted: string): string | null {
  const values = fields.filter(([name]) => name === wanted.toLowerCase()).map(([, value]) => value);
  return values.length === 0 ? null : values.join(', ');
}

/** Long texts stand below each other, from shortly before they begin to differ. */
function missText(what: string, wanted: unknown, got: unknown): string {
  const short = `${what}: expected ${text(wanted)}, got ${text(got)}`;
  if (typeof wanted !== 'string' || typeof got !== 'string' || short.length <= LONG) return short;
  let same = 0;
  while (same < wanted.length && wanted[same] === got[same]) same++;
  const from = same > BEFORE ? same - BEFORE : 0;
  const excerpt = (whole: string): string => {
    const part = text(whole.slice(from, from + LONG));
    return `${from > 0 ? '…' : ''}${part}${from + LONG < whole.length ? '…' : ''}`;
  };
  return `${what}: expected ${excerpt(wanted)}\n${'got'.padStart(what.length + 5)}      ${excerpt(got)}`;
}

const LONG = 100;
const BEFORE = 20;

function text(value: unknown): string {
  if (value === undefined || value === null) return 'none';
  return typeof value === 'string' ? JSON.stringify(value) : String(value);
}
