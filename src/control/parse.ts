import {
  Composer,
  isMap,
  isSeq,
  Lexer,
  LineCounter,
  Parser,
  visit,
  type CST,
  type Document,
  type YAMLError,
} from 'yaml';
import type { ErrorCode } from '../errors.ts';
import type { Diagnostic } from './diagnostic.ts';
import { ConfigDocument, SourceText } from './document.ts';
import { withoutCredentials } from './secret-text.ts';
import { UNREAD, unreadOf, type Unread } from './unread.ts';

const MAX_ALIASES = 100;
const MAX_DEPTH = 64;
const MAX_EXPANSIONS = 1000;

export interface ParsedText {
  readonly documents: readonly ConfigDocument[];
  readonly diagnostics: readonly Diagnostic[];
  /** Documents that were left out. */
  readonly unread: readonly Unread[];
}

/**
 * Reads the documents of one YAML text, with their positions. Pure; never throws.
 *
 * Faults of the syntax leave out the document that they are in, so that the others are still
 * checked. Documents without content are skipped; the items of a `List` are documents of their own.
 */
export function parseText(file: string, text: string): ParsedText {
  const lines = new LineCounter();
  const source = new SourceText(file, text, lines);
  const diagnostics: Diagnostic[] = [];
  const documents: ConfigDocument[] = [];
  let parsed: readonly Document[];
  try {
    const composer = new Composer({
      lineCounter: lines,
      prettyErrors: false,
      stringKeys: true,
      version: '1.2',
    });
    parsed = [...composer.compose(tokens(text, lines))] as readonly Document[];
  } catch (error) {
    if (error instanceof TooDeep) {
      diagnostics.push(
        faultAt(source, 'WEIR1005', error.offset, 1, `nested more than ${MAX_DEPTH} levels deep`),
      );
    } else {
      diagnostics.push(faultAt(source, 'WEIR1001', 0, 1, `cannot be read as YAML: ${String(error)}`));
    }
    return { documents, diagnostics, unread: [UNREAD] };
  }
  const unread: Unread[] = [];
  for (const document of parsed) {
    const faults = [...document.errors, ...document.warnings].map((error) => syntaxFault(source, error));
    if (faults.length === 0) faults.push(...checkAliases(source, document));
    diagnostics.push(...faults);
    if (faults.length > 0) unread.push(asFarAsRead(document));
    else if (document.contents !== null) collect(file, source, document, documents, diagnostics);
  }
  return { documents, diagnostics, unread };
}

function asFarAsRead(document: Document): Unread {
  try {
    return unreadOf(document.toJS({ maxAliasCount: MAX_EXPANSIONS }));
  } catch {
    return UNREAD;
  }
}

class TooDeep extends Error {
  readonly offset: number;

  constructor(offset: number) {
    super('too deep');
    this.offset = offset;
  }
}

/**
 * The tokens of the text, as long as it is not nested too deeply. The composer recurses over
 * them, and the end of the stack inside of a regular expression ends the process, so depth is
 * bounded before it starts.
 */
function* tokens(text: string, lines: LineCounter): Generator<CST.Token> {
  const parser = new Parser(lines.addNewLine);
  lines.addNewLine(0);
  for (const lexeme of new Lexer().lex(text)) {
    yield* parser.next(lexeme);
    if (parser.stack.length > MAX_DEPTH + 2) throw new TooDeep(parser.offset);
  }
  yield* parser.end();
}

function collect(
  file: string,
  source: SourceText,
  document: Document,
  documents: ConfigDocument[],
  diagnostics: Diagnostic[],
): void {
  let value: unknown;
  try {
    value = document.toJS({ maxAliasCount: MAX_EXPANSIONS });
  } catch (error) {
    const message = error instanceof ReferenceError ? 'aliases expand to too much' : String(error);
    diagnostics.push(faultAt(source, 'WEIR1004', offsetOf(document), 1, message));
    return;
  }
  if (value === null || value === undefined) return;
  const root = document.contents;
  const { apiVersion, kind, items } = value as { apiVersion?: unknown; kind?: unknown; items?: unknown };
  if (apiVersion === 'v1' && kind === 'List' && Array.isArray(items) && isMap(root)) {
    const nodes = root.get('items', true);
    for (const [i, item] of items.entries()) {
      const node = isSeq(nodes) ? nodes.items[i] : root;
      documents.push(new ConfigDocument(file, item, source, document, node));
    }
    return;
  }
  documents.push(new ConfigDocument(file, value, source, document, root));
}

/** Aliases, before anything is expanded. */
function checkAliases(source: SourceText, document: Document): Diagnostic[] {
  let fault: Diagnostic | null = null;
  let aliases = 0;
  visit(document, {
    Alias(_key, alias, path) {
      const [start, end] = alias.range ?? [0, 1];
      const target = alias.resolve(document);
      if (target === undefined) {
        fault = faultAt(source, 'WEIR1001', start, end - start, `no anchor is named "${alias.source}"`);
      } else if (path.includes(target)) {
        fault = faultAt(
          source,
          'WEIR1004',
          start,
          end - start,
          `alias "${alias.source}" repeats what it is part of`,
        );
      } else if (++aliases > MAX_ALIASES) {
        fault = faultAt(
          source,
          'WEIR1004',
          start,
          end - start,
          `more than ${MAX_ALIASES} aliases in one document`,
        );
      }
      return fault === null ? undefined : visit.BREAK;
    },
  });
  return fault === null ? [] : [fault];
}

function offsetOf(document: Document): number {
  return document.contents?.range?.[0] ?? document.range?.[0] ?? 0;
}

function syntaxFault(source: SourceText, error: YAMLError): Diagnostic {
  const [start, end] = error.pos;
  if (error.code === 'DUPLICATE_KEY') {
    const key = source.text.slice(start).match(/^["']?([^"'\s:]+)/)?.[1] ?? '';
    return faultAt(
      source,
      'WEIR1002',
      start,
      Math.max(1, key.length),
      `key "${key}" is written twice in this mapping`,
    );
  }
  const message = error.message.replace(/ at line \d+, column \d+:?[^]*$/, '').replace(/\.$/, '');
  const hint = SYNTAX_HINTS[error.code];
  const fault = faultAt(source, 'WEIR1001', start, Math.max(1, end - start), lowerFirst(message));
  return hint === undefined ? fault : { ...fault, hint };
}

const SYNTAX_HINTS: Readonly<Record<string, string>> = {
  BLOCK_AS_IMPLICIT_KEY: 'quote the value if it holds ": ", or check the indentation',
  BAD_INDENT: 'check the indentation of this line against the line before',
  MULTILINE_IMPLICIT_KEY: 'is a colon or a quote missing?',
  TAB_AS_INDENT: 'indent with spaces',
  TAG_RESOLVE_FAILED: 'quote the value if it starts with "!"',
};

function lowerFirst(text: string): string {
  return /^[A-Z][a-z]/.test(text) ? text[0]!.toLowerCase() + text.slice(1) : text;
}

function faultAt(
  source: SourceText,
  code: ErrorCode,
  offset: number,
  length: number,
  message: string,
): Diagnostic {
  const place = source.place(Math.min(offset, source.text.length));
  const sourceLine = source.line(place.line);
  const rest = Math.max(1, sourceLine.length - place.column + 1);
  const fault: Diagnostic = { code, severity: 'error', ...place, length: Math.min(length, rest), message };
  return isInSecret(source.text, offset) ? fault : { ...fault, sourceLine: withoutCredentials(sourceLine) };
}

/** Whether the document around an offset says that it is a Secret, whose lines are never printed. */
function isInSecret(text: string, offset: number): boolean {
  let start = 0;
  let end = text.length;
  // A marker is three dashes alone: the line that begins a PEM block has more of them.
  for (const { index } of text.matchAll(/^---(?=\s|$)/gm)) {
    if (index <= offset) start = index;
    else end = Math.min(end, index);
  }
  return /\bkind["']?\s*:\s*["']?Secret\b/.test(text.slice(start, end));
}
