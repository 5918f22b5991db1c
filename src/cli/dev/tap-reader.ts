import { createInterface } from 'node:readline';
import { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import type { TapRecord } from '../../runtime/wasm/tap/record.ts';

/** Requests that are recorded at a stretch: under load a sample of them is enough. */
const COUNT = 50;
/** Of each body: more than is shown. */
const BODY_BYTES = 512;
const PAUSE_MS = 500;

/** Follows what filters do with requests, for as long as the proxy runs. */
export class TapReader {
  readonly #url: string;
  readonly #onRecord: (record: TapRecord) => void;
  readonly #abort = new AbortController();

  /** @param admin HOST:PORT */
  constructor(admin: string, onRecord: (record: TapRecord) => void) {
    this.#url = `http://${admin}/tap?filter=*&count=${COUNT}&for=1h&bodies=${BODY_BYTES}`;
    this.#onRecord = onRecord;
  }

  async run(): Promise<void> {
    const { signal } = this.#abort;
    while (!signal.aborted) {
      // The proxy may be away, or have no filters: they may come.
      await this.#read(signal).catch(() => undefined);
      await sleep(PAUSE_MS, undefined, { signal }).catch(() => undefined);
    }
  }

  close(): void {
    this.#abort.abort();
  }

  async #read(signal: AbortSignal): Promise<void> {
    const response = await fetch(this.#url, { signal });
    if (response.status !== 200 || response.body === null) return response.body?.cancel();
    const lines = createInterface({ input: Readable.fromWeb(response.body as never) });
    for await (const line of lines) this.#onRecord(JSON.parse(line) as TapRecord);
  }
}
