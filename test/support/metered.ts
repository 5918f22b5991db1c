import { readShape } from '../../src/runtime/wasm/binary.ts';
import { MOST_FRAMES } from '../../src/runtime/wasm/meter/added.ts';
import { MORE } from '../../src/runtime/wasm/meter/slice.ts';
import { rewriteNow } from '../../src/runtime/wasm/meter/rewrite.ts';

export interface MeteredOptions {
  readonly frames?: number;
  /** Units of one slice. */
  readonly slice?: number;
  /** Slices that the instance gets. */
  readonly slices?: number;
}

/** An instance with a meter whose fuel the test gives, where weir asks a clock. */
export class Metered {
  readonly exports: Record<string, unknown>;
  /** Slices given after the first. */
  given = 0;
  /** Frames ran out. */
  overflowed = false;
  readonly #left: () => number;
  readonly #reset: (units: number, frames: number) => void;
  readonly #framesLeft: () => number;
  readonly #slice: number;
  readonly #frames: number;

  /** The start function has not run: `start` calls it. */
  constructor(bytes: Uint8Array, imports: WebAssembly.Imports = {}, options: MeteredOptions = {}) {
    const { bytes: metered, prefix } = rewriteNow(bytes, readShape(bytes), { memoryBytes: 2 ** 32 });
    const { exports } = new WebAssembly.Instance(new WebAssembly.Module(metered), imports);
    const own = <T>(name: string): T => exports[prefix + name] as T;
    this.#slice = options.slice ?? 100_000;
    this.#frames = options.frames ?? MOST_FRAMES;
    let slices = options.slices ?? Infinity;
    this.#left = own('left');
    this.#reset = own('reset');
    const frames = own<() => number>('frames');
    this.#framesLeft = frames;
    const refill = own<(units: number) => void>('refill');
    own<WebAssembly.Table>('table').set(0, MORE);
    own<(source: object) => void>('bind')({
      more: (): boolean => {
        this.overflowed = frames() > MOST_FRAMES;
        if (this.overflowed || --slices <= 0) return false;
        this.given++;
        refill(this.#slice);
        return true;
      },
    });
    this.reset();
    this.start = own<(() => void) | undefined>('start') ?? ((): void => {});
    this.exports = Object.fromEntries(Object.entries(exports).filter(([name]) => !name.startsWith(prefix)));
  }

  readonly start: () => void;

  /** A full slice and all frames, as between two callbacks. */
  reset(): void {
    this.given = 0;
    this.#reset(this.#slice, this.#frames);
  }

  /** Units taken since it was made or reset. */
  get used(): number {
    return (this.given + 1) * this.#slice - this.#left();
  }

  /** Frames that are entered and not left. */
  get entered(): number {
    return this.#frames - this.#framesLeft();
  }

  get left(): number {
    return this.#left();
  }
}
