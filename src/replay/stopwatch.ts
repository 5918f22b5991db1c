import type { CallbackRecord } from '../runtime/wasm/tap/record.ts';
import type { Witness } from '../runtime/wasm/tap/witness.ts';
import type { Callbacks, GuestFunction, Vm } from '../runtime/wasm/vm.ts';

type Imports = Record<string, WebAssembly.ImportValue>;
type HostCall = (...args: (number | bigint)[]) => number | bigint | undefined;

/** What callbacks of one name took together. */
export interface Lap {
  calls: number;
  /** Milliseconds of the guest and of the host calls that are really made. */
  ms: number;
  /** Units of the meter. */
  fuel: number;
}

/**
 * Measures the callbacks of a replay in the place of recording them. It stands still while the recording answers: that
 * takes what no host takes.
 */
export class Stopwatch {
  readonly laps = new Map<string, Lap>();
  /** Of an instance, at most. */
  heapBytes = 0;
  #since = 0;
  #ms = 0;
  #replied = false;

  /** @param ended is told as much of each callback as the replay goes by */
  witness(vm: Vm, ended: (replayed: CallbackRecord) => void): Witness {
    return {
      imports: (own) => ({ ...own, env: { ...own['env'], ...this.#noticing(own['env'] ?? {}) } }),
      callbacks: (own) =>
        Object.fromEntries(
          Object.entries(own).map(([key, callback]: [string, GuestFunction | null]) => [
            key,
            callback === null ? null : this.#timed(wordsOf(key), callback, vm, ended),
          ]),
        ) as unknown as Callbacks,
    };
  }

  pause(): void {
    this.#ms += performance.now() - this.#since;
  }

  resume(): void {
    this.#since = performance.now();
  }

  /** From here on all that was measured before does not count. */
  reset(): void {
    for (const lap of this.laps.values()) lap.calls = lap.ms = lap.fuel = 0;
    this.heapBytes = 0;
  }

  #noticing({ proxy_send_local_response: reply }: Imports): Imports {
    if (reply === undefined) return {};
    return {
      proxy_send_local_response: (...args: (number | bigint)[]) => {
        const status = (reply as unknown as HostCall)(...args);
        this.#replied ||= status === 0;
        return status;
      },
    };
  }

  #timed(
    name: string,
    callback: GuestFunction,
    vm: Vm,
    ended: (replayed: CallbackRecord) => void,
  ): GuestFunction {
    const lap: Lap = this.laps.get(name) ?? { calls: 0, ms: 0, fuel: 0 };
    this.laps.set(name, lap);
    return (id, b, c, d, e) => {
      const before = vm.meter.spent;
      let result: number | null = null;
      this.#replied = false;
      this.#ms = 0;
      this.#since = performance.now();
      try {
        result = callback(id, b, c, d, e) >>> 0;
        return result;
      } finally {
        this.pause();
        lap.calls++;
        lap.ms += this.#ms;
        lap.fuel += vm.meter.spent - before;
        this.heapBytes = Math.max(this.heapBytes, vm.heapBytes);
        ended(this.#recordOf(name, id, result));
      }
    };
  }

  #recordOf(callback: string, context: number, result: number | null): CallbackRecord {
    const calls = this.#replied ? [{ call: 'proxy_send_local_response', in: [], status: 0 }] : [];
    return {
      type: 'callback',
      instance: '',
      seq: 0,
      plugin: '',
      callback,
      context,
      args: [],
      at: 0,
      micros: 0,
      calls,
      result,
    };
  }
}

/** `request headers` of `requestHeaders`. */
function wordsOf(key: string): string {
  return key.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
}
