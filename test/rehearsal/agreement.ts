/** Random requests, through a running weir and through the explanation of the same configuration. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { loadConfiguration } from '../../src/control/load.ts';
import { explain, type Explanation } from '../../src/explain/explanation.ts';
import { Rehearsal } from '../../src/rehearsal/rehearsal.ts';
import { parseUrl, portFor, rehearsedRequest } from '../../src/rehearsal/request.ts';
import type { Edit } from '../../src/explain/trace.ts';
import { atEnd } from '../support/cleanup.ts';
import { Dice } from '../support/dice.ts';
import { Explaining } from '../support/explaining.ts';
import { FakeUpstream } from '../support/fake-upstream.ts';
import { freePort } from '../support/ports.ts';
import { ROOT, Weir } from '../support/process.ts';
import { exchange, type Answer } from '../support/raw-client.ts';

/** What both sides say of one request. */
interface Verdict {
  readonly status: number;
  readonly route: string;
  readonly cluster: string;
  readonly details: string;
  readonly flags: string;
  /** Of AccessPolicies: the rule that decided, allowing ones too, and what one that is tried out would have done. */
  readonly access: string;
  /** The head at the upstream, a line a field, sorted; empty where it got none. */
  readonly sent: readonly string[];
}

type Fields = readonly (readonly [name: string, value: string])[];

/** A configuration, and the requests that it gets. */
export interface Scene {
  /** YAML, beside this file. */
  readonly file: string;
  /** Its text with the addresses of the test. */
  place(text: string, port: number, upstreamPort: number): string;
  draw(dice: Dice): Sample;
}

export interface Sample {
  readonly method: string;
  readonly host: string;
  readonly target: string;
  readonly headers: Fields;
  readonly body?: string;
}

/** @returns how many of the requests ended in which status */
export async function expectAgreement(
  scene: Scene,
  requests: number,
  seed: number,
): Promise<Map<number, number>> {
  const upstream = await FakeUpstream.start();
  const port = await freePort();
  const text = readFileSync(join(ROOT, 'test/rehearsal', scene.file), 'utf8');
  const weir = await Weir.start({ files: { 'all.yaml': scene.place(text, port, upstream.port) } });
  const { snapshot, code } = await loadConfiguration([weir.folder]);
  const silent = { debug: ignore, info: ignore, warn: ignore, error: ignore };
  const rehearsal = await Rehearsal.open(snapshot!, code, silent);
  atEnd(() => rehearsal.close());

  const dice = new Dice(seed);
  let session = await Explaining.start(weir, `count=${MOST_LIVE}&for=1h`);
  const outcomes: { what: string; explained: Explanation; answer: Answer }[] = [];
  for (let n = 0; n < requests; n++) {
    if (n > 0 && n % MOST_LIVE === 0) {
      session.leave();
      session = await Explaining.start(weir, `count=${MOST_LIVE}&for=1h`);
    }
    const sample = scene.draw(dice);
    const body = Buffer.from(sample.body ?? '');
    const headers: Fields = [...sample.headers, ['user-agent', agentOf(n)]];
    const url = parseUrl(`http://${sample.host}:${port}${sample.target}`)!;
    const request = rehearsedRequest({ ...sample, url, headers, body, client: '127.0.0.1' });
    const rehearsed = await rehearsal.send(portFor(snapshot!, url)!, request);
    const what = `${sample.method} ${sample.host} ${sample.target} ${JSON.stringify(headers)}`;
    const explained = explain(
      snapshot!,
      portFor(snapshot!, url)!,
      rehearsed.trace,
      rehearsed.answer?.status ?? 0,
    );
    outcomes.push({ what, explained, answer: await exchange({ port }, withToken(request.bytes, session)) });
    // A head that is refused makes no stream.
    if (rehearsed.trace.done)
      expect(comparable((await session.next())!), what).toEqual(comparable(explained));
  }
  session.leave();
  await weir.stop();
  const log = logByAgent(weir.stdout);
  const sent = new Map(upstream.requests.map(({ fields }) => [fieldOf(fields, 'user-agent'), fields]));
  const statuses = new Map<number, number>();
  for (const [n, { what, explained, answer }] of outcomes.entries()) {
    expect(liveVerdict(answer, log.get(agentOf(n)), sent.get(agentOf(n)) ?? []), what).toEqual(
      verdictOf(explained),
    );
    statuses.set(answer.status, (statuses.get(answer.status) ?? 0) + 1);
  }
  return statuses;
}

/** Requests that a session may explain. */
const MOST_LIVE = 1000;

/** With the token behind the request line. */
function withToken(request: Buffer, { field }: Explaining): Buffer {
  const end = request.indexOf('\r\n');
  return Buffer.concat([request.subarray(0, end), Buffer.from(`\r\n${field}`), request.subarray(end)]);
}

/** Credentials, which a running weir does not tell, and what is another one each time. */
const UNTOLD = /^(authorization|x-api-key|x-key|cookie|x-request-id|x-forwarded-for)$/;
/** The same inside values: keys in queries, and how much room a limit has and when there is more. */
const UNTOLD_PART = /(?<=[?&]key=)[^&]*|(?<=;[rt]=)\d+/g;

function comparable(explanation: Explanation): unknown {
  const values = (edits: readonly Edit[]) =>
    edits.map(({ name, before, after }) =>
      UNTOLD.test(name) ? [name, before === null, after === null] : [name, told(before), told(after)],
    );
  return {
    ...explanation,
    filters: explanation.filters.map((filter) => ({
      ...filter,
      request: values(filter.request),
      response: values(filter.response),
    })),
    sent: explanation.sent.filter(([name]) => !UNTOLD.test(name)).map(([name, value]) => [name, told(value)]),
  };
}

function told(value: string | null): string | null {
  return value?.replaceAll(UNTOLD_PART, '') ?? null;
}

function fieldOf(fields: Fields, wanted: string): string | undefined {
  return fields.find(([name]) => name.toLowerCase() === wanted)?.[1];
}

/** Tells the lines of the access log apart. */
function agentOf(n: number): string {
  return `n${n}`;
}

function ignore(): void {
  // Refusals are what is tested.
}

/** Fields that differ from one connection, or one request, to the next. */
const VOLATILE = /^(x-request-id|x-forwarded-for|host|:scheme|:method|:path|:authority)$/;

function verdictOf(explained: Explanation): Verdict {
  return {
    status: explained.status,
    route: explained.route?.winner?.rule ?? '',
    cluster: explained.upstreams.at(-1)?.cluster ?? '',
    details: explained.route === null ? '' : explained.details,
    flags: explained.route === null ? '' : explained.flags,
    access: lastOf(explained.access.map(({ rule, tried }) => `${rule} ${tried}`.trim())),
    sent: lines(explained.sent),
  };
}

/** On the way to a route that was left, another one may have decided. */
function lastOf(decisions: readonly string[]): string {
  return decisions.findLast((each) => each !== '') ?? '';
}

function lines(fields: Fields): string[] {
  return fields
    .filter(([name]) => !VOLATILE.test(name.toLowerCase()))
    .map(([name, value]) => `${name.toLowerCase()}: ${value}`)
    .sort();
}

interface LogLine {
  readonly user_agent: string;
  readonly route_name: string | null;
  readonly upstream_cluster: string | null;
  readonly response_code_details: string | null;
  readonly response_flags: string;
  /** Where the configuration has them. */
  readonly fields?: { readonly rule: string | null; readonly tried: string | null };
}

function logByAgent(text: string): Map<string, LogLine> {
  const lines = text.split('\n').filter((line) => line.startsWith('{"start_time"'));
  return new Map(lines.map((line) => JSON.parse(line) as LogLine).map((line) => [line.user_agent, line]));
}

/**
 * @param line of the access log; a head that was refused has none
 * @param sent the head at the upstream, empty where it got none
 */
function liveVerdict(answer: Answer, line: LogLine | undefined, sent: Fields): Verdict {
  const { status } = answer;
  if (line === undefined)
    return { status, route: '', cluster: '', details: '', flags: '', access: '', sent: [] };
  return {
    status,
    route: line.route_name ?? '',
    cluster: line.upstream_cluster ?? '',
    details: line.response_code_details ?? '',
    flags: line.response_flags,
    access: `${line.fields?.rule ?? ''} ${line.fields?.tried ?? ''}`.trim(),
    sent: lines(sent),
  };
}
