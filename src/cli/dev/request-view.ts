import { DEV_OVERLAY } from '../../control/dev-overlay.ts';
import type {
  CallbackRecord,
  RecordedBytes,
  RecordedCall,
  RecordedFields,
  TapRecord,
} from '../../runtime/wasm/tap/record.ts';

/** What a filter did with a request, step by step. */
export interface FilterSteps {
  readonly name: string;
  /** Units of the meter, of all steps. */
  readonly fuel: number;
  readonly steps: readonly {
    readonly text: string;
    /** Fields that it added begin with `+`, those it took away with `-`. */
    readonly notes: readonly string[];
  }[];
}

/** One request as page and terminal show it. */
export interface RequestView {
  readonly id: string;
  /** All of it in a line. */
  readonly line: string;
  readonly filters: readonly FilterSteps[];
}

interface Filter {
  readonly name: string;
  readonly steps: { text: string; notes: readonly string[] }[];
  micros: number;
  fuel: number;
  /** The most telling of what it did. */
  outcome: string;
  changes: number;
}

interface Request {
  readonly id: string;
  readonly filters: Map<string, Filter>;
  /** By instance and context, and by type: as the filter saw it last. */
  readonly maps: Map<string, RecordedFields>;
  method: string;
  target: string;
  status: string;
}

const LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'critical'];
/** Types of the ABI's maps. */
const REQUEST_HEADERS = '0';
const RESPONSE_HEADERS = '2';
const MAPS: Record<string, string> = { '1': 'request trailer ', '3': 'response trailer ' };
/** Whose result says whether the stream goes on. */
const DECIDES = /_(headers|body|trailers)$|_new_connection$|_data$/;
/** Requests that are followed at a time. */
const KEPT = 200;
/** Characters of a value. */
const LONGEST = 200;

/** Puts the records of a tap together to requests. */
export class RequestLog {
  readonly #requests = new Map<string, Request>();

  /** @returns the request that a record is of, as it is now; null for records that are of none */
  add(record: TapRecord): RequestView | null {
    if (record.type !== 'callback' || record.stream === undefined || record.plugin === DEV_OVERLAY)
      return null;
    const request = this.#requestOf(record.stream);
    const filter = filterOf(request, record.plugin);
    const notes = notesOf(request, filter, record);
    filter.micros += record.micros;
    filter.fuel += record.fuel ?? 0;
    const text = textOf(record);
    if (text !== '' || notes.length > 0) filter.steps.push({ text: `${text}  ${costOf(record)}`, notes });
    return viewOf(request);
  }

  #requestOf(id: string): Request {
    let request = this.#requests.get(id);
    if (request === undefined) {
      request = { id, filters: new Map(), maps: new Map(), method: '', target: '', status: '' };
      this.#requests.set(id, request);
      if (this.#requests.size > KEPT) this.#requests.delete(this.#requests.keys().next().value!);
    }
    return request;
  }
}

function filterOf(request: Request, plugin: string): Filter {
  let filter = request.filters.get(plugin);
  if (filter === undefined) {
    const name = plugin.slice(plugin.indexOf('#') + 1);
    filter = { name, steps: [], micros: 0, fuel: 0, outcome: '', changes: 0 };
    request.filters.set(plugin, filter);
  }
  return filter;
}

function viewOf({ id, method, target, status, filters }: Request): RequestView {
  const parts = [...filters.values()].map(({ name, micros, outcome, changes }) => {
    const did = [...(outcome === '' ? [] : [outcome]), ...(changes === 0 ? [] : [`±${changes}`])];
    return [name, ...did, took(micros)].join(' ');
  });
  const head = [method, target, status].filter((part) => part !== '').join(' ');
  return {
    id,
    line: `${head}  ${parts.join(' · ')}`,
    filters: [...filters.values()].map(({ name, steps, fuel }) => ({ name, steps, fuel })),
  };
}

/** `proxy_on_request_headers` that returned 0 → `onRequestHeaders → continue`. */
function textOf({ callback, result, trap }: CallbackRecord): string {
  if (/^proxy_on_(context_create|done|delete)$/.test(callback) && trap === undefined) return '';
  const name = callback.replace(/^proxy_/, '').replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase());
  if (trap !== undefined || result === null) return `${name} → trap`;
  return DECIDES.test(callback) ? `${name} → ${result === 0 ? 'continue' : 'pause'}` : name;
}

function notesOf(request: Request, filter: Filter, record: CallbackRecord): string[] {
  const { instance, state, after = {}, calls, trap, result, callback } = record;
  const own = (context: number | string, type: string): string => `${instance} ${context} ${type}`;
  for (const [type, fields] of Object.entries(state?.maps ?? {})) {
    request.maps.set(own(record.context, type), fields);
    learn(request, type, fields);
  }
  const notes = calls.flatMap((call) => noteOf(request, filter, call));
  for (const [context, { maps = {}, bodies = {} }] of Object.entries(after)) {
    for (const [type, fields] of Object.entries(maps)) {
      const changed = differences(request.maps.get(own(context, type)) ?? [], fields, MAPS[type] ?? '');
      filter.changes += changed.length;
      notes.push(...changed);
      request.maps.set(own(context, type), fields);
      learn(request, type, fields);
    }
    for (const [type, body] of Object.entries(bodies)) {
      filter.changes++;
      notes.push(`~ ${type === '0' ? 'request' : 'response'} body: ${body === null ? 'none' : short(body)}`);
    }
  }
  if (trap !== undefined) notes.push(trap);
  if (trap !== undefined || result === null) filter.outcome = 'trap';
  else if (DECIDES.test(callback) && result !== 0 && filter.outcome === '') filter.outcome = 'paused';
  return notes;
}

/** Calls of the guest that a person would ask for. */
function noteOf(request: Request, filter: Filter, { call, in: given, status }: RecordedCall): string[] {
  const [first = '', second = ''] = given;
  switch (call) {
    case 'proxy_log':
      return [`${LEVELS[Number(first)] ?? 'log'}: ${short(second)}`];
    case 'proxy_send_local_response':
      filter.outcome = `answered ${text(first)}`;
      request.status = text(first);
      return [`answered ${text(first)}${given[2] === '' ? '' : `: ${short(given[2] ?? '')}`}`];
    case 'proxy_http_call':
    case 'proxy_grpc_call':
      return [status === 0 ? `called ${short(first)}` : `could not call ${short(first)} (status ${status})`];
    case 'proxy_close_stream':
      filter.outcome = 'closed';
      return ['closed the stream'];
    case 'proxy_continue_stream':
      return ['let it go on'];
    default:
      return [];
  }
}

function learn(request: Request, type: string, fields: RecordedFields): void {
  const valueOf = (name: string): string => text(fields.find(([each]) => each === name)?.[1] ?? '');
  if (type === REQUEST_HEADERS && request.method === '') {
    request.method = valueOf(':method');
    request.target = valueOf(':path');
  }
  if (type === RESPONSE_HEADERS) request.status = valueOf(':status') || request.status;
}

/** Fields that are not in the other list, each as often as it is. */
function differences(before: RecordedFields, now: RecordedFields, what: string): string[] {
  const lines = (fields: RecordedFields): string[] =>
    fields.map(([name, value]) => `${what}${text(name)}: ${short(value)}`);
  const without = (from: string[], taken: string[]): string[] => {
    const left = [...taken];
    return from.filter((line) => {
      const at = left.indexOf(line);
      if (at >= 0) left.splice(at, 1);
      return at < 0;
    });
  };
  const [old, fresh] = [lines(before), lines(now)];
  return [
    ...without(old, fresh).map((line) => `- ${line}`),
    ...without(fresh, old).map((line) => `+ ${line}`),
  ];
}

function text(value: number | RecordedBytes): string {
  if (typeof value !== 'object') return String(value);
  return 'base64' in value ? `base64 ${value.base64}` : `${text(value.begin)}… (${value.size} bytes)`;
}

/** Safe to print: no control characters. */
function short(value: number | RecordedBytes): string {
  const all = text(value).replaceAll(/[\p{Cc}\p{Cf}]+/gu, ' ');
  return all.length > LONGEST ? `${all.slice(0, LONGEST)}…` : all;
}

/** `40 µs, 1234 fuel` */
function costOf({ micros, fuel }: CallbackRecord): string {
  return fuel === undefined ? took(micros) : `${took(micros)}, ${fuel} fuel`;
}

function took(micros: number): string {
  return micros < 1000 ? `${Math.round(micros)} µs` : `${(micros / 1000).toFixed(1)} ms`;
}
