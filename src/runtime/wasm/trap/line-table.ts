import { BrokenSection, ByteReader } from './byte-reader.ts';
import { readHeader, type StringSections, type UnitHeader } from './line-header.ts';
import type { SourcePlace } from './place.ts';

/** What is beyond is not looked at. */
const MAX_SECTION_BYTES = 4 * 1024 * 1024;
const MAX_ROWS = 500_000;
/** Opcodes of one step. */
const STEP = 4096;

/** Standard opcodes of a line number program (DWARF 5, section 6.2.5.2). */
const Opcode = {
  Extended: 0,
  Copy: 1,
  AdvancePc: 2,
  AdvanceLine: 3,
  SetFile: 4,
  SetColumn: 5,
  NegateStatement: 6,
  SetBasicBlock: 7,
  ConstAddPc: 8,
  FixedAdvancePc: 9,
  SetPrologueEnd: 10,
  SetEpilogueBegin: 11,
  SetIsa: 12,
} as const;

/** Section 6.2.5.3. */
const Extended = { EndSequence: 1, SetAddress: 2 } as const;

/**
 * The line table of DWARF (`.debug_line`, versions 2 to 5, 32 and 64 bit). Addresses are offsets into
 * the code section's content.
 */
export class LineTable {
  readonly #units: readonly UnitHeader[];
  /** Ascending addresses of rows; those of one sequence end with a row whose unit is -1. */
  readonly #rows: Rows;

  private constructor(units: UnitHeader[], rows: Rows) {
    this.#units = units;
    this.#rows = rows;
  }

  /** Reads a section in steps. Null where it cannot be read; what comes before a fault is kept. */
  static *steps(section: Uint8Array, strings: StringSections): Generator<void, LineTable | null> {
    if (section.length > MAX_SECTION_BYTES) return null;
    const units: UnitHeader[] = [];
    const rows = new Rows();
    const reader = new ByteReader(section);
    try {
      while (reader.at < section.length && rows.count < MAX_ROWS) {
        reader.end = section.length;
        const unit = readHeader(reader, strings);
        if (unit.isReadable) {
          units.push(unit);
          yield* run(reader, unit, units.length - 1, rows);
        }
        reader.at = unit.end;
      }
    } catch (error) {
      if (!(error instanceof BrokenSection)) throw error;
    }
    if (rows.count === 0) return null;
    rows.sort();
    return new LineTable(units, rows);
  }

  find(address: number): SourcePlace | null {
    const row = this.#rows.before(address);
    if (row === null) return null;
    const file = this.#units[row.unit]!.fileName(row.file);
    return file === null || row.line === 0 ? null : { file, line: row.line, column: row.column };
  }
}

interface Row {
  readonly address: number;
  /** -1: the sequence ends here. */
  readonly unit: number;
  readonly file: number;
  readonly line: number;
  readonly column: number;
}

/** Rows of all sequences, sorted by the address at which their sequence begins. */
class Rows {
  #sequences: Row[][] = [];
  #open: Row[] = [];
  count = 0;

  add(row: Row): void {
    this.#open.push(row);
    this.count++;
    if (row.unit >= 0) return;
    const sequence = this.#open;
    this.#open = [];
    // A function that the linker dropped begins at 0 or at the end of the address space.
    if (sequence[0]!.address > 0 && sequence[0]!.address < 0xffff_fffe) this.#sequences.push(sequence);
  }

  sort(): void {
    this.#sequences.sort((a, b) => a[0]!.address - b[0]!.address);
  }

  /** The row that an address belongs to. */
  before(address: number): Row | null {
    const sequence = last(this.#sequences, (each) => each[0]!.address <= address);
    const row = sequence === null ? null : last(sequence, (each) => each.address <= address);
    return row === null || row.unit < 0 ? null : row;
  }
}

/** The last item of an ascending list that fulfils what all items before it do. */
function last<T>(list: readonly T[], fits: (item: T) => boolean): T | null {
  let low = 0;
  let high = list.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (fits(list[middle]!)) low = middle + 1;
    else high = middle;
  }
  return low === 0 ? null : list[low - 1]!;
}

/** Runs the program of a unit (section 6.2.5). */
function* run(reader: ByteReader, unit: UnitHeader, index: number, rows: Rows): Generator<void> {
  reader.end = unit.end;
  let address = 0;
  let file = 1;
  let line = 1;
  let column = 0;
  const emit = (ends: boolean): void => {
    if (rows.count < MAX_ROWS || ends) rows.add({ address, unit: ends ? -1 : index, file, line, column });
  };
  const advance = (operations: number): void => {
    address += operations * unit.minInstructionLength;
  };
  const constAdd = Math.floor((255 - unit.opcodeBase) / unit.lineRange);
  let turns = 0;
  while (reader.at < unit.end) {
    if (++turns % STEP === 0) yield;
    const opcode = reader.u8();
    if (opcode >= unit.opcodeBase) {
      const special = opcode - unit.opcodeBase;
      advance(Math.floor(special / unit.lineRange));
      line += unit.lineBase + (special % unit.lineRange);
      emit(false);
      continue;
    }
    switch (opcode) {
      case Opcode.Extended: {
        const size = reader.uleb();
        const next = reader.at + size;
        const extended = size === 0 ? 0 : reader.u8();
        if (extended === Extended.EndSequence) {
          emit(true);
          address = column = 0;
          file = line = 1;
        } else if (extended === Extended.SetAddress) address = size === 9 ? reader.u64() : reader.u32();
        reader.skip(next - reader.at);
        break;
      }
      case Opcode.Copy:
        emit(false);
        break;
      case Opcode.AdvancePc:
        advance(reader.uleb());
        break;
      case Opcode.AdvanceLine:
        line += reader.sleb();
        break;
      case Opcode.SetFile:
        file = reader.uleb();
        break;
      case Opcode.SetColumn:
        column = reader.uleb();
        break;
      case Opcode.ConstAddPc:
        advance(constAdd);
        break;
      case Opcode.FixedAdvancePc:
        address += reader.u16();
        break;
      case Opcode.NegateStatement:
      case Opcode.SetBasicBlock:
      case Opcode.SetPrologueEnd:
      case Opcode.SetEpilogueBegin:
        break;
      case Opcode.SetIsa:
        reader.uleb();
        break;
      default:
        for (let left = unit.operands[opcode - 1] ?? 0; left > 0; left--) reader.uleb();
    }
  }
}
