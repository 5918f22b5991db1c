import { Status } from '../runtime/wasm/abi.ts';
import { writeU32 } from '../runtime/wasm/pairs.ts';
import { argumentsOf, inputsOf, isGiven } from '../runtime/wasm/tap/call-codec.ts';
import { shapeOf } from '../runtime/wasm/tap/call-shape.ts';
import { bytesOf, recordedBytes, type RecordedBytes, type RecordedCall } from '../runtime/wasm/tap/record.ts';
import type { Witness } from '../runtime/wasm/tap/witness.ts';
import type { Writer } from '../runtime/wasm/tap/writer.ts';
import type { Callbacks, GuestFunction, Vm } from '../runtime/wasm/vm.ts';
import type { Found } from './answers.ts';
import type { Stopwatch } from './stopwatch.ts';

type Value = number | bigint;
type HostCall = (...args: Value[]) => number | bigint | undefined;

/** What the player asks of the replay under way. */
export interface Score {
  /** A callback is about to run in the guest. */
  begins(key: keyof Callbacks, contextId: number): void;
  find(name: string, inputs: readonly unknown[], mayDiffer: boolean): Found | null;
  /** A call that nothing recorded answers; the host itself does then. */
  unknown(name: string, inputs: readonly unknown[]): void;
  /** A property of the stream that the call is for, whether or not the recorded filter asked for it. */
  property(path: string): Buffer | null;
  /** A callout is about to be sent; it stands for the recorded one. */
  sends(recorded: RecordedCall | null): void;
  turned(recorded: RecordedCall | null): void;
  nextRandom(): number;
}

/** Answered from the recording: time, chance, and what others put where filters share. */
const READS = new Set([
  'proxy_get_current_time_nanoseconds',
  'clock_time_get',
  'proxy_get_log_level',
  'proxy_get_property',
  'proxy_get_shared_data',
  'proxy_get_metric',
  'random_get',
  'seed',
]);
/** The same, where the call itself does something: one with other arguments gets the answer of the one it took the place of. */
const DEEDS = new Set([
  'proxy_set_shared_data',
  'proxy_register_shared_queue',
  'proxy_resolve_shared_queue',
  'proxy_enqueue_shared_queue',
  'proxy_dequeue_shared_queue',
  'proxy_define_metric',
  'proxy_call_foreign_function',
]);
/** Sent by the host as always, to nobody: the answers come when the recording says. */
const SENDS = new Set(['proxy_http_call', 'proxy_grpc_call', 'proxy_grpc_stream', 'proxy_grpc_send']);
const COUNTS = new Set(['proxy_increment_metric', 'proxy_record_metric']);
/** Ids of metrics that the recorded filter did not define begin here. */
const NEW_METRICS = 1_000_000;

/**
 * Plays the host for one instance: header maps, bodies and all that follows from the arguments is done by weir's
 * own host calls, on streams as they were recorded; what came from outside comes from the recording.
 */
export class Player implements Witness {
  readonly #vm: Vm;
  readonly #score: Score;
  readonly #writer: Writer;
  readonly #stopwatch: Stopwatch | null;
  readonly #metrics = new Map<string, number>();

  /** @param stopwatch stands still while the recording answers */
  constructor(vm: Vm, score: Score, writer: Writer, stopwatch: Stopwatch | null) {
    this.#vm = vm;
    this.#stopwatch = stopwatch;
    this.#writer = writer;
    this.#score = score;
  }

  imports(own: WebAssembly.Imports): WebAssembly.Imports {
    const imports: Record<string, Record<string, WebAssembly.ImportValue>> = {};
    for (const [module, functions] of Object.entries(own)) {
      imports[module] = {};
      for (const [name, call] of Object.entries(functions))
        imports[module][name] = this.#besideTheClock(name, call as HostCall) as WebAssembly.ImportValue;
    }
    return imports;
  }

  callbacks(own: Callbacks): Callbacks {
    return Object.fromEntries(
      Object.entries(own).map(([key, callback]: [string, GuestFunction | null]) => {
        const begin: GuestFunction = (id, ...rest) => {
          this.#score.begins(key as keyof Callbacks, id);
          return callback!(id, ...rest);
        };
        return [key, callback === null ? null : begin];
      }),
    ) as unknown as Callbacks;
  }

  #besideTheClock(name: string, call: HostCall): HostCall {
    const play = this.#play(name, call);
    const stopwatch = this.#stopwatch;
    if (stopwatch === null || play === call) return play;
    return (...args) => {
      stopwatch.pause();
      try {
        return play(...args);
      } finally {
        stopwatch.resume();
      }
    };
  }

  #play(name: string, call: HostCall): HostCall {
    if (READS.has(name) || DEEDS.has(name)) return (...args) => this.#answer(name, call, args);
    if (SENDS.has(name)) {
      return (...args) => {
        this.#score.sends(this.#find(name, args, true)?.call ?? null);
        return call(...args);
      };
    }
    if (COUNTS.has(name)) return (...args) => this.#find(name, args, false)?.call.status ?? Status.Ok;
    if (name === 'proxy_set_tick_period_milliseconds') return () => Status.Ok;
    if (name === 'proxy_set_effective_context') {
      return (...args) => {
        const status = call(...args);
        this.#score.turned(this.#find(name, args, true)?.call ?? null);
        return status;
      };
    }
    return call;
  }

  #find(name: string, args: readonly Value[], mayDiffer: boolean): Found | null {
    return this.#score.find(name, this.#inputs(name, args), mayDiffer);
  }

  #inputs(name: string, args: readonly Value[]): ReturnType<typeof inputsOf> {
    return inputsOf(this.#vm, name, args, this.#writer);
  }

  #answer(name: string, call: HostCall, args: Value[]): number | bigint | undefined {
    const inputs = this.#inputs(name, args);
    const found = this.#score.find(name, inputs, DEEDS.has(name));
    if (found !== null && found.call.status !== null) {
      if (found.call.status === Status.Ok && found.call.out !== undefined)
        return this.#give(name, args, found.call.out) ? Status.Ok : Status.InvalidMemoryAccess;
      return found.call.status;
    }
    return this.#invent(name, call, args, inputs);
  }

  /** The answer to what was never asked. */
  #invent(
    name: string,
    call: HostCall,
    args: Value[],
    inputs: readonly unknown[],
  ): number | bigint | undefined {
    switch (name) {
      case 'seed':
        return this.#score.nextRandom();
      case 'random_get': {
        const [at, size] = [Number(args[0]) >>> 0, Number(args[1]) >>> 0];
        const memory = this.#vm.view();
        if (at + size > memory.length) return call(...args);
        for (let i = 0; i < size; i++) memory[at + i] = this.#score.nextRandom();
        return Status.Ok;
      }
      case 'proxy_define_metric': {
        const key = JSON.stringify(inputs);
        let id = this.#metrics.get(key);
        if (id === undefined) this.#metrics.set(key, (id = NEW_METRICS + this.#metrics.size));
        return this.#give(name, args, [id]) ? Status.Ok : Status.InvalidMemoryAccess;
      }
      case 'proxy_get_property': {
        const path = bytesOf(inputs[0] as RecordedBytes)
          .toString('latin1')
          .replace(/\0$/, '');
        const value = this.#score.property(path);
        if (value !== null)
          return this.#give(name, args, [recordedBytes(value)]) ? 0 : Status.InvalidMemoryAccess;
        const status = call(...args);
        // What the stream answers is known: its heads are recorded whole.
        if (status === Status.NotFound) this.#score.unknown(name, inputs);
        return status;
      }
      case 'proxy_get_current_time_nanoseconds':
      case 'clock_time_get':
      case 'proxy_get_log_level':
        return call(...args);
      default:
        this.#score.unknown(name, inputs);
        return call(...args);
    }
  }

  /** Writes what the recorded call was given to where this one asks for it. False: a pointer is wrong. */
  #give(name: string, args: readonly Value[], out: NonNullable<RecordedCall['out']>): boolean {
    const vm = this.#vm;
    const size = vm.view().length;
    const fits = (at: number, bytes: number): boolean => at + bytes <= size;
    let at = 0;
    let next = 0;
    for (const kind of shapeOf(name)) {
      const place = Number(args[at] ?? 0) >>> 0;
      if (kind === 'w') {
        if (!fits(place, 4)) return false;
        writeU32(vm.view(), place, out[next++] as number);
      } else if (kind === 'W') {
        if (!fits(place, 8)) return false;
        const value = BigInt(out[next++] as string);
        writeU32(vm.view(), place, Number(value & 0xffff_ffffn));
        writeU32(vm.view(), place + 4, Number(value >> 32n));
      } else if (isGiven(kind)) {
        const bytes = bytesOf(out[next++] as RecordedBytes);
        const outSize = Number(args[at + 1]) >>> 0;
        if (place !== 0 && outSize !== 0) {
          if (!fits(place, 4) || !fits(outSize, 4)) return false;
          if (vm.give(bytes, 0, bytes.length, place, outSize) !== Status.Ok) return false;
        }
      } else if (kind === 'r') {
        const bytes = bytesOf(out[next++] as RecordedBytes);
        if (!fits(place, bytes.length)) return false;
        vm.view().set(bytes, place);
      }
      at += argumentsOf(kind);
    }
    return true;
  }
}
