import { BAD_AUTHORITY, normaliseAuthority } from '../http/authority.ts';
import { FieldId, equalsIgnoringCase } from '../http/fields.ts';
import { isBlank, isTarget, TOKEN } from '../http/grammar.ts';
import { Pseudo, STATUS_INDEX, type HeaderBlock } from '../http/headers.ts';
import { isFieldValueWords } from '../http/words.ts';
import { MapType } from './abi.ts';
import type { FieldName } from './field-name.ts';
import { FIELD_VALUE_BYTES, MAP_BYTES, MAP_FIELDS } from './limits.ts';

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

const STAR = 0x2a;
const SLASH = 0x2f;
const METHOD_BYTES = 32;

const HTTP = Buffer.from('http');
const HTTPS = Buffer.from('https');

/** An authority in the form that routes are compared with. */
const authority = Buffer.alloc(512);

/** What a guest's name means in a map. */
export function kindOf(map: number, name: FieldName): number {
  if (!name.valid) return pseudoIndex(map, name) < 0 ? FieldKind.Invalid : FieldKind.Pseudo;
  switch (name.id) {
    case FieldId.Host:
      return map === MapType.RequestHeaders ? FieldKind.Pseudo : FieldKind.Plain;
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

/** Index of the pseudo-header that a name stands for in a map, or -1. `host` of a request is `:authority`. */
export function pseudoIndex(map: number, name: FieldName): number {
  if (map === MapType.RequestHeaders) return name.id === FieldId.Host ? Pseudo.Authority : name.requestPseudo;
  return map === MapType.ResponseHeaders ? name.responsePseudo : -1;
}

/**
 * Whether a value may stand under a name.
 *
 * @param words the same memory as `memory`
 */
export function fits(
  kind: number,
  map: number,
  name: FieldName,
  memory: Uint8Array,
  words: DataView,
  start: number,
  end: number,
): boolean {
  if (end - start > FIELD_VALUE_BYTES) return false;
  if (kind === FieldKind.Plain) return isFieldValueWords(words, start, end - start);
  if (kind === FieldKind.Pseudo) return fitsPseudo(map, pseudoIndex(map, name), memory, start, end);
  if (kind === FieldKind.ContentLength) return isLength(memory, start, end);
  return true;
}

function fitsPseudo(map: number, index: number, memory: Uint8Array, start: number, end: number): boolean {
  if (map === MapType.ResponseHeaders) return index === STATUS_INDEX && isStatus(memory, start, end);
  const size = end - start;
  switch (index) {
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

/**
 * Writes under a name a value that fits; blanks around it are not part of it.
 *
 * @param words the same memory as `memory`
 */
export function writeField(
  block: HeaderBlock,
  kind: number,
  how: number,
  map: number,
  name: FieldName,
  memory: Uint8Array,
  words: DataView,
  start: number,
  end: number,
): void {
  if (kind === FieldKind.Ignored) return;
  if (kind === FieldKind.Pseudo) {
    const index = pseudoIndex(map, name);
    if (index !== Pseudo.Authority || map !== MapType.RequestHeaders)
      block.setValue(index, memory, start, end);
    else block.setValue(index, authority, 0, authorityEnd(memory, start, end));
    return;
  }
  while (start < end && isBlank(memory[start])) start++;
  while (end > start && isBlank(memory[end - 1])) end--;
  // Two lengths in one message are never right.
  if (how === Edit.Replace || kind === FieldKind.ContentLength) {
    block.replaceWords(name.words, name.size, words, start, end);
  } else {
    block.appendWords(name.words, name.size, words, start, end);
  }
}
