import { BAD_AUTHORITY, normaliseAuthority } from '../http/authority.ts';
import { FieldId, equalsIgnoringCase, fieldId } from '../http/fields.ts';
import { isBlank, isFieldValue, isTarget, LOWER, TOKEN, TOKEN_ODD } from '../http/grammar.ts';
import { Pseudo, STATUS_INDEX, type HeaderBlock } from '../http/headers.ts';
import { mapsToFraming } from '../http/odd-name.ts';
import { MapType } from './abi.ts';
import { FIELD_NAME_BYTES, FIELD_VALUE_BYTES, MAP_BYTES, MAP_FIELDS } from './limits.ts';

export const Edit = { Add: 0, Replace: 1 } as const;

/** What a name that a guest writes means for the map it is written to. */
export const FieldKind = {
  /** Not a token, too long, spells a framing field in a way that others may read, or is no pseudo-header of the map. */
  Invalid: 0,
  Plain: 1,
  /** `:method` and its like, and `host` in a request, which stands for `:authority`. */
  Pseudo: 2,
  /** May be removed and set, but the length on the wire is what the writer counts. */
  ContentLength: 3,
  /** Belongs to the connection or to the framing: accepted and not written. */
  Ignored: 4,
} as const;

const COLON = 0x3a;
const STAR = 0x2a;
const SLASH = 0x2f;
const METHOD_BYTES = 32;

const REQUEST_PSEUDO = [':method', ':path', ':authority', ':scheme'].map((name) => Buffer.from(name));
const RESPONSE_PSEUDO = [Buffer.from(':status')];
const NO_PSEUDO: Buffer[] = [];
const HTTP = Buffer.from('http');
const HTTPS = Buffer.from('https');

/** The name that was classified last, in lower case. */
export const fieldName = Buffer.alloc(FIELD_NAME_BYTES);
/** Where it ends. */
let nameEnd = 0;
/** Its index in the block, where it is a pseudo-header. */
let pseudoIndex = 0;
/** An authority in the form that routes are compared with. */
const authority = Buffer.alloc(512);

export function fieldNameEnd(): number {
  return nameEnd;
}

/** Checks a name that a guest passes, and leaves it in lower case in `fieldName`. */
export function classifyName(map: number, memory: Uint8Array, start: number, end: number): number {
  const size = end - start;
  if (size === 0 || size > FIELD_NAME_BYTES) return FieldKind.Invalid;
  nameEnd = size;
  if (memory[start] === COLON) return classifyPseudo(map, memory, start, size);
  let classes = 0;
  for (let i = 0; i < size; i++) {
    const byte = memory[start + i]!;
    const tokenClass = TOKEN[byte]!;
    if (tokenClass === 0) return FieldKind.Invalid;
    classes |= tokenClass;
    fieldName[i] = LOWER[byte]!;
  }
  if ((classes & TOKEN_ODD) !== 0 && mapsToFraming(fieldName, 0, size)) return FieldKind.Invalid;
  return kindOf(map, fieldId(fieldName, 0, size));
}

function kindOf(map: number, id: FieldId): number {
  switch (id) {
    case FieldId.Host:
      if (map !== MapType.RequestHeaders) return FieldKind.Plain;
      pseudoIndex = Pseudo.Authority;
      return FieldKind.Pseudo;
    case FieldId.ContentLength:
      // Trailers say nothing about framing.
      return map === MapType.RequestHeaders || map === MapType.ResponseHeaders
        ? FieldKind.ContentLength
        : FieldKind.Ignored;
    case FieldId.TransferEncoding:
    case FieldId.Connection:
    case FieldId.Upgrade:
    case FieldId.Te:
    case FieldId.HopByHop:
      return FieldKind.Ignored;
    default:
      return FieldKind.Plain;
  }
}

function classifyPseudo(map: number, memory: Uint8Array, start: number, size: number): number {
  const names = pseudoOf(map);
  for (let i = 0; i < names.length; i++) {
    if (!equalsIgnoringCase(memory, start, start + size, names[i]!)) continue;
    pseudoIndex = i;
    return FieldKind.Pseudo;
  }
  return FieldKind.Invalid;
}

function pseudoOf(map: number): readonly Buffer[] {
  if (map === MapType.RequestHeaders) return REQUEST_PSEUDO;
  return map === MapType.ResponseHeaders ? RESPONSE_PSEUDO : NO_PSEUDO;
}

/** Whether a value may stand under the name that was classified last. */
export function fits(kind: number, map: number, memory: Uint8Array, start: number, end: number): boolean {
  if (end - start > FIELD_VALUE_BYTES) return false;
  if (kind === FieldKind.Plain) return isFieldValue(memory, start, end);
  if (kind === FieldKind.Pseudo) return fitsPseudo(map, memory, start, end);
  if (kind === FieldKind.ContentLength) return isLength(memory, start, end);
  return true;
}

function fitsPseudo(map: number, memory: Uint8Array, start: number, end: number): boolean {
  if (map === MapType.ResponseHeaders) return pseudoIndex === STATUS_INDEX && isStatus(memory, start, end);
  const size = end - start;
  switch (pseudoIndex) {
    case Pseudo.Method:
      for (let i = start; i < end; i++) if (TOKEN[memory[i]!] === 0) return false;
      return size > 0 && size <= METHOD_BYTES;
    case Pseudo.Path:
      if (!isTarget(memory, start, end)) return false;
      return size > 0 && (memory[start] === SLASH || (size === 1 && memory[start] === STAR));
    case Pseudo.Authority:
      return authorityEnd(memory, start, end) !== BAD_AUTHORITY;
    default:
      return isScheme(memory, start, end, HTTP) || isScheme(memory, start, end, HTTPS);
  }
}

/** Three digits from 200 on: interim answers are the writer's own. */
function isStatus(memory: Uint8Array, start: number, end: number): boolean {
  if (end - start !== 3 || memory[start]! < 0x32 || memory[start]! > 0x35) return false;
  return isDigit(memory[start + 1]!) && isDigit(memory[start + 2]!);
}

function isDigit(byte: number): boolean {
  return byte >= 0x30 && byte <= 0x39;
}

function isScheme(memory: Uint8Array, start: number, end: number, scheme: Buffer): boolean {
  return equalsIgnoringCase(memory, start, end, scheme);
}

/** Content-Length is a plain number of digits, below 10^15. */
function isLength(memory: Uint8Array, start: number, end: number): boolean {
  if (end === start || end - start > 15) return false;
  for (let i = start; i < end; i++) if (!isDigit(memory[i]!)) return false;
  return true;
}

/** Leaves the authority in its one form in `authority`. No port is taken for the default one: the stream knows it. */
function authorityEnd(memory: Uint8Array, start: number, end: number): number {
  const size = end - start;
  if (size === 0 || size > authority.length) return BAD_AUTHORITY;
  for (let i = 0; i < size; i++) authority[i] = memory[start + i]!;
  return normaliseAuthority(authority, 0, size, 0);
}

/** Whether a block is as large as a guest may make it. */
export function isFull(block: HeaderBlock, more: number): boolean {
  return block.count >= MAP_FIELDS || block.length + more > MAP_BYTES;
}

/** Writes under the name that was classified last a value that fits; blanks around it are not part of it. */
export function writeField(
  block: HeaderBlock,
  kind: number,
  how: number,
  memory: Uint8Array,
  start: number,
  end: number,
): void {
  if (kind === FieldKind.Ignored) return;
  if (kind === FieldKind.Pseudo) {
    if (pseudoIndex !== Pseudo.Authority) block.setValue(pseudoIndex, memory, start, end);
    else block.setValue(pseudoIndex, authority, 0, authorityEnd(memory, start, end));
    return;
  }
  while (start < end && isBlank(memory[start])) start++;
  while (end > start && isBlank(memory[end - 1])) end--;
  // Two lengths in one message are never right.
  if (how === Edit.Replace || kind === FieldKind.ContentLength) {
    block.replace(fieldName, 0, nameEnd, memory, start, end);
  } else {
    block.append(fieldName, 0, nameEnd, memory, start, end);
  }
}
