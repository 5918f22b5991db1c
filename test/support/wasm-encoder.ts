/**
 * Writes WebAssembly modules byte by byte, for tests that need what no compiler gives: a trap at a
 * certain place, a lying export, a pointer out of range. The text of a function is a list of bytes.
 */
export class ModuleEncoder {
  readonly #types: string[] = [];
  readonly #imports: number[][] = [];
  readonly #importedMemories: number[][] = [];
  readonly #functions: { type: number; locals: number; code: number[] }[] = [];
  readonly #exports: number[][] = [];
  readonly #globals: number[][] = [];
  readonly #data: number[][] = [];
  readonly #custom: number[][] = [];
  #memory: number[] | null = null;
  #start = -1;

  /** Imports come before functions: their indexes are counted first. */
  importFunction(module: string, name: string, params: string, results: string): number {
    if (this.#functions.length > 0) throw new Error('imports come before functions');
    this.#imports.push([...text(module), ...text(name), 0, ...u32(this.#type(params, results))]);
    return this.#imports.length - 1;
  }

  importMemory(module: string, name: string, min: number): this {
    this.#importedMemories.push([...text(module), ...text(name), 2, 0, ...u32(min)]);
    return this;
  }

  /** A function without `end`; `locals` i32 locals follow its parameters. */
  function(params: string, results: string, code: number[], locals = 0): number {
    this.#functions.push({ type: this.#type(params, results), locals, code });
    return this.#imports.length + this.#functions.length - 1;
  }

  export(name: string, index: number, kind = 0): this {
    this.#exports.push([...text(name), kind, ...u32(index)]);
    return this;
  }

  memory(min: number, max?: number): this {
    this.#memory = max === undefined ? [0, ...u32(min)] : [1, ...u32(min), ...u32(max)];
    return this.export('memory', 0, 2);
  }

  /** A mutable i32. */
  global(value: number): number {
    this.#globals.push([0x7f, 1, ...i32(value), 0x0b]);
    return this.#globals.length - 1;
  }

  data(offset: number, bytes: Uint8Array): this {
    this.#data.push([0, ...i32(offset), 0x0b, ...u32(bytes.length), ...bytes]);
    return this;
  }

  start(index: number): this {
    this.#start = index;
    return this;
  }

  custom(name: string, bytes: Uint8Array): this {
    this.#custom.push(section(0, [...text(name), ...bytes]));
    return this;
  }

  bytes(): Uint8Array {
    const types = this.#types.map((type) => {
      const [params = '', results = ''] = type.split('>');
      return [0x60, ...values(params), ...values(results)];
    });
    const bodies = this.#functions.map(({ locals, code }) => {
      const body = [...(locals > 0 ? [1, ...u32(locals), 0x7f] : [0]), ...code, 0x0b];
      return [...u32(body.length), ...body];
    });
    const declared = this.#functions.map(({ type }) => u32(type));
    return Uint8Array.from([
      ...[0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00],
      ...section(1, vector(types)),
      ...section(2, vector([...this.#imports, ...this.#importedMemories])),
      ...section(3, vector(declared)),
      ...(this.#memory === null ? [] : section(5, vector([this.#memory]))),
      ...section(6, vector(this.#globals)),
      ...section(7, vector(this.#exports)),
      ...(this.#start < 0 ? [] : section(8, u32(this.#start))),
      ...section(10, vector(bodies)),
      ...section(11, vector(this.#data)),
      ...this.#custom.flat(),
    ]);
  }

  #type(params: string, results: string): number {
    const type = `${params}>${results}`;
    const index = this.#types.indexOf(type);
    return index >= 0 ? index : this.#types.push(type) - 1;
  }
}

/** Instructions, as bytes. */
export const op = {
  unreachable: [0x00],
  /** `loop br 0 end`: never ends. */
  endless: [0x03, 0x40, 0x0c, 0x00, 0x0b],
  drop: [0x1a],
  return: [0x0f],
  call: (index: number): number[] => [0x10, ...u32(index)],
  localGet: (index: number): number[] => [0x20, ...u32(index)],
  localSet: (index: number): number[] => [0x21, ...u32(index)],
  globalGet: (index: number): number[] => [0x23, ...u32(index)],
  globalSet: (index: number): number[] => [0x24, ...u32(index)],
  load: (offset = 0): number[] => [0x28, 2, ...u32(offset)],
  store: (offset = 0): number[] => [0x36, 2, ...u32(offset)],
  grow: [0x40, 0],
  i32,
  i64: (value: bigint): number[] => [0x42, ...sleb(value)],
  f64: (value: number): number[] => [0x44, ...Buffer.from(Float64Array.of(value).buffer)],
  add: [0x6a],
  and: [0x71],
};

function i32(value: number): number[] {
  return [0x41, ...sleb(BigInt(value | 0))];
}

function section(id: number, content: number[]): number[] {
  return content.length === 1 && content[0] === 0 && id !== 10
    ? []
    : [id, ...u32(content.length), ...content];
}

function vector(items: number[][]): number[] {
  return [...u32(items.length), ...items.flat()];
}

function text(value: string): number[] {
  const bytes = [...Buffer.from(value)];
  return [...u32(bytes.length), ...bytes];
}

function values(types: string): number[] {
  const codes: Record<string, number> = { i: 0x7f, I: 0x7e, f: 0x7d, F: 0x7c };
  return [...u32(types.length), ...[...types].map((type) => codes[type]!)];
}

function u32(value: number): number[] {
  const out: number[] = [];
  for (; value > 0x7f; value = Math.floor(value / 128)) out.push((value & 0x7f) | 0x80);
  out.push(value);
  return out;
}

function sleb(value: bigint): number[] {
  const out: number[] = [];
  for (;;) {
    const byte = Number(value & 0x7fn);
    value >>= 7n;
    if ((value === 0n && byte < 0x40) || (value === -1n && byte >= 0x40)) return [...out, byte];
    out.push(byte | 0x80);
  }
}
