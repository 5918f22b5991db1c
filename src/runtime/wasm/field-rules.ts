import type { HeaderBlock } from '../http/headers.ts';
import { MapType } from './abi.ts';
import { FIELD_NAME_BYTES, FIELD_VALUE_BYTES, MAP_BYTES, MAP_FIELDS } from './limits.ts';
import { LOWER } from './pairs.ts';

export const Edit = { Add: 0, Replace: 1 } as const;

/** What a name that a guest writes means for the map it is written to. */
export const FieldKind = {
  /** Not a token, too long, or a pseudo-header that the message does not have. */
  Invalid: 0,
  Plain: 1,
  /** `:method` and its like, and `host` in a request, which stands for `:authority`. */
  Pseudo: 2,
  /** May be removed and set, but the length on the wire is what the writer counts. */
  ContentLength: 3,
  /** Belongs to the connection or to the framing: accepted and not written. */
  Ignored: 4,
} as const;

const TOKEN = new Uint8Array(256);
for (const byte of Buffer.from(
  "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ",
))
  TOKEN[byte] = 1;

/** Values hold no control byte but HTAB; bytes from 0x80 on pass as they are. */
const VALUE = Uint8Array.from({ length: 256 }, (_, byte) =>
  byte === 9 || (byte >= 32 && byte !== 127) ? 1 : 0,
);
/** A request target and an authority hold no white space either, and no fragment. */
const TARGET = Uint8Array.from({ length: 256 }, (_, byte) =>
  byte > 32 && byte !== 127 && byte !== 35 ? 1 : 0,
);

const REQUEST_PSEUDO = [':method', ':path', ':authority', ':scheme'].map((name) => Buffer.from(name));
const RESPONSE_PSEUDO = [Buffer.from(':status')];
const NO_PSEUDO: Buffer[] = [];
const HOST = Buffer.from('host');
const CONTENT_LENGTH = Buffer.from('content-length');
const TRANSFER_ENCODING = Buffer.from('transfer-encoding');
const CONNECTION_FIELDS = [
  'te',
  'trailer',
  'upgrade',
  'connection',
  'keep-alive',
  'proxy-connection',
  'proxy-authenticate',
].map((name) => Buffer.from(name));
/** Bit n: one of the names above has n bytes. Most names are told to be plain by their length. */
const SPECIAL_LENGTHS = [HOST, CONTENT_LENGTH, TRANSFER_ENCODING, ...CONNECTION_FIELDS].reduce(
  (bits, name) => bits | (1 << name.length),
  0,
);

/** The name that was classified last, in lower case. */
export const fieldName = Buffer.alloc(FIELD_NAME_BYTES);
/** Where it ends. */
let nameEnd = 0;
/** Its place among the pseudo-headers, which is its index in the block. */
let pseudoIndex = 0;

export function fieldNameEnd(): number {
  return nameEnd;
}

/** Checks a name that a guest passes, and leaves it in lower case in `fieldName`. */
export function classifyName(map: number, memory: Uint8Array, start: number, end: number): number {
  const size = end - start;
  if (size === 0 || size > FIELD_NAME_BYTES) return FieldKind.Invalid;
  nameEnd = size;
  if (memory[start] === 58) return classifyPseudo(map, memory, start, size);
  for (let i = 0; i < size; i++) {
    const byte = memory[start + i]!;
    if (TOKEN[byte] === 0) return FieldKind.Invalid;
    fieldName[i] = LOWER[byte]!;
  }
  if (size > 31 || (SPECIAL_LENGTHS & (1 << size)) === 0) return FieldKind.Plain;
  return classifySpecial(map, size);
}

function classifyPseudo(map: number, memory: Uint8Array, start: number, size: number): number {
  const names = pseudoOf(map);
  for (let i = 0; i < size; i++) fieldName[i] = LOWER[memory[start + i]!]!;
  for (let i = 0; i < names.length; i++) {
    if (!isName(names[i]!, size)) continue;
    pseudoIndex = i;
    return FieldKind.Pseudo;
  }
  return FieldKind.Invalid;
}

function pseudoOf(map: number): readonly Buffer[] {
  if (map === MapType.RequestHeaders) return REQUEST_PSEUDO;
  if (map === MapType.ResponseHeaders) return RESPONSE_PSEUDO;
  return NO_PSEUDO;
}

function classifySpecial(map: number, size: number): number {
  const trailers = map === MapType.RequestTrailers || map === MapType.ResponseTrailers;
  if (map === MapType.RequestHeaders && isName(HOST, size)) {
    pseudoIndex = 2;
    return FieldKind.Pseudo;
  }
  if (isName(CONTENT_LENGTH, size)) return trailers ? FieldKind.Ignored : FieldKind.ContentLength;
  if (isName(TRANSFER_ENCODING, size)) return FieldKind.Ignored;
  for (const name of CONNECTION_FIELDS) if (isName(name, size)) return FieldKind.Ignored;
  // content_length and transfer_encoding are read as framing by some servers: refused in every spelling.
  for (let i = 0; i < size; i++)
    if (fieldName[i] === 95) return spellsFraming(size) ? FieldKind.Invalid : FieldKind.Plain;
  return FieldKind.Plain;
}

function spellsFraming(size: number): boolean {
  const folded = fieldName.toString('latin1', 0, size).replaceAll('_', '-');
  return folded === 'content-length' || folded === 'transfer-encoding';
}

function isName(name: Buffer, size: number): boolean {
  if (name.length !== size) return false;
  for (let i = 0; i < size; i++) if (fieldName[i] !== name[i]) return false;
  return true;
}

/** Whether the bytes may stand as a field's value. White space around them is the caller's to trim. */
export function isValue(memory: Uint8Array, start: number, end: number): boolean {
  if (end - start > FIELD_VALUE_BYTES) return false;
  for (let i = start; i < end; i++) if (VALUE[memory[i]!] === 0) return false;
  return true;
}

/** Whether the bytes may stand in the pseudo-header that was classified last. */
function isPseudoValue(map: number, memory: Uint8Array, start: number, end: number): boolean {
  const size = end - start;
  if (size > FIELD_VALUE_BYTES) return false;
  if (map === MapType.ResponseHeaders) return isStatus(memory, start, end);
  for (let i = start; i < end; i++) if (TARGET[memory[i]!] === 0) return false;
  switch (pseudoIndex) {
    case 0:
      for (let i = start; i < end; i++) if (TOKEN[memory[i]!] === 0) return false;
      return size > 0 && size <= 32;
    case 1:
      return size > 0 && (memory[start] === 47 || (size === 1 && memory[start] === 42));
    case 2:
      // User information, a path or a query in an authority would be read as something else further on.
      for (let i = start; i < end; i++) {
        const byte = memory[i]!;
        if (byte === 64 || byte === 47 || byte === 63 || byte === 92) return false;
      }
      return size > 0;
    default:
      return isScheme(memory, start, size);
  }
}

/** Three digits from 200 on: interim answers are the writer's own. */
function isStatus(memory: Uint8Array, start: number, end: number): boolean {
  if (end - start !== 3 || memory[start]! < 50 || memory[start]! > 53) return false;
  return (
    memory[start + 1]! >= 48 &&
    memory[start + 1]! <= 57 &&
    memory[start + 2]! >= 48 &&
    memory[start + 2]! <= 57
  );
}

function isScheme(memory: Uint8Array, start: number, size: number): boolean {
  if (size !== 4 && size !== 5) return false;
  const text = String.fromCharCode(...memory.subarray(start, start + size));
  return text === 'http' || text === 'https';
}

/** Content-Length is a plain number of digits. */
function isLength(memory: Uint8Array, start: number, end: number): boolean {
  if (end === start || end - start > 15) return false;
  for (let i = start; i < end; i++) if (memory[i]! < 48 || memory[i]! > 57) return false;
  return true;
}

/** Whether a block is as large as a guest may make it. */
export function isFull(block: HeaderBlock, more: number): boolean {
  return block.count >= MAP_FIELDS || block.length + more > MAP_BYTES;
}

/** Whether a value may stand under the name that was classified last. */
export function fits(kind: number, map: number, memory: Uint8Array, start: number, end: number): boolean {
  if (kind === FieldKind.Plain) return isValue(memory, start, end);
  if (kind === FieldKind.Pseudo) return isPseudoValue(map, memory, start, end);
  if (kind === FieldKind.ContentLength) return isLength(memory, start, end);
  return true;
}

/** Writes under the name that was classified last; optional white space around the value is not part of it. */
export function writeField(
  block: HeaderBlock,
  kind: number,
  how: number,
  memory: Uint8Array,
  start: number,
  end: number,
): void {
  if (kind === FieldKind.Ignored) return;
  if (kind === FieldKind.Pseudo) return block.setValue(pseudoIndex, memory, start, end);
  while (start < end && isSpace(memory[start]!)) start++;
  while (end > start && isSpace(memory[end - 1]!)) end--;
  // Two lengths in one message are never right.
  if (how === Edit.Replace || kind === FieldKind.ContentLength)
    block.replace(fieldName, 0, nameEnd, memory, start, end);
  else block.append(fieldName, 0, nameEnd, memory, start, end);
}

function isSpace(byte: number): boolean {
  return byte === 32 || byte === 9;
}
