import { describe, expect, test } from 'vitest';
import { readShape } from '../../../../src/runtime/wasm/binary.ts';
import { originalOffsets } from '../../../../src/runtime/wasm/meter/offsets.ts';
import { rewriteNow } from '../../../../src/runtime/wasm/meter/rewrite.ts';
import { Metered, type MeteredOptions } from '../../../support/metered.ts';
import { ModuleEncoder, op } from '../../../support/wasm-encoder.ts';
import { wat } from '../../../support/wat.ts';

type Call = (...values: unknown[]) => unknown;

function metered(text: string, options: MeteredOptions = {}, imports: WebAssembly.Imports = {}): Metered {
  return new Metered(wat(text), imports, options);
}

function rewritten(bytes: Uint8Array, memoryBytes = 65_536): Uint8Array {
  return rewriteNow(bytes, readShape(bytes), { memoryBytes }).bytes;
}

/** Units that a call takes. */
function usedBy(instance: Metered, name: string, ...values: unknown[]): number {
  instance.reset();
  (instance.exports[name] as Call)(...values);
  return instance.used;
}

const few: MeteredOptions = { slice: 1000, slices: 20 };

describe('everything that can go on for ever comes to an end', () => {
  test.each([
    ['an empty loop', '(func (export "f") (loop $l (br $l)))'],
    [
      'a loop that is left and entered',
      '(func (export "f") (loop $a (block $b (loop $c (br_if $b (i32.const 1)) (br $c))) (br $a)))',
    ],
    ['recursion', '(func $f (export "f") (call $f))'],
    ['a tail call to itself', '(func $f (export "f") (return_call $f))'],
    ['two that call each other', '(func $f (export "f") (call $g)) (func $g (call $f))'],
    ['two whose tails call each other', '(func $f (export "f") (return_call $g)) (func $g (return_call $f))'],
    [
      'recursion through a table',
      '(table funcref (elem $f)) (type $t (func)) (func $f (export "f") (call_indirect (type $t) (i32.const 0)))',
    ],
    [
      'a loop with parameters',
      '(func (export "f") i32.const 0 (loop $l (param i32) (result i32) (br $l)) drop)',
    ],
    ['a loop over br_table', '(func (export "f") (loop $l (br_table $l $l $l (i32.const 1))))'],
    [
      'a loop of large fills',
      '(memory 16) (func (export "f") (loop $l (memory.fill (i32.const 0) (i32.const 1) (i32.const 1048576)) (br $l)))',
    ],
    [
      'a loop that catches everything',
      '(func (export "f") (loop $l (try (do (loop $m (br $m))) (catch_all)) (br $l)))',
    ],
    [
      'a loop of exceptions',
      '(tag $t) (func (export "f") (loop $l (try (do (throw $t)) (catch $t)) (br $l)))',
    ],
    [
      'a loop of calls to a small function',
      '(func $g (result i32) (i32.const 1)) (func (export "f") (loop $l (drop (call $g)) (br $l)))',
    ],
    [
      'exponential calls without a loop',
      '(func $f (export "f") (param i32) (if (local.get 0) (then (call $f (i32.sub (local.get 0) (i32.const 1))) (call $f (i32.sub (local.get 0) (i32.const 1))))))',
    ],
  ])('%s', (_name, text) => {
    const instance = metered(`(module ${text})`, { ...few, frames: 1000 });
    expect(() => (instance.exports['f'] as Call)(60)).toThrow(new WebAssembly.RuntimeError('unreachable'));
  });

  test('a start function, which has no fuel before the host gives some', () => {
    const instance = metered('(module (func $s (loop $l (br $l))) (start $s))', few);
    expect(() => instance.start()).toThrow('unreachable');
  });
});

describe('fuel is taken for what is done', () => {
  const kernel = metered(`(module (tag $t) (memory 1) (table 10 funcref)
    (func (export "loop") (param i32) (loop $l (br_if $l (local.tee 0 (i32.sub (local.get 0) (i32.const 1))))))
    (func $thrower (param i32) (loop $l (br_if $l (local.tee 0 (i32.sub (local.get 0) (i32.const 1))))) (throw $t))
    (func (export "caught") (param $n i32) (param $m i32)
      (loop $l
        (try (do (call $thrower (local.get $m))) (catch $t))
        (br_if $l (local.tee $n (i32.sub (local.get $n) (i32.const 1))))))
    (func (export "rethrown") (param $m i32)
      (try (do (try (do (call $thrower (local.get $m))) (catch_all (rethrow 0)))) (catch_all)))
    (func (export "switch") (param i32) (result i32)
      (block $c (block $b (block $a (br_table $a $b $c (local.get 0)))
        (return (i32.const 1)))
        (return (i32.const 2)))
      ${'(drop (i32.mul (i32.const 3) (i32.const 5)))'.repeat(500)}
      (i32.const 3))
    (func (export "fill") (param i32) (memory.fill (i32.const 0) (i32.const 0) (local.get 0)))
    (func (export "grow") (param i32) (drop (memory.grow (local.get 0)))))`);

  test('in proportion to the turns of a loop', () => {
    const thousand = usedBy(kernel, 'loop', 1000);
    expect(thousand).toBeGreaterThanOrEqual(1000);
    expect(usedBy(kernel, 'loop', 2000) / thousand).toBeCloseTo(2, 1);
  });

  test('also where it ends in an exception that is caught', () => {
    expect(usedBy(kernel, 'caught', 10, 1000)).toBeGreaterThanOrEqual(10 * 1000);
    expect(usedBy(kernel, 'rethrown', 1000)).toBeGreaterThanOrEqual(1000);
  });

  test('for the way that was taken, not for all ways there are', () => {
    expect(usedBy(kernel, 'switch', 0)).toBeLessThan(50);
    expect(usedBy(kernel, 'switch', 2)).toBeGreaterThanOrEqual(500);
  });

  test('for bytes that are filled and pages that are asked for', () => {
    expect(usedBy(kernel, 'fill', 65_536) - usedBy(kernel, 'fill', 0)).toBe(65_536 / 4);
    expect(usedBy(kernel, 'grow', 4)).toBeGreaterThan(usedBy(kernel, 'grow', 0) + 4 * 10_000);
  });

  test('for calls of the host, and for the sizes that are passed', () => {
    const instance = metered(
      `(module (import "env" "proxy_log" (func $log (param i32 i32 i32) (result i32)))
        (import "env" "proxy_grpc_send" (func $send (param i32 i32 i32 i32) (result i32)))
        (func (export "log") (drop (call $log (i32.const 1) (i32.const 0) (i32.const 0))))
        (func (export "send") (param i32) (drop (call $send (i32.const 1) (i32.const 0) (local.get 0) (i32.const 0))))
        (table funcref (elem $log)) (type $t (func (param i32 i32 i32) (result i32)))
        (func (export "indirect") (drop (call_indirect (type $t) (i32.const 1) (i32.const 0) (i32.const 0) (i32.const 0)))))`,
      {},
      { env: { proxy_log: () => 0, proxy_grpc_send: () => 0 } },
    );
    expect(usedBy(instance, 'log')).toBeGreaterThan(1000);
    const nothing = usedBy(instance, 'send', 0);
    expect(nothing).toBeGreaterThan(1000);
    expect(usedBy(instance, 'send', 1000) - nothing).toBe(2000);
    expect(usedBy(instance, 'indirect')).toBeGreaterThan(1000);
  });
});

describe('frames are counted', () => {
  const text = `(module (tag $t)
    (func $down (export "down") (param i32) (result i32)
      (if (result i32) (local.get 0) (then (i32.add (i32.const 1) (call $down (i32.sub (local.get 0) (i32.const 1))))) (else (i32.const 0))))
    (func $throws (param i32) (if (local.get 0) (then (call $throws (i32.sub (local.get 0) (i32.const 1)))) (else (throw $t))))
    (func (export "again") (param $n i32)
      (loop $l (try (do (call $throws (i32.const 50))) (catch $t)) (br_if $l (local.tee $n (i32.sub (local.get $n) (i32.const 1))))))
    (func (export "trap") (call $throws (i32.const 10))))`;

  test('one too many is a trap, one fewer is none', () => {
    const instance = metered(text, { frames: 100 });
    expect((instance.exports['down'] as Call)(99)).toBe(99);
    expect(() => (instance.exports['down'] as Call)(100)).toThrow('unreachable');
    expect(instance.overflowed).toBe(true);
  });

  test('those that an exception left are given back', () => {
    const instance = metered(text, { frames: 100 });
    (instance.exports['again'] as Call)(1000);
    expect(instance.entered).toBe(0);
  });
});

describe('the meter is out of the module’s reach', () => {
  const encode = (code: number[], change: (encoder: ModuleEncoder) => void = () => {}): Uint8Array => {
    const encoder = new ModuleEncoder();
    encoder.memory(1);
    change(encoder);
    encoder.export('f', encoder.function('', '', code));
    return encoder.bytes();
  };

  test.each([
    ['its global, to read', encode([...op.globalGet(0), ...op.drop])],
    ['its global, to write', encode([...op.i64(1n << 60n), ...op.globalSet(0)])],
    ['its local', encode([...op.endless.slice(0, 2), ...op.i64(1n), ...op.localSet(0), 0x0b])],
    ['its functions', encode([...op.i32(1), ...op.i32(1), ...op.call(6)])],
    ['its table', encode([...op.i32(0), 0x11, 0, 0])],
    ['its table, by number', encode([0xfc, 16, 0, ...op.drop])],
    ['its types', encode([0x02, 3, 0x0b])],
    ['the block around a body', encode([...op.endless.slice(0, 2), 0x0c, 2, 0x0b])],
    ['its functions, as an export', encode([], (encoder) => void encoder.export('x', 4))],
    ['its global, as an export', encode([], (encoder) => void encoder.export('x', 0, 3))],
    ['its functions, as the start', encode([], (encoder) => void encoder.start(5))],
  ])('a module that names %s is refused', (_name, bytes) => {
    expect(() => rewritten(bytes)).toThrow(/not declared|is not there/);
  });

  test('an instruction that is not known is refused, with its place', () => {
    expect(() => rewritten(encode([0xfb, 0, 0]))).toThrow('instruction 0xfb is not supported at byte');
    expect(() => rewritten(encode([0xfc, 18]))).toThrow('instruction 0xfc 0x12 is not supported');
    expect(() => rewritten(encode([0x27]))).toThrow('instruction 0x27 is not supported');
  });

  test('a module that exports names like the meter’s has its own', () => {
    const bytes = wat('(module (func (export "weir:meter/reset")) (func (export "f") (loop $l (br $l))))');
    const { prefix } = rewriteNow(bytes, readShape(bytes), { memoryBytes: 65_536 });
    expect(prefix).toBe('weir:meter/_');
  });
});

describe('what a module is stays as it was', () => {
  test('numbers and names of functions in stacks, and the place in the author’s file', () => {
    const bytes =
      wat(`(module (func $helper (param i32) (loop $l (br_if $l (i32.eqz (local.get 0)))) (unreachable))
      (func $entry (export "f") (call $helper (i32.const 1))))`);
    const where = (instance: { exports: Record<string, unknown> }): string[] => {
      try {
        (instance.exports['f'] as Call)();
      } catch (error) {
        return [
          ...(error as Error).stack!.matchAll(/at (\S+) \(wasm:.*(wasm-function\[\d+\]):0x([0-9a-f]+)/g),
        ].map(([, name, number, at]) => `${name} ${number} ${at}`);
      }
      return [];
    };
    const original = where(new WebAssembly.Instance(new WebAssembly.Module(bytes)));
    const trace: number[] = [];
    const again = rewriteNow(bytes, readShape(bytes), { memoryBytes: 2 ** 32, trace });
    const map = originalOffsets(trace, again.bytes.length);
    const mapped = where(new Metered(bytes)).map((line) => {
      const [name, number, at] = line.split(' ') as [string, string, string];
      return `${name} ${number} ${map(parseInt(at, 16)).toString(16)}`;
    });
    expect(original).toHaveLength(2);
    expect(mapped).toEqual(original);
  });

  test('a maximum of memory is lowered, never raised', () => {
    const grow = (text: string): unknown => {
      const bytes = rewritten(wat(`(module ${text} (export "memory" (memory 0)))`), 4 * 65_536);
      const { exports } = new WebAssembly.Instance(new WebAssembly.Module(bytes));
      const memory = exports['memory'] as WebAssembly.Memory;
      for (;;) {
        try {
          memory.grow(1);
        } catch {
          return memory.buffer.byteLength / 65_536;
        }
      }
    };
    expect(grow('(memory 1)')).toBe(4);
    expect(grow('(memory 1 100)')).toBe(4);
    expect(grow('(memory 1 2)')).toBe(2);
  });

  test('hints for branches, which name offsets, are left out; other sections stay', () => {
    const encoder = new ModuleEncoder().memory(1).custom('metadata.code.branch_hint', Uint8Array.of(0));
    const bytes = rewritten(encoder.custom('producers', Uint8Array.of(0)).bytes());
    const module = new WebAssembly.Module(bytes);
    expect(WebAssembly.Module.customSections(module, 'metadata.code.branch_hint')).toHaveLength(0);
    expect(WebAssembly.Module.customSections(module, 'producers')).toHaveLength(1);
  });

  test('sections that are twice there, or not where they belong, are refused', () => {
    const bytes = [...wat('(module (func))')];
    const section = bytes.slice(bytes.indexOf(3, 8), bytes.indexOf(3, 8) + 4);
    expect(() => rewritten(Uint8Array.from([...bytes, ...section]))).toThrow(
      /section 3 is not where|functions are declared/,
    );
  });
});
