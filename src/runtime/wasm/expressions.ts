import type { Expression } from './cel.ts';
import { EXPRESSIONS } from './limits.ts';

/** The expressions that one root context has created, by token. */
export class Expressions {
  readonly #byToken = new Map<number, Expression>();
  #next = 0;

  get full(): boolean {
    return this.#byToken.size >= EXPRESSIONS;
  }

  /** @returns its token */
  add(expression: Expression): number {
    while (this.#byToken.has(this.#next)) this.#next = (this.#next + 1) >>> 0;
    const token = this.#next;
    this.#next = (token + 1) >>> 0;
    this.#byToken.set(token, expression);
    return token;
  }

  get(token: number): Expression | undefined {
    return this.#byToken.get(token);
  }

  delete(token: number): void {
    this.#byToken.delete(token);
  }
}
