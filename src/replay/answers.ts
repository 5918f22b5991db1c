import type { CallbackRecord, RecordedCall } from '../runtime/wasm/tap/record.ts';

/** How a call of the replayed filter was found in the recording. */
export interface Found {
  readonly call: RecordedCall;
  /** `exact`: asked there with the same arguments; `alike`: the same function with others. */
  readonly how: 'exact' | 'alike';
}

function keyOf(name: string, inputs: readonly unknown[]): string {
  return `${name} ${JSON.stringify(inputs)}`;
}

/**
 * What the host answered in one callback, and, for what is asked there for the first time, what it answered
 * to the same question elsewhere: in the same stream at any time, in the instance before.
 */
export class Answers {
  readonly #exact = new Map<string, RecordedCall[]>();
  readonly #last = new Map<string, RecordedCall>();
  readonly #unused = new Set<RecordedCall>();
  readonly #stream: ReadonlyMap<string, RecordedCall>;
  readonly #before: ReadonlyMap<string, RecordedCall>;

  /**
   * @param stream answers of the whole stream
   * @param before newest answers of the instance
   */
  constructor(
    record: CallbackRecord | null,
    stream: ReadonlyMap<string, RecordedCall>,
    before: ReadonlyMap<string, RecordedCall>,
  ) {
    this.#stream = stream;
    this.#before = before;
    for (const call of record?.calls ?? []) {
      const key = keyOf(call.call, call.in);
      const known = this.#exact.get(key);
      if (known === undefined) this.#exact.set(key, [call]);
      else known.push(call);
      this.#unused.add(call);
    }
  }

  /**
   * @param mayDiffer whether one with other arguments will do: for calls that do something
   */
  find(name: string, inputs: readonly unknown[], mayDiffer: boolean): Found | null {
    const key = keyOf(name, inputs);
    const next = this.#exact.get(key)?.shift();
    if (next !== undefined) {
      this.#unused.delete(next);
      this.#last.set(key, next);
      return { call: next, how: 'exact' };
    }
    if (mayDiffer) {
      for (const call of this.#unused) {
        if (call.call !== name) continue;
        this.#unused.delete(call);
        const queue = this.#exact.get(keyOf(name, call.in))!;
        queue.splice(queue.indexOf(call), 1);
        return { call, how: 'alike' };
      }
      return null;
    }
    const again = this.#last.get(key) ?? this.#stream.get(key) ?? this.#before.get(key);
    return again === undefined ? null : { call: again, how: 'exact' };
  }
}

/** Adds the answers of a callback to those that are known. */
export function learn(known: Map<string, RecordedCall>, { calls }: CallbackRecord): void {
  for (const call of calls) if (call.out !== undefined) known.set(keyOf(call.call, call.in), call);
}
