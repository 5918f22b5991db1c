import { compileForReplay, instancesOf } from '../../replay/report.ts';
import { Replay } from '../../replay/replay.ts';
import type { RecordedInstance, Recording } from '../../replay/recording.ts';
import { Stopwatch } from '../../replay/stopwatch.ts';
import type { CompiledModule } from '../../runtime/wasm/module.ts';
import type { Cost, Round } from './bench-report.ts';

/** Callbacks that run before anything is timed. */
const WARM_UP = 5000;

interface Part {
  readonly instance: RecordedInstance;
  readonly compiled: CompiledModule;
}

/** One build that the requests of a recording are played to. */
export class ReplaySubject {
  readonly callbacks: readonly string[];
  readonly notes: readonly string[];
  readonly warmUp: number;
  /** Most of it is the recording's part. */
  readonly roundMs = 100;
  readonly #parts: readonly Part[];
  readonly #bodyBytes: number;
  readonly #requests: number;
  readonly #stopwatch: Stopwatch;

  private constructor(
    parts: readonly Part[],
    bodyBytes: number,
    { stopwatch, missed }: { stopwatch: Stopwatch; missed: number },
  ) {
    this.#parts = parts;
    this.#bodyBytes = bodyBytes;
    this.#stopwatch = stopwatch;
    const records = parts.flatMap(({ instance }) => instance.callbacks);
    this.#requests = Math.max(
      1,
      parts.reduce((sum, { instance }) => sum + streamsOf(instance), 0),
    );
    this.callbacks = [...stopwatch.laps].filter(([, { calls }]) => calls > 0).map(([name]) => name);
    this.warmUp = Math.max(1, Math.ceil(WARM_UP / Math.max(1, records.length)));
    this.notes =
      missed === 0
        ? []
        : [
            `${missed} of ${records.length} recorded callbacks did not come about, weir filter test --replay tells why`,
          ];
  }

  /** @throws Error where the build does not start with the recorded configuration */
  static async open(bytes: Buffer, recording: Recording, filter: string): Promise<ReplaySubject> {
    const parts = await Promise.all(
      instancesOf(recording, filter).map(async (instance) => ({
        instance,
        compiled: await compileForReplay(bytes, instance.record.memoryBytes),
      })),
    );
    const stopwatch = new Stopwatch();
    const bodyBytes = recording.header.bodies ?? Infinity;
    const missed = await playAll(parts, bodyBytes, stopwatch);
    return new ReplaySubject(parts, bodyBytes, { stopwatch, missed });
  }

  async cost(): Promise<Cost> {
    await this.#play(1);
    const fuel = [...this.#stopwatch.laps.values()].reduce((sum, lap) => sum + lap.fuel, 0);
    return { fuel: fuel / this.#requests, hostCalls: {}, heapBytes: this.#stopwatch.heapBytes };
  }

  async run(times: number): Promise<Round> {
    await this.#play(times);
    const { laps } = this.#stopwatch;
    const all = [...laps.values()].reduce((sum, { ms }) => sum + ms, 0);
    return {
      callbacks: this.callbacks.map((name) => (1e6 * laps.get(name)!.ms) / laps.get(name)!.calls),
      total: (1e6 * all) / (times * this.#requests),
    };
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  async #play(times: number): Promise<void> {
    this.#stopwatch.reset();
    for (let i = 0; i < times; i++) await playAll(this.#parts, this.#bodyBytes, this.#stopwatch);
  }
}

function streamsOf({ callbacks }: RecordedInstance): number {
  return new Set(callbacks.flatMap(({ stream, context }) => (stream === undefined ? [] : [context]))).size;
}

/** @returns callbacks that were recorded and did not come about */
async function playAll(parts: readonly Part[], bodyBytes: number, stopwatch: Stopwatch): Promise<number> {
  let missed = 0;
  for (const { instance, compiled } of parts) {
    const steps = await new Replay(compiled, instance, bodyBytes, stopwatch).run();
    missed += steps.filter(({ skipped }) => skipped !== null).length;
  }
  return missed;
}
