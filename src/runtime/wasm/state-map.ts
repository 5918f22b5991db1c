import { PROPERTIES } from './limits.ts';
import type { StateValue } from './stream-host.ts';

/** What filters say of who sends a request; the other two are plan and labels. */
const CONSUMER = 'wasm.consumer.';
const CONSUMER_NAME = `${CONSUMER}name`;

/** What the filters of one stream, or of one connection, keep by key. */
export class StateMap {
  readonly #values = new Map<string, StateValue>();

  get(key: string): StateValue | undefined {
    return this.#values.get(key);
  }

  /** False where there are `PROPERTIES` others. */
  set(key: string, value: StateValue): boolean {
    if (this.#values.size >= PROPERTIES && !this.#values.has(key)) return false;
    if (key === CONSUMER_NAME) this.#changeConsumer(value);
    this.#values.set(key, value);
    return true;
  }

  /** Another consumer has not got the plan and the labels of the one that a filter in front has found. */
  #changeConsumer({ bytes }: StateValue): void {
    const before = this.#values.get(CONSUMER_NAME);
    if (before === undefined || Buffer.compare(before.bytes, bytes) === 0) return;
    for (const key of this.#values.keys()) if (key.startsWith(CONSUMER)) this.#values.delete(key);
  }

  withPrefix(prefix: string): (readonly [rest: string, value: StateValue])[] {
    const found: (readonly [string, StateValue])[] = [];
    for (const [key, value] of this.#values)
      if (key.startsWith(prefix)) found.push([key.slice(prefix.length), value]);
    return found;
  }
}
