import { readFile } from 'node:fs/promises';
import type { ErrorCode } from '../errors.ts';
import type { FaultKind, StageFault } from '../runtime/stage-fault.ts';
import type { Diagnostic } from './diagnostic.ts';
import { formatPath } from './document.ts';
import type { FilterPlace } from './filter-place.ts';
import { withoutCredentials } from './secret-text.ts';

const CODES: Readonly<Record<FaultKind, ErrorCode>> = {
  module: 'WEIR4001',
  plugin: 'WEIR4002',
  listen: 'WEIR4003',
  time: 'WEIR4004',
  worker: 'WEIR4005',
  'rolled-back': 'WEIR4007',
  test: 'WEIR4008',
};

/** Finds where the filter of a plugin is written; null where no chain has it. */
export type PlaceOf = (plugin: string) => FilterPlace | null;

/**
 * Faults that only show when a snapshot is tried, told like the ones that show in its text.
 *
 * @param fallback the file of faults that have no place
 */
export async function diagnose(
  faults: readonly StageFault[],
  fallback: string,
  placeOf: PlaceOf = () => null,
): Promise<Diagnostic[]> {
  const found = await Promise.all(
    faults.map(async (fault) => {
      const place = fault.kind === 'plugin' && fault.plugin !== undefined ? placeOf(fault.plugin) : null;
      return place === null ? diagnoseOne(fault, fallback) : diagnoseFilter(fault, place);
    }),
  );
  return found.flat();
}

async function diagnoseOne(
  { kind, source, message, notes }: StageFault,
  fallback: string,
): Promise<Diagnostic> {
  const place = /^(.*):(\d+):(\d+)$/.exec(source ?? '');
  const file = place?.[1] ?? fallback;
  const line = Number(place?.[2] ?? 0);
  const sourceLine = line > 0 ? await lineOf(file, line) : undefined;
  const further = kind === 'test' ? (notes ?? []) : said(notes ?? [], message);
  return {
    code: CODES[kind],
    severity: 'error',
    file,
    line,
    column: Number(place?.[3] ?? 1),
    length: 1,
    message,
    ...(further.length > 0 ? { notes: further } : {}),
    ...(sourceLine === undefined ? {} : { sourceLine }),
  };
}

/** How the SDK logs a fault of a configuration: where it stands in the text, its path, what is wrong. */
const LOCATED = /^configuration (\d+):(\d+): ([\s\S]*)$/;
/** The nearest fix at the end of it. */
const HINT = /[,;:] (did you mean .*\?)$/;

/**
 * A filter that does not start, at its configuration. Where it says what is wrong with which part of that, each of these
 * is told for itself, at that part.
 */
function diagnoseFilter({ message, notes = [] }: StageFault, place: FilterPlace): Diagnostic[] {
  const found: Diagnostic[] = [];
  let before: string[] = [];
  for (const line of notes) {
    const [, row, column, text] = LOCATED.exec(line) ?? [];
    const path = text === undefined ? null : place.pathAt(Number(row), Number(column));
    if (text === undefined || path === null) {
      before.push(line);
      continue;
    }
    const names = formatPath(path);
    const bare = text.startsWith(`${names}: `) ? text.slice(names.length + 2) : text;
    const [, hint] = HINT.exec(bare) ?? [];
    const what = hint === undefined ? bare : bare.replace(HINT, '');
    const told = `filter "${place.filter}": ${formatPath(['config', ...path])}: ${what}`;
    found.push(place.fault(path, told, { hint, notes: said(before, told) }));
    before = [];
  }
  // It answered no to what it has said; anything else is news.
  if (found.length > 0 && message.includes(' answered false')) return found;
  return [place.fault([], message, { notes: said(before, message) }), ...found];
}

/** Lines of a filter that are not in the message already. */
function said(lines: readonly string[], message: string): string[] {
  return [...new Set(lines)]
    .filter((line) => !message.includes(line))
    .map((line) => `the filter said: ${line}`);
}

async function lineOf(file: string, line: number): Promise<string | undefined> {
  try {
    const text = (await readFile(file, 'utf8')).split(/\r?\n/)[line - 1];
    return text === undefined ? undefined : withoutCredentials(text);
  } catch {
    // The place is told without its text.
    return undefined;
  }
}
