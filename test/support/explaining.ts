/** Has a running weir explain requests, over its admin server. */
import type { Explanation } from '../../src/explain/explanation.ts';
import type { Weir } from './process.ts';

/** A session under way. */
export class Explaining {
  /** A line of a request that is to be explained. */
  readonly field: string;
  readonly token: string;
  readonly #lines: AsyncGenerator<string>;
  readonly #stop: AbortController;

  private constructor(field: string, token: string, lines: AsyncGenerator<string>, stop: AbortController) {
    this.field = `${field}: ${token}`;
    this.token = token;
    this.#lines = lines;
    this.#stop = stop;
  }

  /** Resolves when all workers have been told. */
  static async start(weir: Weir, query = ''): Promise<Explaining> {
    const stop = new AbortController();
    const url = `http://127.0.0.1:${weir.adminPort}/explain?${query}`;
    const response = await fetch(url, { signal: stop.signal });
    if (response.status !== 200) throw new Error(`${response.status}: ${await response.text()}`);
    const lines = linesOf(response);
    const first = JSON.parse((await lines.next()).value as string) as Record<string, string>;
    return new Explaining(first.field!, first.token!, lines, stop);
  }

  /** Null: the session has ended. */
  async next(): Promise<Explanation | null> {
    const { value, done } = await this.#lines.next();
    if (done === true) throw new Error('the session was cut');
    const record = JSON.parse(value) as Explanation & { type?: string };
    return record.type === 'summary' ? null : record;
  }

  /** Leaves before the end. */
  leave(): void {
    this.#stop.abort();
  }
}

async function* linesOf(response: Response): AsyncGenerator<string> {
  let text = '';
  for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) {
    const lines = (text + Buffer.from(chunk).toString()).split('\n');
    text = lines.pop()!;
    yield* lines;
  }
}
