import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { LineTable } from '../../../../src/runtime/wasm/trap/line-table.ts';

const u16 = (value: number) => [value & 255, value >> 8];
const u32 = (value: number) => [value & 255, (value >>> 8) & 255, (value >>> 16) & 255, value >>> 24];
const text = (value: string) => [...Buffer.from(value), 0];

function uleb(value: number): number[] {
  return value < 128 ? [value] : [(value & 127) | 128, ...uleb(value >>> 7)];
}

function sleb(value: number): number[] {
  const rest = value >> 7;
  const done = (rest === 0 && (value & 64) === 0) || (rest === -1 && (value & 64) !== 0);
  return done ? [value & 127] : [(value & 127) | 128, ...sleb(rest)];
}

/** line_base -5, line_range 14, opcode_base 13: what LLVM writes. */
const RULES = [1, 1, 1, 0xfb, 14, 13, 0, 1, 1, 1, 1, 0, 0, 0, 1, 0, 0, 1];

const setAddress = (at: number) => [0, 5, 2, ...u32(at)];
const endSequence = [0, 1, 1];
const advancePc = (by: number) => [2, ...uleb(by)];
const advanceLine = (by: number) => [3, ...sleb(by)];
const setFile = (index: number) => [4, ...uleb(index)];
const setColumn = (column: number) => [5, ...uleb(column)];
const copy = [1];
/** Moves address and line at once: opcode = (line + 5) + 14 * address + 13. */
const special = (address: number, line: number) => [line + 5 + 14 * address + 13];

const V4_TABLES = [
  ...text('src'),
  0,
  ...text('lib.rs'),
  1,
  0,
  0,
  ...text('/abs/core.rs'),
  1,
  0,
  0,
  ...text('top.c'),
  0,
  0,
  0,
  0,
];
/** Directories by .debug_line_str, files inline, with an MD5 sum that is passed over. */
const V5_TABLES = [
  ...[1, 1, 0x1f],
  ...[2, ...u32(0), ...u32(6)],
  ...[3, 1, 0x08, 2, 0x0b, 5, 0x1e],
  ...[
    2,
    ...text('zero.c'),
    0,
    ...Array<number>(16).fill(9),
    ...text('one.c'),
    1,
    ...Array<number>(16).fill(9),
  ],
];
const LINE_STRINGS = Buffer.from('/made\0lib\0');

function unit(version: number, tables: number[], program: number[], rules = RULES): number[] {
  const header = [...rules, ...tables];
  const rest = [...(version === 5 ? [4, 0] : []), ...u32(header.length), ...header, ...program];
  return [...u32(rest.length + 2), ...u16(version), ...rest];
}

function read(section: Uint8Array): LineTable | null {
  const steps = LineTable.steps(section, { line: LINE_STRINGS, plain: Buffer.from('') });
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
  }
}

const parse = (...units: number[][]) => read(Uint8Array.from(units.flat()));

describe('a line table', () => {
  const program = [
    ...setAddress(0x100),
    ...advanceLine(41),
    ...setColumn(7),
    ...copy,
    ...special(4, 2),
    ...setFile(2),
    ...advanceLine(-40),
    ...advancePc(200),
    ...copy,
    ...advancePc(16),
    ...endSequence,
  ];
  const found = {
    0x100: 'src/lib.rs:42',
    0x103: 'src/lib.rs:42',
    0x104: 'src/lib.rs:44',
    0x1cb: 'src/lib.rs:44',
    0x1cc: '/abs/core.rs:4',
    0x1db: '/abs/core.rs:4',
  };

  test.each(Object.entries(found))('of version 4 finds address %s at %s', (address, place) => {
    const { file, line, column } = parse(unit(4, V4_TABLES, program))!.find(Number(address))!;
    expect([`${file}:${line}`, column]).toEqual([place, 7]);
  });

  test.each([0, 0xff, 0x1dc, 0xffff_ffff])('finds nothing at %d, outside of its sequences', (address) => {
    expect(parse(unit(4, V4_TABLES, program))!.find(address)).toBeNull();
  });

  test('a file of directory 0 has no directory before version 5', () => {
    const table = parse(
      unit(4, V4_TABLES, [...setAddress(8), ...setFile(3), ...copy, ...advancePc(4), ...endSequence]),
    )!;
    expect(table.find(9)?.file).toBe('top.c');
  });

  test('version 5 counts files from 0 and takes directories from .debug_line_str', () => {
    const at = (file: number, address: number) => [
      ...setAddress(address),
      ...setFile(file),
      ...copy,
      ...advancePc(4),
      ...endSequence,
    ];
    const table = parse(unit(5, V5_TABLES, [...at(0, 16), ...at(1, 32)]))!;
    expect([table.find(17)?.file, table.find(33)?.file]).toEqual(['/made/zero.c', 'lib/one.c']);
  });

  test('functions that the linker dropped do not hide those that are there', () => {
    const dropped = (at: number) => [...setAddress(at), ...copy, ...advancePc(5000), ...endSequence];
    const table = parse(
      unit(4, V4_TABLES, [...dropped(0), ...dropped(0xffff_ffff), ...program, ...dropped(0xffff_fffe)]),
    )!;
    expect(table.find(0x101)).toMatchObject({ file: 'src/lib.rs', line: 42 });
    expect(table.find(20)).toBeNull();
  });

  test('several units, in any order, one of a version that is not known', () => {
    const low = [...setAddress(0x20), ...copy, ...advancePc(8), ...endSequence];
    const table = parse(unit(4, V4_TABLES, program), unit(9, V4_TABLES, program), unit(4, V4_TABLES, low))!;
    expect(table.find(0x21)?.line).toBe(1);
    expect(table.find(0x104)?.line).toBe(44);
  });

  test('opcodes that it does not know are passed over by their declared operands', () => {
    // Opcode 13 with two operands; special opcodes begin at 14.
    const rules = [...RULES, 2];
    rules[5] = 14;
    const table = parse(
      unit(4, V4_TABLES, [...setAddress(8), 13, 200, 1, 5, ...copy, ...advancePc(4), ...endSequence], rules),
    )!;
    expect(table.find(8)?.line).toBe(1);
  });

  test('what comes before a fault is kept', () => {
    const whole = unit(4, V4_TABLES, program);
    expect(parse(whole, [0xff, 0xff, 0xff, 0x7f, 4, 0])!.find(0x100)?.line).toBe(42);
  });

  test('whatever the bytes are, it ends and does not throw', () => {
    const whole = Uint8Array.from([...unit(4, V4_TABLES, program), ...unit(5, V5_TABLES, program)]);
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(whole.length - 1), fc.nat(255)), { maxLength: 8 }),
        fc.nat(whole.length),
        (changes, size) => {
          const broken = whole.slice(0, size);
          for (const [at, value] of changes) if (at < size) broken[at] = value;
          read(broken)?.find(0x104);
        },
      ),
      { numRuns: 2000 },
    );
  });
});
