import { readShape } from '../../src/runtime/wasm/binary.ts';
import { Metered } from '../support/metered.ts';
import { wat } from '../support/wat.ts';
import { head, tail, type Atom, type List, type Node } from './script.ts';

/** What a command came to, in a form that can be compared. */
export type Outcome = string;

interface Running {
  readonly exports: Record<string, unknown>;
  readonly signatures: ReadonlyMap<string, { params: string; results: string }>;
  /** Before each call: what a call between two callbacks finds. */
  reset(): void;
}

const RESULT: Readonly<Record<string, readonly [type: string, asInteger: string]>> = {
  i: ['i32', ''],
  I: ['i64', ''],
  f: ['i32', 'i32.reinterpret_f32'],
  F: ['i64', 'i64.reinterpret_f64'],
};
const VALUE: Readonly<Record<string, string>> = { i: 'i32', I: 'i64', f: 'f32', F: 'f64', v: 'v128' };

/** The modules of one script, all with the meter or all without. */
export class World {
  readonly #metered: boolean;
  readonly #named = new Map<string, Running>();
  readonly #registered: Record<string, Record<string, unknown>> = {};
  #last: Running | null = null;
  readonly running: Running[] = [];

  constructor(metered: boolean) {
    this.#metered = metered;
    this.#registered['spectest'] = spectest();
  }

  /** @throws what the engine, the pass or the start function throws */
  define(name: string, bytes: Uint8Array): void {
    const running = this.#instantiate(bytes);
    this.#last = running;
    this.running.push(running);
    if (name !== '') this.#named.set(name, running);
  }

  register(as: string, name: string): void {
    this.#registered[as] = this.#of(name).exports;
  }

  #instantiate(bytes: Uint8Array): Running {
    const imports = this.#registered as WebAssembly.Imports;
    const shape = this.#signatures(bytes);
    if (!this.#metered) {
      const { exports } = new WebAssembly.Instance(new WebAssembly.Module(bytes), imports);
      return { exports, signatures: shape, reset: () => {} };
    }
    const metered = new Metered(bytes, imports);
    metered.start();
    return { exports: metered.exports, signatures: shape, reset: () => metered.reset() };
  }

  #signatures(bytes: Uint8Array): Running['signatures'] {
    if (!WebAssembly.validate(bytes)) throw new WebAssembly.CompileError('the engine refuses it');
    const { exports, functions } = readShape(bytes);
    return new Map(
      [...exports].filter(([, { kind }]) => kind === 0).map(([name, { index }]) => [name, functions[index]!]),
    );
  }

  #of(name: string): Running {
    const running = name === '' ? this.#last : this.#named.get(name);
    if (running == null) throw new Error(`no module ${name}`);
    return running;
  }

  /** Runs an `(invoke …)` or `(get …)`. */
  act(action: List): Outcome {
    const words = [...tail(action)];
    const name =
      words[0]?.kind === 'atom' && words[0].text.startsWith('$') ? (words.shift() as Atom).text : '';
    const field = (words.shift() as Atom).bytes!.toString('utf8');
    let running: Running;
    try {
      running = this.#of(name);
    } catch {
      return 'no module';
    }
    running.reset();
    try {
      if (head(action) === 'get') return print((running.exports[field] as { value: unknown }).value);
      return this.#invoke(running, field, words);
    } catch (error) {
      return `${(error as Error).constructor.name}: ${(error as Error).message}`;
    }
  }

  #invoke(running: Running, field: string, values: readonly Node[]): Outcome {
    const { params, results } = running.signatures.get(field)!;
    const call = running.exports[field] as (...values: unknown[]) => unknown;
    // References cannot be written into a module; all else is passed by one, which keeps every bit.
    if (/r/.test(params + results)) return print(call(...values.map(reference)));
    const bytes = caller(params, results, values);
    const { exports } = new WebAssembly.Instance(new WebAssembly.Module(bytes), {
      m: { f: call as WebAssembly.ImportValue },
    });
    return print((exports['run'] as () => unknown)());
  }

  /** Memories, globals and sizes of tables that can be seen. */
  state(): string[] {
    return this.running.map(({ exports }) =>
      Object.entries(exports)
        .map(([name, value]) => `${name}=${stateOf(value)}`)
        .sort()
        .join(' '),
    );
  }
}

/** The bits of constants as a script writes them; null where they are no plain numbers. */
export function bitsOf(constants: readonly Node[]): Outcome | null {
  let results = '';
  for (const constant of constants) {
    const letter = {
      'i32.const': 'i',
      'i64.const': 'I',
      'f32.const': 'f',
      'f64.const': 'F',
      'v128.const': 'v',
    }[head(constant)];
    if (letter === undefined || /nan:(canonical|arithmetic)/.test((constant as List).text)) return null;
    results += letter;
  }
  const body = constants.map((constant) => (constant as List).text).join(' ');
  const type = results === '' ? '' : `(result ${[...results].map((letter) => VALUE[letter]).join(' ')})`;
  const { exports } = new WebAssembly.Instance(
    new WebAssembly.Module(wat(`(module (func $f ${type} ${body}) ${run('', results, [])})`)),
  );
  return print((exports['run'] as () => unknown)());
}

const callers = new Map<string, Uint8Array>();

function caller(params: string, results: string, values: readonly Node[]): Uint8Array {
  const key = `${params}>${results}>${values.map((value) => (value as List).text).join(' ')}`;
  let bytes = callers.get(key);
  if (bytes === undefined) {
    const list = (letters: string): string => [...letters].map((letter) => VALUE[letter]).join(' ');
    const type = `(param ${list(params)}) (result ${list(results)})`;
    bytes = wat(`(module (import "m" "f" (func $f ${type})) ${run(params, results, values)})`);
    if (callers.size > 5000) callers.clear();
    callers.set(key, bytes);
  }
  return bytes;
}

/** A function that calls `$f` and returns all of its results as integers. */
function run(_params: string, results: string, values: readonly Node[]): string {
  const locals: string[] = [];
  const out: string[] = [];
  const types: string[] = [];
  [...results].forEach((letter, i) => {
    locals.push(`(local $r${i} ${VALUE[letter]})`);
    if (letter === 'v') {
      types.push('i64', 'i64');
      out.push(`(i64x2.extract_lane 0 (local.get $r${i})) (i64x2.extract_lane 1 (local.get $r${i}))`);
    } else {
      const [type, convert] = RESULT[letter]!;
      types.push(type);
      out.push(convert === '' ? `(local.get $r${i})` : `(${convert} (local.get $r${i}))`);
    }
  });
  const sets = [...results].map((_, i) => `(local.set $r${i})`).reverse();
  const text = values.map((value) => (value as List).text).join(' ');
  return `(func (export "run") (result ${types.join(' ')}) ${locals.join(' ')} ${text} call $f ${sets.join(' ')} ${out.join(' ')})`;
}

function reference(value: Node): unknown {
  const [word] = tail(value);
  const text = word?.kind === 'atom' ? word.text : '';
  switch (head(value)) {
    case 'ref.null':
      return null;
    case 'ref.extern':
    case 'ref.host':
      return `host reference ${text}`;
    case 'i64.const':
      return BigInt(text.replaceAll('_', ''));
    default:
      return Number(text.replaceAll('_', ''));
  }
}

function print(value: unknown): Outcome {
  if (Array.isArray(value)) return value.map(print).join(' ');
  if (typeof value === 'function') return 'a function';
  if (typeof value === 'number') return Object.is(value, -0) ? '-0' : String(value);
  return value === undefined ? '' : String(value);
}

function stateOf(value: unknown): string {
  if (typeof value === 'function') return 'function';
  const { buffer, length } = value as { buffer?: ArrayBuffer; length?: number };
  if (buffer !== undefined) {
    let hash = 0;
    const words = new Int32Array(buffer, 0, Math.min(buffer.byteLength, 2 ** 22) / 4);
    for (let i = 0; i < words.length; i++) hash = (Math.imul(hash, 31) + words[i]!) | 0;
    return `${buffer.byteLength}/${hash}`;
  }
  if (length !== undefined) return `table ${length}`;
  try {
    return print((value as { value: unknown }).value);
  } catch {
    // A v128 cannot be shown to JavaScript.
    return 'opaque';
  }
}

function spectest(): Record<string, unknown> {
  const api = WebAssembly as unknown as {
    Global: new (type: object, value: unknown) => unknown;
    Table: new (type: object) => unknown;
  };
  const nothing = (): void => {};
  return {
    print: nothing,
    print_i32: nothing,
    print_i64: nothing,
    print_f32: nothing,
    print_f64: nothing,
    print_i32_f32: nothing,
    print_f64_f64: nothing,
    global_i32: new api.Global({ value: 'i32' }, 666),
    global_i64: new api.Global({ value: 'i64' }, 666n),
    global_f32: new api.Global({ value: 'f32' }, 666.6),
    global_f64: new api.Global({ value: 'f64' }, 666.6),
    table: new api.Table({ initial: 10, maximum: 20, element: 'anyfunc' }),
    memory: new WebAssembly.Memory({ initial: 1, maximum: 2 }),
  };
}
