import type { Weir } from './process.ts';

/** An answer of the admin server in lines that come one after another, until it ends or is left. */
export class AdminLines {
  readonly type: string | null;
  readonly #lines: AsyncGenerator<string>;
  readonly #stop: AbortController;

  private constructor(response: Response, stop: AbortController) {
    this.type = response.headers.get('content-type');
    this.#lines = linesOf(response);
    this.#stop = stop;
  }

  /** @param path with its query */
  static async open(weir: Weir, path: string): Promise<AdminLines> {
    const stop = new AbortController();
    const response = await fetch(`http://127.0.0.1:${weir.adminPort}${path}`, { signal: stop.signal });
    if (response.status !== 200) throw new Error(`${response.status}: ${await response.text()}`);
    return new AdminLines(response, stop);
  }

  /** Null: there are no more. */
  async next(): Promise<string | null> {
    const { value, done } = await this.#lines.next();
    return done === true ? null : value;
  }

  /** Leaves before the end. */
  leave(): void {
    this.#stop.abort();
  }
}

async function* linesOf(response: Response): AsyncGenerator<string, undefined> {
  const decoder = new TextDecoder();
  let text = '';
  for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) {
    const lines = (text + decoder.decode(chunk, { stream: true })).split('\n');
    text = lines.pop()!;
    yield* lines;
  }
}
