import {
  bytesOf,
  type CallbackRecord,
  type RecordedBytes,
  type RecordedCall,
} from '../runtime/wasm/tap/record.ts';
import type { Step } from './replay.ts';

/** What came out differently: the subject (`response header x-greeting`), and what it was and is. */
export interface Difference {
  readonly subject: string;
  readonly was: string;
  readonly is: string;
}

const NONE = '(none)';
const MAPS = ['request header', 'request trailer', 'response header', 'response trailer'];
const BODIES = ['request body', 'response body', 'downstream data', 'upstream data'];
const ACTIONS: Readonly<Record<string, readonly string[]>> = {
  headers: ['continue', 'stop', 'continue and end', 'stop and buffer', 'stop and hold'],
  body: ['continue', 'stop and buffer', 'stop and hold', 'stop without buffer'],
};
/** Calls that only ask: what they are answered is the recording's, so they change nothing by themselves. */
const ASKS =
  /^(?:proxy_get_|clock_|random_get|seed|environ_|args_|fd_(?!write)|proxy_resolve_|proxy_set_effective_context|pthread_|emscripten_|sched_|poll_)/;
/** Told by what they do to the stream, not one by one. */
const EDITS = /^proxy_(?:add|replace|remove|set)_header_map|^proxy_set_buffer_bytes$/;
const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'critical'];

/** Names of metrics by the ids that the two runs know them by. */
export class MetricNames {
  readonly #recorded = new Map<number, string>();
  readonly #replayed = new Map<number, string>();

  learn({ recorded, replayed }: Step): void {
    define(recorded, this.#recorded);
    define(replayed, this.#replayed);
  }

  recorded(id: number): string {
    return this.#recorded.get(id) ?? `#${id}`;
  }

  replayed(id: number): string {
    return this.#replayed.get(id) ?? `#${id}`;
  }
}

function define(record: CallbackRecord | null, names: Map<number, string>): void {
  for (const { call, in: inputs, out } of record?.calls ?? [])
    if (call === 'proxy_define_metric' && out !== undefined)
      names.set(out[0] as number, textOf(inputs[1] as RecordedBytes));
}

/** Whether the two runs cannot be told apart: every call, its arguments, its answer, and what came of it. */
export function isIdentical({ recorded, replayed }: Step): boolean {
  if (recorded === null || replayed === null) return false;
  return (
    recorded.callback === replayed.callback &&
    recorded.result === replayed.result &&
    recorded.calls.length === replayed.calls.length &&
    recorded.calls.every((call, i) => sameCall(call, replayed.calls[i]!)) &&
    JSON.stringify(recorded.after ?? {}) === JSON.stringify(replayed.after ?? {})
  );
}

function sameCall(a: RecordedCall, b: RecordedCall): boolean {
  if (a.call !== b.call || a.status !== b.status || JSON.stringify(a.in) !== JSON.stringify(b.in))
    return false;
  return isConfiguration(a) || JSON.stringify(a.out) === JSON.stringify(b.out);
}

/** A redacted configuration is written down in two ways: as it was read, and as it is played. */
function isConfiguration({ call, in: inputs }: RecordedCall): boolean {
  return call === 'proxy_get_configuration' || (call === 'proxy_get_buffer_bytes' && Number(inputs[0]) >= 6);
}

/** What a step does differently, as far as anybody outside the filter can tell. */
export function differencesOf(step: Step, names: MetricNames): Difference[] {
  const { recorded, replayed } = step;
  if (step.skipped === 'went another way') return [];
  if (recorded !== null && replayed === null) return missing(recorded, names);
  if (recorded === null || replayed === null) return replayed === null ? [] : extra(replayed, names);
  return [
    ...resultOf(recorded, replayed),
    ...repliesOf(recorded, replayed),
    ...fieldsOf(step, recorded, replayed),
    ...bodiesOf(recorded, replayed),
    ...logsOf(recorded, replayed),
    ...metricsOf(recorded, replayed, names),
    ...deedsOf(recorded, replayed),
    ...step.unknown.map((call) => ({
      subject: `not in the recording: ${nameOf(call)}`,
      was: NONE,
      is: call,
    })),
  ];
}

/** The build has no such callback: whatever the recorded one did in it does not happen. */
function missing(recorded: CallbackRecord, names: MetricNames): Difference[] {
  const nothing: CallbackRecord = {
    ...recorded,
    calls: [],
    result: recorded.result === null ? 0 : recorded.result,
  };
  const { after: _after, ...without } = nothing;
  const step: Step = { recorded, replayed: without, before: new Map(), unknown: [], skipped: null };
  return differencesOf(step, names);
}

function extra(replayed: CallbackRecord, names: MetricNames): Difference[] {
  const nothing: CallbackRecord = { ...replayed, calls: [] };
  const { after: _after, ...recorded } = nothing;
  return differencesOf({ recorded, replayed, before: new Map(), unknown: [], skipped: null }, names);
}

function resultOf(recorded: CallbackRecord, replayed: CallbackRecord): Difference[] {
  if (recorded.result === replayed.result) return [];
  const kind = /_(headers|body)$/.exec(recorded.callback)?.[1];
  const told = ({ result, trap }: CallbackRecord): string => {
    if (result === null) return `trap: ${trap ?? ''}`;
    return (kind === undefined ? undefined : ACTIONS[kind]![result]) ?? String(result);
  };
  return [{ subject: recorded.callback, was: told(recorded), is: told(replayed) }];
}

function repliesOf(recorded: CallbackRecord, replayed: CallbackRecord): Difference[] {
  const replyOf = ({ calls }: CallbackRecord) =>
    calls.find(({ call, status }) => call === 'proxy_send_local_response' && status === 0)?.in;
  const [was, is] = [replyOf(recorded), replyOf(replayed)];
  if (JSON.stringify(was) === JSON.stringify(is)) return [];
  if (was === undefined || is === undefined)
    return [{ subject: 'local reply', was: statusOf(was), is: statusOf(is) }];
  const parts = ['status', 'details', 'body', 'headers', 'gRPC status'];
  return parts.flatMap((part, i) => {
    if (JSON.stringify(was[i]) === JSON.stringify(is[i])) return [];
    const show = (value: unknown): string =>
      part === 'headers'
        ? pairsText(bytesOf(value as RecordedBytes))
        : typeof value === 'number'
          ? String(value)
          : quoted(value as RecordedBytes);
    return [{ subject: `local reply ${part}`, was: show(was[i]), is: show(is[i]) }];
  });
}

function statusOf(reply: RecordedCall['in'] | undefined): string {
  return reply === undefined ? NONE : String(reply[0]);
}

function fieldsOf(step: Step, recorded: CallbackRecord, replayed: CallbackRecord): Difference[] {
  const found: Difference[] = [];
  for (const id of new Set([...Object.keys(recorded.after ?? {}), ...Object.keys(replayed.after ?? {})])) {
    const [was, is] = [recorded.after?.[id]?.maps ?? {}, replayed.after?.[id]?.maps ?? {}];
    for (const type of new Set([...Object.keys(was), ...Object.keys(is)])) {
      // A map that one of them left alone is as it was before the callback.
      const before = step.before.get(Number(type)) ?? [];
      const [a, b] = [valuesOf(was[type] ?? before), valuesOf(is[type] ?? before)];
      for (const name of new Set([...a.keys(), ...b.keys()])) {
        if (a.get(name) === b.get(name)) continue;
        found.push({
          subject: `${MAPS[Number(type)]!} ${name}`,
          was: a.get(name) ?? NONE,
          is: b.get(name) ?? NONE,
        });
      }
    }
  }
  return found;
}

function valuesOf(
  fields: readonly (readonly [name: RecordedBytes, value: RecordedBytes])[],
): Map<string, string> {
  const values = new Map<string, string>();
  for (const [name, value] of fields) {
    const text = textOf(name);
    const known = values.get(text);
    values.set(text, known === undefined ? quoted(value) : `${known}, ${quoted(value)}`);
  }
  return values;
}

function bodiesOf(recorded: CallbackRecord, replayed: CallbackRecord): Difference[] {
  const found: Difference[] = [];
  for (const id of new Set([...Object.keys(recorded.after ?? {}), ...Object.keys(replayed.after ?? {})])) {
    const [was, is] = [recorded.after?.[id]?.bodies ?? {}, replayed.after?.[id]?.bodies ?? {}];
    for (const type of new Set([...Object.keys(was), ...Object.keys(is)])) {
      const [a, b] = [was[type], is[type]];
      if (JSON.stringify(a) === JSON.stringify(b)) continue;
      const show = (body: RecordedBytes | null | undefined): string =>
        body === undefined ? 'unchanged' : body === null ? NONE : quoted(body);
      found.push({ subject: BODIES[Number(type)]!, was: show(a), is: show(b) });
    }
  }
  return found;
}

function logsOf(recorded: CallbackRecord, replayed: CallbackRecord): Difference[] {
  const linesOf = ({ calls }: CallbackRecord): string[] =>
    calls
      .filter(({ call }) => call === 'proxy_log' || call === 'fd_write')
      .map(({ call, in: [level, text] }) => {
        const name = call === 'proxy_log' ? LOG_LEVELS[level as number] : level === 1 ? 'stdout' : 'stderr';
        return `${name ?? 'log'} ${quoted(text as RecordedBytes)}`;
      });
  return inOrder('log', linesOf(recorded), linesOf(replayed));
}

/** Pairs what is left when all that is the same is taken away. */
function inOrder(subject: string, was: readonly string[], is: readonly string[]): Difference[] {
  const gone = without(was, is);
  const come = without(is, was);
  const longer = Math.max(gone.length, come.length);
  return Array.from({ length: longer }, (_, i) => ({ subject, was: gone[i] ?? NONE, is: come[i] ?? NONE }));
}

function without(list: readonly string[], others: readonly string[]): string[] {
  const left = new Map<string, number>();
  for (const each of others) left.set(each, (left.get(each) ?? 0) + 1);
  return list.filter((each) => {
    const count = left.get(each) ?? 0;
    left.set(each, count - 1);
    return count <= 0;
  });
}

function metricsOf(recorded: CallbackRecord, replayed: CallbackRecord, names: MetricNames): Difference[] {
  const sums = (record: CallbackRecord, nameOf: (id: number) => string): Map<string, string> => {
    const sum = new Map<string, bigint>();
    const set = new Map<string, string>();
    for (const { call, in: inputs } of record.calls) {
      if (call === 'proxy_increment_metric') {
        const name = nameOf(inputs[0] as number);
        sum.set(name, (sum.get(name) ?? 0n) + BigInt(inputs[1] as string));
      } else if (call === 'proxy_record_metric') {
        const name = nameOf(inputs[0] as number);
        set.set(name, [set.get(name), inputs[1] as string].filter(Boolean).join(', '));
      }
    }
    const signed = [...sum].map(([name, delta]) => [name, delta < 0n ? String(delta) : `+${delta}`] as const);
    return new Map([...signed, ...set]);
  };
  const was = sums(recorded, (id) => names.recorded(id));
  const is = sums(replayed, (id) => names.replayed(id));
  return [...new Set([...was.keys(), ...is.keys()])].flatMap((name) =>
    was.get(name) === is.get(name)
      ? []
      : [{ subject: `metric ${name}`, was: was.get(name) ?? NONE, is: is.get(name) ?? NONE }],
  );
}

/** Callouts, shared data, and whatever else leaves a mark outside. */
function deedsOf(recorded: CallbackRecord, replayed: CallbackRecord): Difference[] {
  const deeds = ({ calls }: CallbackRecord): Map<string, string[]> => {
    const byCall = new Map<string, string[]>();
    for (const { call, in: inputs } of calls) {
      if (ASKS.test(call) || EDITS.test(call)) continue;
      if (
        /^proxy_(log|send_local_response|increment_metric|record_metric|define_metric)$|^fd_write$/.test(call)
      )
        continue;
      const subject = call === 'proxy_http_call' ? `callout to ${quoted(inputs[0] as RecordedBytes)}` : call;
      const text = call === 'proxy_http_call' ? calloutText(inputs) : inputs.map(show).join(', ');
      byCall.set(subject, [...(byCall.get(subject) ?? []), text === '' ? 'called' : text]);
    }
    return byCall;
  };
  const [was, is] = [deeds(recorded), deeds(replayed)];
  return [...new Set([...was.keys(), ...is.keys()])].flatMap((subject) =>
    inOrder(subject, was.get(subject) ?? [], is.get(subject) ?? []),
  );
}

function calloutText(inputs: RecordedCall['in']): string {
  const [, headers, body, trailers, timeout] = inputs;
  const end = pairsText(bytesOf(trailers as RecordedBytes));
  const parts = [pairsText(bytesOf(headers as RecordedBytes)), show(body!), ...(end === '' ? [] : [end])];
  return `${parts.join(' ')} within ${String(timeout)} ms`;
}

function show(value: RecordedCall['in'][number]): string {
  return typeof value === 'number' ? String(value) : quoted(value);
}

/** A serialised header map as text. */
function pairsText(bytes: Buffer): string {
  if (bytes.length < 4) return '';
  const count = bytes.readUInt32LE(0);
  const text: string[] = [];
  let at = 4 + 8 * count;
  for (let i = 0; i < count && at <= bytes.length; i++) {
    const [name, value] = [bytes.readUInt32LE(4 + 8 * i), bytes.readUInt32LE(8 + 8 * i)];
    text.push(
      `${bytes.toString('latin1', at, at + name)}: ${bytes.toString('latin1', at + name + 1, at + name + 1 + value)}`,
    );
    at += name + value + 2;
  }
  return `{${text.join(', ')}}`;
}

function nameOf(call: string): string {
  return /^\w+/.exec(call)?.[0] ?? call;
}

function textOf(bytes: RecordedBytes): string {
  return bytesOf(bytes).toString();
}

const SHOWN = 80;

function quoted(bytes: RecordedBytes): string {
  if (typeof bytes !== 'string') {
    if ('base64' in bytes || bytes.begin === '') return `${bytesOf(bytes).length} bytes`;
    return `${quoted(bytes.begin)}… (${bytes.size} bytes)`;
  }
  const text = JSON.stringify(bytes);
  return text.length <= SHOWN ? text : `${text.slice(0, SHOWN)}… (${Buffer.byteLength(bytes)} bytes)`;
}
