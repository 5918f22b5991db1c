/** What is to reach guests when none is on the stack: answers, in the order in which they came. */
export class Deliveries {
  readonly #queue: { readonly cause: string; readonly job: () => void }[] = [];
  readonly #awaited = new Set<Promise<void>>();

  /** @param cause what it is, for whoever looks at what it lets go on */
  add(cause: string, job: () => void): void {
    this.#queue.push({ cause, job });
  }

  /** More may come of it. */
  await(promise: Promise<void>): void {
    const awaited = promise.finally(() => this.#awaited.delete(awaited));
    this.#awaited.add(awaited);
  }

  next(): { readonly cause: string; readonly job: () => void } | undefined {
    return this.#queue.shift();
  }

  get awaited(): readonly Promise<void>[] {
    return [...this.#awaited];
  }
}
