import type { RootContext } from './root.ts';
import type { StreamContext } from './context.ts';

export type Context = RootContext | StreamContext;

/**
 * The live contexts of one instance by id. Ids come from one counter and are at most 2^31 - 1; an id
 * whose slot is taken is passed over, so finding and adding cost one index and no id is used twice
 * while it lives.
 */
export class ContextTable {
  #slots: (Context | null)[] = new Array<Context | null>(64).fill(null);
  #next = 1;
  size = 0;

  add(context: Context): number {
    if (2 * this.size >= this.#slots.length) this.#grow();
    const mask = this.#slots.length - 1;
    while (this.#slots[this.#next & mask] !== null) this.#advance();
    const id = this.#next;
    this.#slots[id & mask] = context;
    this.#advance();
    this.size++;
    return id;
  }

  get(id: number): Context | null {
    const context = this.#slots[id & (this.#slots.length - 1)]!;
    return context !== null && context.id === id ? context : null;
  }

  remove(id: number): void {
    this.#slots[id & (this.#slots.length - 1)] = null;
    this.size--;
  }

  *[Symbol.iterator](): Generator<Context> {
    for (const context of this.#slots) if (context !== null) yield context;
  }

  #advance(): void {
    this.#next = this.#next === 0x7fff_ffff ? 1 : this.#next + 1;
  }

  #grow(): void {
    const slots = new Array<Context | null>(2 * this.#slots.length).fill(null);
    for (const context of this) slots[context.id & (slots.length - 1)] = context;
    this.#slots = slots;
  }
}
