import type { Field } from './fields.ts';
import type { Answer, CallbackRecord, HttpCall, LogLevel, UpstreamRequest } from './testing.d.ts';

/** Bodies are shown as far as this. */
const SHOWN_BYTES = 200;

/** A whole exchange as text: what came and went, and what each callback did. Times and costs stay out of it. */
export class Transcript {
  readonly #lines: string[] = [];
  /** Of the callback that runs. */
  #said: string[] = [];

  request(fields: readonly Field[]): void {
    const [method, path, authority, scheme] = fields.slice(0, 4).map(([, value]) => value);
    this.#lines.push(`client → ${method} ${scheme}://${authority}${path}`);
    this.#fields(fields.slice(4));
  }

  upstreamAnswer(fields: readonly Field[]): void {
    this.#lines.push(`upstream → ${fields[0]![1]}`);
    this.#fields(fields.slice(1));
  }

  body(from: 'client' | 'upstream', bytes: Uint8Array, ended: boolean): void {
    this.#lines.push(`${from} → body${ended ? ', the last of it' : ''}: ${shown(bytes)}`);
  }

  trailers(from: 'client' | 'upstream', fields: readonly Field[]): void {
    this.#lines.push(`${from} → trailers`);
    this.#fields(fields);
  }

  log(level: LogLevel, message: string): void {
    this.#said.push(`${level}: ${message}`);
  }

  callback(filter: string, record: CallbackRecord, changes: readonly string[]): void {
    const outcome = record.action === '' ? '' : ` = ${record.action}`;
    this.#lines.push(`  ${filter === '' ? '' : `${filter} `}${record.callback}${outcome}`);
    for (const line of [...this.#said, ...changes]) this.#lines.push(`    ${line}`);
    this.#said = [];
  }

  toUpstream(request: UpstreamRequest): void {
    this.#lines.push(`→ upstream ${request.method} ${request.scheme}://${request.authority}${request.path}`);
    this.#message(request);
  }

  toClient(answer: Answer): void {
    const maker = { upstream: '', filter: ', by the filter', weir: ', by weir' }[answer.from];
    this.#lines.push(`→ client ${answer.status}${maker}`);
    this.#message(answer);
  }

  reset(): void {
    this.#lines.push('→ client reset');
  }

  text(calls: readonly HttpCall[], state: string): string {
    const lines = [...this.#lines, ...this.#said.map((line) => `  ${line}`)];
    for (const call of calls)
      lines.push(`call ${call.method} ${call.path} to ${call.upstream}: ${call.outcome}`);
    if (state === 'waiting') lines.push('… waiting');
    return `${lines.join('\n')}\n`;
  }

  #message(message: UpstreamRequest | Answer): void {
    this.#fields(message.fields.filter(([name]) => name !== 'date'));
    if (message.bytes.length > 0) this.#lines.push(`    body: ${shown(message.bytes)}`);
    for (const [name, value] of Object.entries(message.trailers))
      this.#lines.push(`    trailer ${name}: ${value}`);
  }

  #fields(fields: readonly Field[]): void {
    for (const [name, value] of fields) this.#lines.push(`    ${name}: ${value}`);
  }
}

function shown(bytes: Uint8Array): string {
  const text = Buffer.from(bytes.subarray(0, SHOWN_BYTES));
  const plain = text.every((byte) => byte >= 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09);
  const start = plain ? JSON.stringify(text.toString()) : text.toString('hex');
  return bytes.length > SHOWN_BYTES ? `${start}… (${bytes.length} bytes)` : start;
}
