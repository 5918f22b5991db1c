/** Takes recordings of a running weir, over its admin server. */
import type { CallbackRecord, TapRecord } from '../../src/runtime/wasm/tap/record.ts';
import { AdminLines } from './admin-lines.ts';
import type { Weir } from './process.ts';

/** A tap under way. */
export class OpenTap {
  readonly records: TapRecord[] = [];
  /** The recording so far. */
  text = '';
  readonly #lines: AdminLines;

  private constructor(lines: AdminLines) {
    this.#lines = lines;
  }

  /** Resolves when all workers have been told. */
  static async start(weir: Weir, query: string): Promise<OpenTap> {
    const tap = new OpenTap(await AdminLines.open(weir, `/tap?${query}`));
    await tap.until(({ length }) => length > 0);
    return tap;
  }

  get type(): string | null {
    return this.#lines.type;
  }

  get callbacks(): CallbackRecord[] {
    return callbacksOf(this.records);
  }

  /** Reads on until the records meet a condition. */
  async until(condition: (records: TapRecord[]) => boolean): Promise<TapRecord[]> {
    while (!condition(this.records))
      if (!(await this.#more())) throw new Error(`the tap has ended:\n${this.text}`);
    return this.records;
  }

  /** Reads to the end that the tap was given. */
  async rest(): Promise<TapRecord[]> {
    while (await this.#more());
    return this.records;
  }

  /** Leaves before the end. */
  leave(): void {
    this.#lines.leave();
  }

  async #more(): Promise<boolean> {
    const line = await this.#lines.next();
    if (line === null) return false;
    this.text += `${line}\n`;
    if (line !== '') this.records.push(JSON.parse(line) as TapRecord);
    return true;
  }
}

export function callbacksOf(records: readonly TapRecord[]): CallbackRecord[] {
  return records.filter((record): record is CallbackRecord => record.type === 'callback');
}
