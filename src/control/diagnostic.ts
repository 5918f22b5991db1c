import { ERRORS, type ErrorCode } from '../errors.ts';

/** One thing wrong, or doubtful, in a configuration, and where it is written. */
export interface Diagnostic {
  readonly code: ErrorCode;
  readonly severity: 'error' | 'warning';
  /** As it was given to weir, so that an editor opens it. */
  readonly file: string;
  /** From 1; 0 where the file as a whole is meant. */
  readonly line: number;
  /** From 1. */
  readonly column: number;
  /** How many columns are meant, for the caret line; at least 1. */
  readonly length: number;
  readonly message: string;
  /** The nearest fix: `did you mean "config"?` */
  readonly hint?: string;
  /** Further lines: what is known, which rule. */
  readonly notes?: readonly string[];
  /** The line of the file, as written. Absent for files that hold secrets. */
  readonly sourceLine?: string;
  /** Other places that take part in the fault. */
  readonly related?: readonly Place[];
}

export interface Place {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

export interface FormatOptions {
  readonly color?: boolean;
  /**
   * Ends the summary where there are errors, for example `snapshot 41a7c0 (2 h old) keeps
   * serving`; null where nothing was going to be applied.
   */
  readonly consequence?: string | null;
}

/** Whether anything in the list forbids to use the configuration. */
export function hasErrors(diagnostics: readonly Diagnostic[]): boolean {
  return diagnostics.some((diagnostic) => diagnostic.severity === 'error');
}

/** By file and place, so that the order does not depend on which check found what. */
export function sortDiagnostics(diagnostics: readonly Diagnostic[]): Diagnostic[] {
  const compareText = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);
  return [...diagnostics].sort(
    (a, b) =>
      compareText(a.file, b.file) ||
      a.line - b.line ||
      a.column - b.column ||
      compareText(a.code, b.code) ||
      compareText(a.message, b.message),
  );
}

/** `file:line:column`, shorter where line or column are not known. */
export function formatPlace(place: Place): string {
  return place.line > 0 ? `${place.file}:${place.line}:${place.column}` : place.file;
}

/**
 * The text for a terminal: each diagnostic with its source line, a caret and the nearest fix, then
 * one summary line. Empty where there is nothing to say.
 */
export function formatDiagnostics(diagnostics: readonly Diagnostic[], options: FormatOptions = {}): string {
  if (diagnostics.length === 0) return '';
  const lines: string[] = [];
  for (const diagnostic of diagnostics) formatOne(diagnostic, options.color === true, lines);
  const errors = diagnostics.filter((diagnostic) => diagnostic.severity === 'error').length;
  const warnings = diagnostics.length - errors;
  const counts = [count(errors, 'error'), count(warnings, 'warning')].filter((text) => text !== '');
  const then = errors > 0 ? consequence(options.consequence) : '';
  lines.push('', `${counts.join(', ')}.${then}`);
  return `${lines.join('\n')}\n`;
}

function consequence(then: string | null | undefined): string {
  if (then === null) return '';
  return then === undefined ? ' Nothing was applied.' : ` Nothing was applied; ${then}.`;
}

function count(n: number, noun: string): string {
  return n === 0 ? '' : `${n} ${noun}${n === 1 ? '' : 's'}`;
}

function formatOne(diagnostic: Diagnostic, color: boolean, lines: string[]): void {
  const paint = (code: number, text: string) => (color ? `\u001b[${code}m${text}\u001b[0m` : text);
  const places = [diagnostic, ...(diagnostic.related ?? [])].map(formatPlace).join(' and ');
  const severity = paint(diagnostic.severity === 'error' ? 31 : 33, diagnostic.severity);
  lines.push(`${paint(1, places)}  ${severity} ${diagnostic.code}  ${diagnostic.message}`);
  if (diagnostic.sourceLine !== undefined && diagnostic.line > 0) {
    const { text, start, length } = excerpt(diagnostic.sourceLine, diagnostic.column, diagnostic.length);
    const number = String(diagnostic.line).padStart(5);
    const caret = paint(36, '^'.repeat(length));
    const hint = diagnostic.hint === undefined ? '' : ` ${diagnostic.hint}`;
    lines.push(`${number} | ${text}`, `${' '.repeat(5)} | ${' '.repeat(start)}${caret}${hint}`);
  } else if (diagnostic.hint !== undefined) {
    lines.push(`   ${diagnostic.hint}`);
  }
  for (const note of diagnostic.notes ?? []) lines.push(`   ${note}`);
}

const EXCERPT = 120;

/** The part of a line around the columns in question, safe to print: no control characters. */
function excerpt(line: string, column: number, length: number) {
  const at = Math.min(column - 1, line.length);
  const from = at + length > EXCERPT ? Math.max(0, at - 40) : 0;
  // One replacement for one code unit, so that the caret stays under what it means.
  const text = line.slice(from, from + EXCERPT).replaceAll(/[\p{Cc}\p{Cf}]/gu, ' ');
  const start = at - from;
  return { text, start, length: Math.max(1, Math.min(length, text.length - start)) };
}

/** SARIF 2.1.0, which code hosts show beside the changed lines. */
export function toSarif(diagnostics: readonly Diagnostic[], version: string): object {
  const codes = [...new Set(diagnostics.map((diagnostic) => diagnostic.code))].sort();
  return {
    $schema: 'https://json.schemastore.org/sarif-2.1.0.json',
    version: '2.1.0',
    runs: [
      {
        tool: {
          driver: {
            name: 'weir',
            version,
            rules: codes.map((code) => ({
              id: code,
              shortDescription: { text: ERRORS[code].title },
              fullDescription: { text: ERRORS[code].explanation },
              help: { text: ERRORS[code].fix },
            })),
          },
        },
        results: diagnostics.map((diagnostic) => ({
          ruleId: diagnostic.code,
          level: diagnostic.severity,
          message: { text: sarifText(diagnostic) },
          locations: [sarifLocation(diagnostic, diagnostic.length)],
          ...(diagnostic.related === undefined
            ? {}
            : { relatedLocations: diagnostic.related.map((place) => sarifLocation(place, 1)) }),
        })),
      },
    ],
  };
}

function sarifText(diagnostic: Diagnostic): string {
  return [diagnostic.message, diagnostic.hint, ...(diagnostic.notes ?? [])]
    .filter((text) => text !== undefined)
    .join('; ');
}

function sarifLocation(place: Place, length: number): object {
  const uri = place.file.split('/').map(encodeURIComponent).join('/');
  const region =
    place.line > 0
      ? { region: { startLine: place.line, startColumn: place.column, endColumn: place.column + length } }
      : {};
  return { physicalLocation: { artifactLocation: { uri }, ...region } };
}
