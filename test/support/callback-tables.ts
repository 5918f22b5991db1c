import { readFileSync } from 'node:fs';
import { ROOT } from './process.ts';

/** A row of a table of docs/authoring/callbacks.md. */
export interface CallbackRow {
  /** The heading above it. */
  readonly section: string;
  /** By the table's own heads; the first column is what the row is about. */
  readonly cells: Readonly<Record<string, string>>;
  readonly name: string;
}

export function callbackRows(): CallbackRow[] {
  const rows: CallbackRow[] = [];
  let section = '';
  let heads: string[] | null = null;
  for (const line of readFileSync(`${ROOT}docs/authoring/callbacks.md`, 'utf8').split('\n')) {
    if (line.startsWith('#')) section = line.replace(/^#+ /, '');
    if (!line.startsWith('|')) {
      heads = null;
      continue;
    }
    const cells = line
      .slice(1, -1)
      .split('|')
      .map((cell) => cell.trim());
    if (heads === null) heads = cells;
    else if (!/^-+$/.test(cells[0]!))
      rows.push({
        section,
        name: cells[0]!,
        cells: Object.fromEntries(heads.map((head, i) => [head, cells[i]!])),
      });
  }
  return rows;
}

export type Host = 'weir' | 'envoy';

/** What a filter does: lets all pass, keeps bodies, or keeps them and holds the request's head as well. */
export type Mode = 'passing' | 'keeping' | 'holding';

export const MODES: Readonly<Record<Mode, string>> = {
  passing: '',
  keeping: 'onRequestBody=Pause onResponseBody=Pause',
  holding: 'onRequestHeaders=Pause onRequestBody=Pause onResponseBody=Pause',
};

export const PARTS = ['request head', 'request body', 'answer head', 'answer body'] as const;

const CLAUSE =
  /^(read, write|read|write)( in weir)?( while it is kept| while the body is kept| with `whileHeadHeld`)?$/;

/**
 * What a cell says of a part of a message, as test/plugins/callback-probe.ts tells it: `rw`, `r`, `w`, `-`.
 *
 * @throws where the cell says something that no test understands
 */
export function accessOf(cell: string, host: Host, mode: Mode): string {
  let [read, write] = [false, false];
  for (const clause of cell === '' ? [] : cell.split('; ')) {
    const parts = CLAUSE.exec(clause);
    if (parts === null) throw new Error(`what does "${clause}" mean?`);
    if (parts[2] !== undefined && host !== 'weir') continue;
    if (parts[3]?.includes('kept') === true && mode === 'passing') continue;
    if (parts[3]?.includes('Held') === true && mode !== 'holding') continue;
    read ||= parts[1]!.startsWith('read');
    write ||= parts[1]!.endsWith('write');
  }
  return `${read ? 'r' : ''}${write ? 'w' : ''}` || '-';
}

/** The table of what each callback can read and write. */
export function accessRows(): CallbackRow[] {
  return callbackRows().filter(({ cells }) => 'request head' in cells);
}

/** What a probe said last in a callback, by part. */
export function probed(logs: readonly string[], callback: string): Record<string, string> | null {
  const line = logs.filter((one) => one.startsWith(`${callback} `) && /^\w+( (r?w?|-)){4}$/.test(one)).at(-1);
  if (line === undefined) return null;
  return Object.fromEntries(
    line
      .split(' ')
      .slice(1)
      .map((access, i) => [PARTS[i]!, access]),
  );
}
