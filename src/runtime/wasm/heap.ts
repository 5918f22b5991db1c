import { HEAP_BYTES } from './limits.ts';
import type { Vm } from './vm.ts';

/** The linear memories of one worker's instances, against the cap of all together. */
export class Heap {
  readonly #bytes = new Map<Vm, number>();
  bytes = 0;

  get count(): number {
    return this.#bytes.size;
  }

  add(vm: Vm): void {
    this.#bytes.set(vm, 0);
  }

  remove(vm: Vm): void {
    this.bytes -= this.#bytes.get(vm) ?? 0;
    this.#bytes.delete(vm);
  }

  /** The instance's memory has this size. @returns whether it is one too much for the worker */
  resize(vm: Vm, bytes: number): boolean {
    const before = this.#bytes.get(vm);
    if (before === undefined) return false;
    this.#bytes.set(vm, bytes);
    this.bytes += bytes - before;
    return this.bytes > HEAP_BYTES;
  }
}
