import {
  bytesOf,
  type CallbackRecord,
  type RecordedBytes,
  type RecordedFields,
  type TapRecord,
} from '../runtime/wasm/tap/record.ts';
import type { Colors } from './output.ts';

const ACTIONS = ['continue', 'stop', 'continue and end', 'stop and buffer', 'stop and hold'];
const MAPS = ['request', 'request trailers', 'response', 'response trailers'];
const LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'critical'];
/** Told where they did something. */
const QUIET = /^proxy_on_(?:done|log|delete|context_create)$/;

/** A tap as text: each callback of a request in one line, and below it what it changed. */
export class LiveTap {
  readonly #colors: Colors;
  readonly #seen = new Set<string>();
  readonly #heads = new Map<string, Map<string, RecordedFields>>();

  constructor(colors: Colors) {
    this.#colors = colors;
  }

  /** Requests so far. */
  get streams(): number {
    return this.#seen.size;
  }

  textOf(record: TapRecord): string {
    const { dim, red } = this.#colors;
    if (record.type === 'instance')
      return dim(
        `${record.plugins.map(({ name }) => name).join(', ')}: instance ${record.instance}, module ${record.module.digest.slice(0, 12)}\n`,
      );
    if (record.type === 'end' && record.reason !== 'done')
      return red(`instance ${record.instance} ended: ${record.reason}\n`);
    return record.type === 'callback' ? this.#callback(record) : '';
  }

  #callback(record: CallbackRecord): string {
    if (record.stream === undefined && record.calls.length === 0) return '';
    const key = `${record.instance} ${record.context}`;
    const changes = this.#changes(key, record);
    const title = record.stream === undefined ? '' : this.#begin(key, record);
    const did = [...changes, ...record.calls.flatMap((call) => this.#deed(call))];
    if (QUIET.test(record.callback) && did.length === 0) return title;
    const { cyan, dim, red } = this.#colors;
    const result = record.result === null ? red(`trap: ${record.trap ?? ''}`) : actionOf(record);
    const name = record.callback.replace(/^proxy_on_/, '');
    const line = `  ${cyan(name.padEnd(18))} ${result.padEnd(16)} ${dim(costOf(record))}\n`;
    return `${title}${line}${did.map((each) => `      ${each}\n`).join('')}`;
  }

  #begin(key: string, record: CallbackRecord): string {
    if (this.#seen.has(key)) return '';
    this.#seen.add(key);
    const head = new Map((record.state?.maps?.['0'] ?? []).map(([name, value]) => [text(name), text(value)]));
    const { bold, dim } = this.#colors;
    const line = `${head.get(':method') ?? record.callback} ${head.get(':authority') ?? ''}${head.get(':path') ?? ''}`;
    const filter = record.plugin.slice(record.plugin.indexOf('#') + 1);
    return `${bold(line)} ${dim(`${filter} ${record.stream ?? ''}`)}\n`;
  }

  /** Fields that the callback changed; keeps what maps are, for the next one. */
  #changes(key: string, record: CallbackRecord): string[] {
    const heads = this.#heads.get(key) ?? new Map<string, RecordedFields>();
    this.#heads.set(key, heads);
    for (const [map, fields] of Object.entries(record.state?.maps ?? {})) heads.set(map, fields);
    const { green, red } = this.#colors;
    const lines: string[] = [];
    for (const [map, fields] of Object.entries(record.after?.[record.context]?.maps ?? {})) {
      const before = new Set((heads.get(map) ?? []).map(line));
      const after = new Set(fields.map(line));
      for (const each of before) if (!after.has(each)) lines.push(red(`- ${MAPS[Number(map)]!}: ${each}`));
      for (const each of after) if (!before.has(each)) lines.push(green(`+ ${MAPS[Number(map)]!}: ${each}`));
      heads.set(map, fields);
    }
    for (const type of Object.keys(record.after?.[record.context]?.bodies ?? {}))
      lines.push(green(`~ ${type === '0' ? 'request' : 'response'} body`));
    if (record.callback === 'proxy_on_delete') this.#heads.delete(key);
    return lines;
  }

  #deed({ call, in: inputs, status }: CallbackRecord['calls'][number]): string[] {
    const { dim, magenta, yellow } = this.#colors;
    if (call === 'proxy_log')
      return [dim(`${LEVELS[inputs[0] as number] ?? 'log'}: ${text(inputs[1] as RecordedBytes)}`)];
    if (call === 'proxy_send_local_response')
      return [
        magenta(
          `answers ${String(inputs[0])} ${JSON.stringify(text(inputs[2] as RecordedBytes).slice(0, 80))}`,
        ),
      ];
    if (call === 'proxy_http_call')
      return [yellow(`calls ${text(inputs[0] as RecordedBytes)}${status === 0 ? '' : ': refused'}`)];
    return [];
  }
}

function costOf({ micros, fuel }: CallbackRecord): string {
  return fuel === undefined ? `${micros} µs` : `${micros} µs, ${fuel} fuel`;
}

function actionOf({ callback, result }: CallbackRecord): string {
  return /_(headers|body|trailers|data|new_connection)$/.test(callback)
    ? (ACTIONS[result!] ?? String(result))
    : '';
}

function line([name, value]: RecordedFields[number]): string {
  return `${text(name)}: ${text(value)}`;
}

function text(bytes: RecordedBytes): string {
  if (typeof bytes === 'object' && 'size' in bytes) return `${text(bytes.begin)}… (${bytes.size} bytes)`;
  // Control characters of a request are not for a terminal.
  return bytesOf(bytes)
    .toString()
    .replace(/\p{Cc}/gu, '·');
}
