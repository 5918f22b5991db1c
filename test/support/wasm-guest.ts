import { CALLBACKS, HOST_FUNCTIONS } from '../../src/runtime/wasm/abi.ts';
import type { StreamContext } from '../../src/runtime/wasm/context.ts';
import type { Vm } from '../../src/runtime/wasm/vm.ts';
import { ModuleEncoder, op } from './wasm-encoder.ts';

/** Where `Script.out` lies: eight words for results that a host call leaves. */
const OUT = 0x4000;
const RESULTS = 0x5000;
const TEXT = 0x0400;
const HEAP = 0x8000;

const SIGNATURES = new Map(HOST_FUNCTIONS.map((row) => [row.name, row]));

/** The body of one callback: host calls in a row, whose results the test reads when it is over. */
export class Script {
  readonly code: number[] = [];
  readonly #guest: Guest;

  constructor(guest: Guest) {
    this.#guest = guest;
  }

  /** Address of word `index` of the out area. */
  out(index: number): number {
    return OUT + 4 * index;
  }

  /** Bytes in the guest's data: their address and size, to be spread into a call's arguments. */
  text(value: string | Uint8Array): [at: number, size: number] {
    return this.#guest.place(typeof value === 'string' ? Buffer.from(value, 'latin1') : value);
  }

  /** Calls a host function; its result becomes the next of `results`. */
  call(name: string, ...values: (number | bigint | number[])[]): this {
    const { params, results } = SIGNATURES.get(name)!;
    const flat = values.flat();
    if (flat.length !== params.length) throw new Error(`${name} takes ${params.length} values`);
    // `store` wants its address below the value.
    if (results === 'i') this.run(op.i32(this.#guest.nextResult()));
    for (const value of flat) this.run(typeof value === 'bigint' ? op.i64(value) : op.i32(value));
    this.run(op.call(this.#guest.imports.get(name)!));
    if (results === 'i') this.run(op.store());
    else if (results !== '') this.run(op.drop);
    return this;
  }

  /** Calls a host function with what raw instructions have put on the stack, and drops its result. */
  callStacked(name: string): this {
    this.run(op.call(this.#guest.imports.get(name)!));
    return SIGNATURES.get(name)!.results === '' ? this : this.run(op.drop);
  }

  /** Raw instructions. */
  run(...code: number[][]): this {
    this.code.push(...code.flat());
    return this;
  }

  trap(): this {
    return this.run(op.unreachable);
  }

  grow(pages: number): this {
    return this.run(op.i32(pages), op.grow, op.drop);
  }

  /** Ends the callback with this result. */
  return(value: number): this {
    return this.run(op.i32(value), op.return);
  }
}

export interface GuestOptions {
  readonly abi?: string | null;
  readonly allocator?: string | null;
  /** Instructions of the allocator in place of the one that only ever gives more; parameter 0 is the size. */
  readonly allocate?: number[];
  readonly pages?: number;
  readonly maxPages?: number;
  readonly wasiModule?: string;
  /** More exports, by name, without parameters. */
  readonly functions?: Readonly<Record<string, (script: Script) => void>>;
  readonly start?: (script: Script) => void;
  /** Last word on the binary, for what has no option here. */
  readonly encode?: (encoder: ModuleEncoder) => void;
}

export type Scripts = Readonly<Record<string, (script: Script) => void>>;

/** A Proxy-Wasm module whose callbacks are scripts. All host functions are imported. */
export function guest(scripts: Scripts, options: GuestOptions = {}): Uint8Array {
  return new Guest(options).build(scripts);
}

class Guest {
  readonly imports = new Map<string, number>();
  readonly #encoder = new ModuleEncoder();
  readonly #options: GuestOptions;
  #text = TEXT;
  #results = 0;

  constructor(options: GuestOptions) {
    this.#options = options;
    for (const { name, module, params, results } of HOST_FUNCTIONS) {
      const from = module === 'env' ? 'env' : (options.wasiModule ?? 'wasi_snapshot_preview1');
      this.imports.set(name, this.#encoder.importFunction(from, name, params, results));
    }
  }

  place(bytes: Uint8Array): [number, number] {
    const at = this.#text;
    this.#text += bytes.length;
    if (this.#text > OUT) throw new Error('the texts of this guest are too long');
    if (bytes.length > 0) this.#encoder.data(at, bytes);
    return [at, bytes.length];
  }

  nextResult(): number {
    return RESULTS + 4 * this.#results++;
  }

  build(scripts: Scripts): Uint8Array {
    const encoder = this.#encoder;
    const { abi = '0.2.1', allocator = 'malloc', pages = 2, maxPages } = this.#options;
    encoder.memory(pages, maxPages);
    const heap = encoder.global(HEAP);
    // Each block of its own, eight bytes apart.
    const bump = [
      ...op.globalGet(heap),
      ...op.globalGet(heap),
      ...op.localGet(0),
      ...op.add,
      ...op.i32(7),
      ...op.add,
    ];
    const allocate = this.#options.allocate ?? [...bump, ...op.i32(-8), ...op.and, ...op.globalSet(heap)];
    if (allocator !== null) encoder.export(allocator, encoder.function('i', 'i', allocate));
    if (abi !== null)
      encoder.export(`proxy_abi_version_${abi.replaceAll('.', '_')}`, encoder.function('', '', []));
    for (const [name, script] of Object.entries(scripts)) this.#callback(name, script);
    for (const [name, script] of Object.entries(this.#options.functions ?? {})) {
      encoder.export(name, this.#function('', '', script));
    }
    if (this.#options.start !== undefined) encoder.start(this.#function('', '', this.#options.start));
    this.#options.encode?.(encoder);
    return encoder.bytes();
  }

  #callback(name: string, script: (script: Script) => void): void {
    const row = CALLBACKS.find((callback) => callback.name === name);
    if (row === undefined) throw new Error(`no callback is named ${name}`);
    const params = this.#options.abi === '0.1.0' ? row.params.slice(0, row.least) : row.params;
    this.#encoder.export(name, this.#function(params, row.results, script));
  }

  #function(params: string, results: string, script: (script: Script) => void): number {
    const written = new Script(this);
    script(written);
    const end = results === '' ? [] : op.i32(DEFAULT_RESULT);
    return this.#encoder.function(params, results, [...written.code, ...end]);
  }
}

/** Accepting for `proxy_on_vm_start` and `proxy_on_configure` would be 1, Continue is 0: scripts say which. */
const DEFAULT_RESULT = 0;

/** What host calls answered, in the order of the scripts' text. */
export function results(vm: Vm, count: number): number[] {
  const view = new DataView(vm.view().buffer);
  return Array.from({ length: count }, (_, i) => view.getUint32(RESULTS + 4 * i, true));
}

/** Word `index` of the out area. */
export function outWord(vm: Vm, index: number): number {
  return new DataView(vm.view().buffer).getUint32(OUT + 4 * index, true);
}

/** The bytes that a host call gave by pointer and size in two words of the out area. */
export function given(context: StreamContext | { readonly vm: Vm }, index = 0): Buffer {
  const { vm } = context;
  const at = outWord(vm, index);
  return Buffer.from(vm.view().slice(at, at + outWord(vm, index + 1)));
}
