import { BrokenSection, ByteReader } from './byte-reader.ts';

/** Sections of strings that headers of version 5 refer to; empty where the module has none. */
export interface StringSections {
  readonly line: Uint8Array;
  readonly plain: Uint8Array;
}

/** What an entry of a table of files or directories says (DWARF 5, section 6.2.4.1). */
const Content = { Path: 1, Directory: 2 } as const;

/** Forms in which it says so (section 7.5.6). */
const Form = {
  Data2: 0x05,
  Data4: 0x06,
  Data8: 0x07,
  String: 0x08,
  Block: 0x09,
  Data1: 0x0b,
  Strp: 0x0e,
  Udata: 0x0f,
  Data16: 0x1e,
  LineStrp: 0x1f,
} as const;

/** A directory or a file of a unit. */
interface Entry {
  readonly path: string;
  readonly directory: number;
}

/** The header of one unit's line number program. */
export interface UnitHeader {
  /** False for a version that this reader does not know: only `end` says something then. */
  readonly isReadable: boolean;
  readonly end: number;
  readonly minInstructionLength: number;
  readonly lineBase: number;
  readonly lineRange: number;
  readonly opcodeBase: number;
  /** Of opcode 1 and up. */
  readonly operands: readonly number[];
  /** Null where there is no such file. */
  fileName(index: number): string | null;
}

/** Reads a header (section 6.2.4) and leaves the reader at the program. */
export function readHeader(reader: ByteReader, strings: StringSections): UnitHeader {
  const length = reader.u32();
  const isWide = length === 0xffff_ffff;
  const end = (isWide ? reader.u64() : length) + reader.at;
  if (end > reader.bytes.length) throw new BrokenSection();
  reader.end = end;
  const version = reader.u16();
  if (version < 2 || version > 5) return { ...UNREADABLE, end };
  if (version === 5) reader.skip(2);
  const headerLength = isWide ? reader.u64() : reader.u32();
  const program = reader.at + headerLength;
  const minInstructionLength = reader.u8();
  if (version >= 4) reader.u8();
  reader.u8();
  const lineBase = reader.i8();
  const lineRange = reader.u8();
  const opcodeBase = reader.u8();
  if (lineRange === 0) throw new BrokenSection();
  const operands = Array.from({ length: Math.max(0, opcodeBase - 1) }, () => reader.u8());
  const directories = version === 5 ? entries(reader, strings, isWide) : oldDirectories(reader);
  const files = version === 5 ? entries(reader, strings, isWide) : oldFiles(reader);
  reader.at = reader.at > program ? reader.at : program;
  if (reader.at > end) throw new BrokenSection();
  // Before version 5 both tables count from 1, and directory 0 is where the compiler ran.
  const shift = version === 5 ? 0 : 1;
  const fileName = (index: number): string | null => {
    const file = files[index - shift];
    if (file === undefined) return null;
    const directory = directories[file.directory - shift]?.path ?? '';
    return directory === '' || file.path.startsWith('/') ? file.path : `${directory}/${file.path}`;
  };
  return {
    isReadable: true,
    end,
    minInstructionLength,
    lineBase,
    lineRange,
    opcodeBase,
    operands,
    fileName,
  };
}

const UNREADABLE = {
  isReadable: false,
  minInstructionLength: 1,
  lineBase: 0,
  lineRange: 1,
  opcodeBase: 1,
  operands: [],
  fileName: () => null,
};

function oldDirectories(reader: ByteReader): Entry[] {
  const found: Entry[] = [];
  for (let path = reader.text(); path !== ''; path = reader.text()) found.push({ path, directory: 0 });
  return found;
}

function oldFiles(reader: ByteReader): Entry[] {
  const found: Entry[] = [];
  for (let path = reader.text(); path !== ''; path = reader.text()) {
    found.push({ path, directory: reader.uleb() });
    reader.uleb();
    reader.uleb();
  }
  return found;
}

function entries(reader: ByteReader, strings: StringSections, isWide: boolean): Entry[] {
  const formats = Array.from({ length: reader.u8() }, () => ({
    content: reader.uleb(),
    form: reader.uleb(),
  }));
  const count = reader.uleb();
  if (count > reader.end - reader.at) throw new BrokenSection();
  return Array.from({ length: count }, () => {
    let path = '';
    let directory = 0;
    for (const { content, form } of formats) {
      const value = readForm(reader, form, strings, isWide);
      if (content === Content.Path && typeof value === 'string') path = value;
      else if (content === Content.Directory && typeof value === 'number') directory = value;
    }
    return { path, directory };
  });
}

function readForm(
  reader: ByteReader,
  form: number,
  strings: StringSections,
  isWide: boolean,
): string | number {
  switch (form) {
    case Form.String:
      return reader.text();
    case Form.LineStrp:
      return textAt(strings.line, isWide ? reader.u64() : reader.u32());
    case Form.Strp:
      return textAt(strings.plain, isWide ? reader.u64() : reader.u32());
    case Form.Data1:
      return reader.u8();
    case Form.Data2:
      return reader.u16();
    case Form.Data4:
      return reader.u32();
    case Form.Data8:
      return reader.u64();
    case Form.Udata:
      return reader.uleb();
    case Form.Data16:
      return reader.skip(16);
    case Form.Block:
      return reader.skip(reader.uleb());
    default:
      throw new BrokenSection();
  }
}

function textAt(section: Uint8Array, at: number): string {
  return at < section.length ? new ByteReader(section, at).text() : '';
}
