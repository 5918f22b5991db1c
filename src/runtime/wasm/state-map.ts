import { PROPERTIES } from './limits.ts';
import type { StateValue } from './stream-host.ts';

/** What the filters of one stream, or of one connection, keep by key. */
export class StateMap {
  readonly #values = new Map<string, StateValue>();

  get(key: string): StateValue | undefined {
    return this.#values.get(key);
  }

  /** False where there are `PROPERTIES` others. */
  set(key: string, value: StateValue): boolean {
    if (this.#values.size >= PROPERTIES && !this.#values.has(key)) return false;
    this.#values.set(key, value);
    return true;
  }

  withPrefix(prefix: string): (readonly [rest: string, value: StateValue])[] {
    const found: (readonly [string, StateValue])[] = [];
    for (const [key, value] of this.#values)
      if (key.startsWith(prefix)) found.push([key.slice(prefix.length), value]);
    return found;
  }
}
