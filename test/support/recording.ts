/** Takes recordings of a running weir, over its admin server. */
import type { CallbackRecord, TapRecord } from '../../src/runtime/wasm/tap/record.ts';
import type { Weir } from './process.ts';

/** A tap under way. */
export class OpenTap {
  readonly #response: Response;
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;
  readonly #stop: AbortController;
  text = '';

  private constructor(response: Response, stop: AbortController) {
    this.#response = response;
    this.#reader = response.body!.getReader() as ReadableStreamDefaultReader<Uint8Array>;
    this.#stop = stop;
  }

  /** Resolves when all workers have been told. */
  static async start(weir: Weir, query: string): Promise<OpenTap> {
    const stop = new AbortController();
    const response = await fetch(`http://127.0.0.1:${weir.adminPort}/tap?${query}`, { signal: stop.signal });
    if (response.status !== 200) throw new Error(`${response.status}: ${await response.text()}`);
    const tap = new OpenTap(response, stop);
    await tap.until(({ length }) => length > 0);
    return tap;
  }

  get type(): string | null {
    return this.#response.headers.get('content-type');
  }

  get records(): TapRecord[] {
    const whole = this.text.slice(0, this.text.lastIndexOf('\n') + 1);
    return whole
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as TapRecord);
  }

  get callbacks(): CallbackRecord[] {
    return callbacksOf(this.records);
  }

  /** Reads on until the records meet a condition. */
  async until(condition: (records: TapRecord[]) => boolean): Promise<TapRecord[]> {
    while (!condition(this.records)) {
      const { done, value } = await this.#reader.read();
      if (done) throw new Error(`the tap has ended:\n${this.text}`);
      this.text += Buffer.from(value).toString();
    }
    return this.records;
  }

  /** Reads to the end that the tap was given. */
  async rest(): Promise<TapRecord[]> {
    for (;;) {
      const { done, value } = await this.#reader.read();
      if (done) return this.records;
      this.text += Buffer.from(value).toString();
    }
  }

  /** Leaves before the end. */
  leave(): void {
    this.#stop.abort();
  }
}

export function callbacksOf(records: readonly TapRecord[]): CallbackRecord[] {
  return records.filter((record): record is CallbackRecord => record.type === 'callback');
}
