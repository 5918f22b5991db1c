import { isAlias, isMap, isPair, isScalar, isSeq, type Document, type LineCounter, type Node } from 'yaml';
import type { ErrorCode } from '../errors.ts';
import type { Position } from '../runtime/snapshot.ts';
import type { Diagnostic, Place } from './diagnostic.ts';
import { withoutCredentials } from './secret-text.ts';

export type PathPart = string | number;
export type Path = readonly PathPart[];

/** The text that objects were read from, for positions and the lines of messages. */
export class SourceText {
  readonly file: string;
  readonly text: string;
  readonly lines: LineCounter;

  constructor(file: string, text: string, lines: LineCounter) {
    this.file = file;
    this.text = text;
    this.lines = lines;
  }

  /** Line and column, from 1, of an offset. */
  place(offset: number): Place {
    const { line, col } = this.lines.linePos(offset);
    return { file: this.file, line: Math.max(1, line), column: Math.max(1, col) };
  }

  /** One line without its end. */
  line(number: number): string {
    const start = this.lines.lineStarts[number - 1];
    if (start === undefined) return '';
    const end = this.lines.lineStarts[number];
    return this.text.slice(start, end).replace(/\r?\n$/, '');
  }
}

export interface FaultOptions {
  readonly severity?: 'error' | 'warning';
  /** Marks the key of the last path part instead of its value. */
  readonly key?: boolean;
  readonly hint?: string | undefined;
  /** Leaves the line of the file out, because it may hold a secret. */
  readonly hideLine?: boolean;
  readonly notes?: readonly string[];
  readonly related?: readonly Place[];
}

/** One object as it was written: its value, and where each part of the value stands. */
export class ConfigDocument {
  readonly file: string;
  readonly value: unknown;
  readonly #source: SourceText | null;
  readonly #yaml: Document | null;
  readonly #root: unknown;

  /**
   * @param root the node of the object in `yaml`; another one than its contents for items of a List
   */
  constructor(file: string, value: unknown, source: SourceText | null, yaml: Document | null, root: unknown) {
    this.file = file;
    this.value = value;
    this.#source = source;
    this.#yaml = yaml;
    this.#root = root;
  }

  /** An object that was made by weir itself, for example from flags; it has no positions. */
  static made(origin: string, value: unknown): ConfigDocument {
    return new ConfigDocument(origin, value, null, null, null);
  }

  /** Where the value at the path starts; the nearest enclosing one that is there if it is not. */
  place(path: Path, key = false): Place & { length: number } {
    if (this.#source === null) return { file: this.file, line: 0, column: 1, length: 1 };
    const [start, end] = this.#range(path, key);
    const place = this.#source.place(start);
    const rest = this.#source.line(place.line).length - (place.column - 1);
    return { ...place, length: Math.max(1, Math.min(end - start, rest)) };
  }

  /** `file:line:column`, for the snapshot. */
  position(path: Path = []): Position {
    const { file, line, column } = this.place(path);
    return line > 0 ? `${file}:${line}:${column}` : file;
  }

  fault(code: ErrorCode, path: Path, message: string, options: FaultOptions = {}): Diagnostic {
    const place = this.place(path, options.key);
    const secret = options.hideLine === true || (this.value as { kind?: unknown } | null)?.kind === 'Secret';
    return {
      code,
      severity: options.severity ?? 'error',
      ...place,
      message,
      ...(options.hint === undefined ? {} : { hint: options.hint }),
      ...(options.notes === undefined ? {} : { notes: options.notes }),
      ...(options.related === undefined ? {} : { related: options.related }),
      ...(this.#source === null || secret
        ? {}
        : { sourceLine: withoutCredentials(this.#source.line(place.line)) }),
    };
  }

  #range(path: Path, key: boolean): [number, number] {
    let node = this.#root as Node | null;
    let range = rangeOf(node) ?? [0, 1];
    // The object as a whole is named by its kind, which is shorter than all of its lines.
    if (path.length === 0 && isMap(node)) return rangeOf(node.items[0]?.key) ?? range;
    for (const [depth, part] of path.entries()) {
      const last = depth === path.length - 1;
      if (isAlias(node)) node = node.resolve(this.#yaml!) ?? null;
      if (isMap(node)) {
        const pair = node.items.find((item) => isPair(item) && keyText(item.key) === String(part));
        if (pair === undefined) return range;
        const keyRange = rangeOf(pair.key);
        node = pair.value as Node | null;
        // An empty value, or one that starts on a later line, is shown by its key.
        if (last && (key || isMap(node) || isSeq(node) || node === null)) return keyRange ?? range;
        range = rangeOf(node) ?? keyRange ?? range;
        if (range[0] === range[1]) range = keyRange ?? range;
      } else if (isSeq(node)) {
        node = (node.items[Number(part)] ?? null) as Node | null;
        if (node === null) return range;
        range = rangeOf(node) ?? range;
        if (last && isMap(node) && node.flow !== true) return rangeOf(node.items[0]?.key) ?? range;
      } else {
        return range;
      }
    }
    return range;
  }
}

function keyText(key: unknown): string {
  return isScalar(key) ? String(key.value) : String(key);
}

function rangeOf(node: unknown): [number, number] | null {
  const range = (node as { range?: [number, number, number] | null } | null | undefined)?.range;
  return range ? [range[0], range[1]] : null;
}

/** A path as people write it: `spec.rules[0].matches`. */
export function formatPath(path: Path): string {
  let text = '';
  for (const part of path) {
    if (typeof part === 'number') text += `[${part}]`;
    else text += text === '' ? part : `.${part}`;
  }
  return text;
}
