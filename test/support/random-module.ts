/**
 * Makes valid modules that do a bit of everything and always end: loops count down, and functions give up
 * when a global that all of them count down is used up. The same seed makes the same module.
 */

type Type = 0x7f | 0x7e | 0x7d | 0x7c;
const I32 = 0x7f;
const I64 = 0x7e;
const F32 = 0x7d;
const F64 = 0x7c;
const TYPES: readonly Type[] = [I32, I64, F32, F64];
const EMPTY = 0x40;

const CALLS_LEFT = 0;
/** Turns of loops and calls that were made: what the meter has to have seen. */
const STEPS = 1;
const GLOBALS = 4;
const MEMORY_MASK = 0xfff8;

interface Signature {
  readonly params: readonly Type[];
  readonly results: readonly Type[];
}

interface Label {
  /** What a jump to it takes. */
  readonly types: readonly Type[];
  /** Local that counts its turns down; -1: not a loop. */
  readonly counter: number;
}

export interface RandomModule {
  readonly bytes: Uint8Array;
  /** Exported as `f0` and so on. */
  readonly functions: readonly { readonly params: string; readonly results: string }[];
}

export interface RandomOptions {
  readonly functions?: number;
  /** Statements of a body. */
  readonly statements?: number;
  readonly exceptions?: boolean;
}

export function randomModule(seed: number, options: RandomOptions = {}): RandomModule {
  return new Generator(seed, options).module();
}

class Generator {
  #state: number;
  readonly #options: Required<RandomOptions>;
  readonly #types: Signature[] = [];
  readonly #signatures: Signature[] = [];
  // Of the function being made.
  #locals: Type[] = [];
  #labels: Label[] = [];
  #signature!: Signature;
  #depth = 0;

  constructor(seed: number, options: RandomOptions) {
    this.#state = seed >>> 0 || 1;
    this.#options = { functions: 6, statements: 6, exceptions: true, ...options };
  }

  module(): RandomModule {
    const count = this.#options.functions;
    for (let i = 0; i < count; i++) {
      const signature = {
        params: this.#list(3).map(() => this.#type()),
        results: this.#list(2).map(() => this.#type()),
      };
      this.#signatures.push(signature);
      this.#typeIndex(signature);
    }
    const bodies = this.#signatures.map((signature) => this.#body(signature));
    const types = this.#types.map(({ params, results }) => [
      0x60,
      ...vector(params.map(one)),
      ...vector(results.map(one)),
    ]);
    const hasTag = this.#options.exceptions;
    const tagType = this.#typeIndex({ params: [I32], results: [] });
    if (tagType === types.length) types.push([0x60, 1, I32, 0]);
    const global = (type: Type, value: number[]): number[] => [type, 1, ...value, 0x0b];
    const initial = [
      global(I32, [0x41, 0]),
      global(I32, [0x41, 0]),
      global(I64, [0x42, 7]),
      global(I32, [0x41, 3]),
    ];
    const bytes = Uint8Array.from([
      ...[0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00],
      ...section(1, vector(types)),
      ...section(3, vector(this.#signatures.map((signature) => u32(this.#typeIndex(signature))))),
      ...section(4, vector([[0x70, 1, ...u32(count), ...u32(count + 4)]])),
      ...section(5, vector([[1, 1, 4]])),
      ...(hasTag ? section(13, vector([[0, ...u32(tagType)]])) : []),
      ...section(6, vector(initial)),
      ...section(
        7,
        vector([
          ...this.#signatures.map((_, i) => [...text(`f${i}`), 0, ...u32(i)]),
          [...text('memory'), 2, 0],
          ...Array.from({ length: GLOBALS }, (_, i) => [...text(`g${i}`), 3, i]),
        ]),
      ),
      ...section(
        9,
        vector([
          [0, 0x41, 0, 0x0b, ...vector(this.#signatures.map((_, i) => u32(i)))],
          [1, 0, 1, 0],
        ]),
      ),
      ...section(12, u32(1)),
      ...section(10, vector(bodies.map((body) => [...u32(body.length), ...body]))),
      ...section(11, vector([[1, 4, 1, 2, 3, 4]])),
    ]);
    const letters = (list: readonly Type[]): string => list.map((type) => LETTERS[type]).join('');
    return {
      bytes,
      functions: this.#signatures.map(({ params, results }) => ({
        params: letters(params),
        results: letters(results),
      })),
    };
  }

  #body(signature: Signature): number[] {
    this.#signature = signature;
    this.#locals = [...signature.params];
    const first = this.#locals.length;
    for (const type of TYPES) this.#locals.push(type, type);
    this.#labels = [{ types: signature.results, counter: -1 }];
    this.#depth = 0;
    const code = [
      // No call left: give up.
      ...[0x23, CALLS_LEFT, 0x45, 0x04, EMPTY],
      ...this.#constants(signature.results),
      0x0f,
      0x0b,
      ...[0x23, CALLS_LEFT, 0x41, 1, 0x6b, 0x24, CALLS_LEFT],
      ...[0x23, STEPS, 0x41, 1, 0x6a, 0x24, STEPS],
      ...this.#statements(this.#options.statements),
      ...signature.results.flatMap((type) => this.#value(type)),
    ];
    const groups = this.#locals.slice(first).map((type) => [1, type]);
    return [...vector(groups), ...code, 0x0b];
  }

  #statements(most: number): number[] {
    return this.#list(most + 1).flatMap(() => this.#statement());
  }

  #statement(): number[] {
    this.#depth++;
    try {
      const kinds = this.#depth > 4 ? 7 : this.#options.exceptions ? 22 : 18;
      switch (this.#number(kinds)) {
        case 0:
        case 1: {
          const local = this.#writable();
          return [...this.#value(this.#locals[local]!), 0x21, ...u32(local)];
        }
        case 2:
          return [...this.#address(), ...this.#value(I32), 0x36, 0, ...u32(this.#number(64))];
        case 3:
          return [...this.#value(I64), 0x24, 2];
        case 4:
          return this.#jump();
        case 5:
          return this.#bulk();
        case 6:
          return [...this.#value(this.#type()), 0x1a];
        case 7:
        case 8:
          return this.#loop();
        case 9:
          return this.#loopWithParam();
        case 10:
        case 11: {
          const body = this.#inside(PLAIN, () => this.#statements(3));
          return [0x02, EMPTY, ...body, 0x0b];
        }
        case 12:
        case 13:
          return this.#choice();
        case 14:
        case 15:
          return this.#call();
        case 16:
          return this.#table();
        case 17:
          return this.#number(4) === 0 ? this.#leave() : this.#statements(2);
        default:
          return this.#try();
      }
    } finally {
      this.#depth--;
    }
  }

  #inside(label: Label, make: () => number[]): number[] {
    this.#labels.push(label);
    const made = make();
    this.#labels.pop();
    return made;
  }

  #loop(): number[] {
    const counter = this.#newLocal(I32);
    const body = this.#inside({ types: [], counter }, () => [
      ...this.#step(),
      ...this.#statements(3),
      ...this.#again(counter, 0),
    ]);
    return [0x41, ...sleb(1 + this.#number(5)), 0x21, ...u32(counter), 0x03, EMPTY, ...body, 0x0b];
  }

  /** A loop that takes a value, and gives one. */
  #loopWithParam(): number[] {
    const type = this.#type();
    const counter = this.#newLocal(I32);
    const held = this.#newLocal(type);
    const index = this.#typeIndex({ params: [type], results: [type] });
    const body = this.#inside({ types: [type], counter }, () => [
      ...[0x21, ...u32(held)],
      ...this.#step(),
      ...this.#statements(2),
      ...[0x20, ...u32(held)],
      ...this.#again(counter, 0),
    ]);
    return [
      ...[0x41, ...sleb(1 + this.#number(4)), 0x21, ...u32(counter)],
      ...this.#value(type),
      ...[0x03, ...sleb(index)],
      ...body,
      ...[0x0b, 0x1a],
    ];
  }

  #step(): number[] {
    return [0x23, STEPS, 0x41, 1, 0x6a, 0x24, STEPS];
  }

  /** `br_if` back while the loop has turns left. */
  #again(counter: number, label: number): number[] {
    const taken = [0x20, ...u32(counter), 0x41, 1, 0x6b, 0x22, ...u32(counter), 0x41, 0, 0x4a];
    return [...taken, 0x0d, ...u32(label)];
  }

  #choice(): number[] {
    const condition = this.#value(I32);
    if (this.#number(2) === 0) {
      const body = this.#inside(PLAIN, () => this.#statements(3));
      return [...condition, 0x04, EMPTY, ...body, 0x0b];
    }
    const type = this.#type();
    const label = { types: [type], counter: -1 };
    const first = this.#inside(label, () => [...this.#statements(2), ...this.#value(type)]);
    const second = this.#inside(label, () => [...this.#statements(2), ...this.#value(type)]);
    return [...condition, 0x04, type, ...first, 0x05, ...second, 0x0b, 0x1a];
  }

  #table(): number[] {
    const body = this.#inside(PLAIN, () =>
      this.#inside(PLAIN, () => [...this.#value(I32), ...[0x0e, 2, 0, 1, this.#number(2)]]),
    );
    const rest = this.#inside(PLAIN, () => this.#statements(2));
    return [0x02, EMPTY, 0x02, EMPTY, ...body, 0x0b, ...rest, 0x0b];
  }

  #call(): number[] {
    const callee = this.#number(this.#signatures.length);
    const { params, results } = this.#signatures[callee]!;
    const values = params.flatMap((type) => this.#value(type));
    const drops = results.map(() => 0x1a);
    switch (this.#number(4)) {
      case 0: {
        // A wrong type or an entry that is not there traps.
        const index = this.#number(8) === 0 ? this.#value(I32) : [0x41, ...sleb(callee)];
        const type = this.#typeIndex(this.#signatures[callee]!);
        return [...values, ...index, 0x11, ...u32(type), 0, ...drops];
      }
      case 1:
        // In place of this function, where the results are the same.
        if (same(results, this.#signature.results)) {
          return this.#when(() => [...params.flatMap((type) => this.#value(type)), 0x12, ...u32(callee)]);
        }
    }
    return [...values, 0x10, ...u32(callee), ...drops];
  }

  #jump(): number[] {
    const depth = this.#number(this.#labels.length);
    const { types, counter } = this.#labels[this.#labels.length - 1 - depth]!;
    const values = types.flatMap((type) => this.#value(type));
    if (counter >= 0) {
      const back = this.#again(counter, depth);
      return [...values, ...back, ...types.map(() => 0x1a)];
    }
    if (this.#number(6) === 0) {
      // Behind it nothing runs, and everything is of every type.
      return this.#when(() => [...types.flatMap((type) => this.#value(type)), 0x0c, ...u32(depth + 1)]);
    }
    return [...values, ...this.#value(I32), 0x0d, ...u32(depth), ...types.map(() => 0x1a)];
  }

  #leave(): number[] {
    return this.#when(() =>
      this.#number(3) === 0 ? [0x00] : [...this.#constants(this.#signature.results), 0x0f],
    );
  }

  #when(make: () => number[]): number[] {
    const condition = this.#value(I32);
    return [...condition, 0x04, EMPTY, ...this.#inside(PLAIN, make), 0x0b];
  }

  #bulk(): number[] {
    const size = [0x41, ...sleb(this.#number(300))];
    switch (this.#number(8)) {
      case 0:
        return [...this.#address(), ...this.#value(I32), ...size, 0xfc, 11, 0];
      case 1:
        return [...this.#address(), ...this.#address(), ...size, 0xfc, 10, 0, 0];
      case 2:
        return [...this.#address(), 0x41, 0, 0x41, ...sleb(this.#number(5)), 0xfc, 8, 0, 0];
      case 3:
        return [0x41, ...sleb(this.#number(3)), 0x40, 0, 0x1a];
      case 4:
        return [0xd0, 0x70, 0x41, 1, 0xfc, 15, 0, 0x1a];
      case 5:
        return [0x41, 0, 0x41, 0, 0x41, 1, 0xfc, 12, 1, 0];
      case 6:
        return [0x41, 0, 0x41, 1, 0x41, ...sleb(this.#number(3)), 0xfc, 14, 0, 0];
      default:
        return [0xfc, 9, 0];
    }
  }

  #try(): number[] {
    const thrown = (): number[] => this.#when(() => [...this.#value(I32), 0x08, 0]);
    const body = (): number[] =>
      this.#inside(PLAIN, () => [
        ...this.#statements(2),
        ...(this.#number(2) === 0 ? thrown() : this.#call()),
        ...this.#statements(1),
      ]);
    const all = (): number[] => [0x19, ...this.#inside(PLAIN, () => this.#statements(2))];
    const caught = (): number[] => {
      const local = this.#writable(I32);
      return [0x07, 0, 0x21, ...u32(local), ...this.#inside(PLAIN, () => this.#statements(2))];
    };
    switch (this.#number(5)) {
      case 0:
        return [0x06, EMPTY, ...body(), ...caught(), 0x0b];
      case 1:
        return [0x06, EMPTY, ...body(), ...caught(), ...all(), 0x0b];
      case 2: {
        // Thrown on, to the try around it.
        const inner = this.#inside(PLAIN, () => [
          ...[0x06, EMPTY, ...body()],
          ...[0x19, ...this.#inside(PLAIN, () => this.#when(() => [0x09, 1]))],
          0x0b,
        ]);
        return [0x06, EMPTY, ...inner, ...all(), 0x0b];
      }
      case 3: {
        const inner = this.#inside(PLAIN, () => [0x06, EMPTY, ...body(), 0x18, 0]);
        return [0x06, EMPTY, ...inner, ...all(), 0x0b];
      }
      default:
        return [0x06, EMPTY, ...body(), ...all(), 0x0b];
    }
  }

  #value(type: Type): number[] {
    this.#depth++;
    try {
      const kind = this.#depth > 6 ? this.#number(2) : this.#number(10);
      switch (kind) {
        case 0:
          return this.#constant(type);
        case 1:
        case 2:
        case 3: {
          const locals = this.#locals.flatMap((each, i) => (each === type ? [i] : []));
          return [0x20, ...u32(this.#pick(locals))];
        }
        case 4: {
          const label = { types: [type], counter: -1 };
          return [
            0x02,
            type,
            ...this.#inside(label, () => [...this.#statements(1), ...this.#value(type)]),
            0x0b,
          ];
        }
        case 5:
          return [...this.#value(type), ...this.#value(type), ...this.#value(I32), 0x1b];
        case 6:
          if (type === I32) return [...this.#address(), 0x28, 0, ...u32(this.#number(64))];
          if (type === I64) return [0x23, 2];
          return [...this.#value(I32), type === F32 ? 0xb2 : 0xb7];
        case 7:
          if (type === I32) return [...this.#value(F64), 0xfc, 2];
          if (type === I64) return [...this.#value(I32), 0xac];
          return [...this.#value(type), type === F32 ? 0x91 : 0x9f];
        default:
          return [...this.#value(type), ...this.#value(type), this.#binary(type)];
      }
    } finally {
      this.#depth--;
    }
  }

  #binary(type: Type): number {
    // Divisions among them, which trap.
    if (type === I32) return this.#pick([0x6a, 0x6b, 0x6c, 0x6d, 0x70, 0x71, 0x73, 0x74, 0x76]);
    if (type === I64) return this.#pick([0x7c, 0x7d, 0x7e, 0x83, 0x85, 0x86]);
    return type === F32 ? this.#pick([0x92, 0x93, 0x94, 0x95]) : this.#pick([0xa0, 0xa1, 0xa2, 0xa3]);
  }

  /** Mostly inside of the memory. */
  #address(): number[] {
    if (this.#number(40) === 0) return this.#value(I32);
    return [...this.#value(I32), 0x41, ...sleb(MEMORY_MASK), 0x71];
  }

  #constants(types: readonly Type[]): number[] {
    return types.flatMap((type) => this.#constant(type));
  }

  #constant(type: Type): number[] {
    const value = this.#number(5) === 0 ? this.#next() | 0 : this.#number(10);
    if (type === I32) return [0x41, ...sleb(value)];
    if (type === I64) return [0x42, ...sleb(value)];
    if (type === F32) return [0x43, ...Buffer.from(Float32Array.of(value).buffer)];
    return [0x44, ...Buffer.from(Float64Array.of(value).buffer)];
  }

  /** A local that is not a loop's counter. */
  #writable(type?: Type): number {
    const first = this.#signature.params.length;
    if (type !== undefined) return first + 2 * TYPES.indexOf(type) + this.#number(2);
    return this.#number(first + 2 * TYPES.length);
  }

  #newLocal(type: Type): number {
    return this.#locals.push(type) - 1;
  }

  #typeIndex(signature: Signature): number {
    const index = this.#types.findIndex(
      ({ params, results }) => same(params, signature.params) && same(results, signature.results),
    );
    return index >= 0 ? index : this.#types.push(signature) - 1;
  }

  #type(): Type {
    return this.#pick(TYPES);
  }

  #pick<T>(from: readonly T[]): T {
    return from[this.#number(from.length)]!;
  }

  #list(below: number): number[] {
    return Array.from({ length: this.#number(below) }, (_, i) => i);
  }

  #number(below: number): number {
    return this.#next() % below;
  }

  /** xorshift32 */
  #next(): number {
    let x = this.#state;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    this.#state = x >>> 0;
    return this.#state;
  }
}

const LETTERS: Readonly<Record<Type, string>> = { [I32]: 'i', [I64]: 'I', [F32]: 'f', [F64]: 'F' };

const PLAIN: Label = { types: [], counter: -1 };

const one = (byte: number): number[] => [byte];

function same(a: readonly Type[], b: readonly Type[]): boolean {
  return a.length === b.length && a.every((type, i) => type === b[i]);
}

function section(id: number, content: number[]): number[] {
  return [id, ...u32(content.length), ...content];
}

function vector(items: readonly number[][]): number[] {
  return [...u32(items.length), ...items.flat()];
}

function text(value: string): number[] {
  return [...u32(value.length), ...Buffer.from(value)];
}

function u32(value: number): number[] {
  const out: number[] = [];
  for (; value > 0x7f; value = Math.floor(value / 128)) out.push((value & 0x7f) | 0x80);
  return [...out, value];
}

function sleb(value: number): number[] {
  const out: number[] = [];
  for (;;) {
    const low = value & 0x7f;
    value >>= 7;
    if ((value === 0 && low < 64) || (value === -1 && low >= 64)) return [...out, low];
    out.push(low | 0x80);
  }
}
