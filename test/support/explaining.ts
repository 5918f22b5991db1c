/** Has a running weir explain requests, over its admin server. */
import type { Explanation } from '../../src/explain/explanation.ts';
import { AdminLines } from './admin-lines.ts';
import type { Weir } from './process.ts';

/** A session under way. */
export class Explaining {
  /** A line of a request that is to be explained. */
  readonly field: string;
  readonly token: string;
  readonly #lines: AdminLines;

  private constructor(field: string, token: string, lines: AdminLines) {
    this.field = `${field}: ${token}`;
    this.token = token;
    this.#lines = lines;
  }

  /** Resolves when all workers have been told. */
  static async start(weir: Weir, query = ''): Promise<Explaining> {
    const lines = await AdminLines.open(weir, `/explain?${query}`);
    const { field, token } = JSON.parse((await lines.next())!) as { field: string; token: string };
    return new Explaining(field, token, lines);
  }

  /** Null: the session has ended. */
  async next(): Promise<Explanation | null> {
    const line = await this.#lines.next();
    if (line === null) throw new Error('the session was cut');
    const record = JSON.parse(line) as Explanation & { type?: string };
    return record.type === 'summary' ? null : record;
  }

  /** Leaves before the end. */
  leave(): void {
    this.#lines.leave();
  }
}
