// What is wrong with a filter's sources, as data: for a terminal, an editor, a page.
import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';

const SEVERITIES = ['pedantic', 'info', 'warning', 'error'];

/** By what the compiler says: what to write instead of what the language lacks. */
const HINTS = [
  [
    /^File '~lib\/@weir\/filters-sdk\//,
    'the SDK is not installed here: npm install --save-dev @weir/filters-sdk',
  ],
  [/^File '~lib\/.+' not found/, 'is the package installed, and is it written in AssemblyScript?'],
  [/Not implemented: Closures/, 'use a method, and keep what it needs in fields of its object'],
  [/Not implemented: Exceptions/, 'there is no try and catch: return null or false for "not there"'],
  [/Not implemented: Regular expressions/, 'Bytes has startsWith, indexOf, slice and equalsIgnoreCase'],
  [
    /Not implemented: union types/,
    'the one union is T | null; for others use two fields, or a class for each',
  ],
  [/Not implemented: Iterators/, 'count: for (let i = 0; i < list.length; i++)'],
  [/^Type argument expected/, 'the type of an argument here is not known: is a name in it misspelt?'],
  [
    /Cannot find name 'fetch'/,
    "import { call, wait } from '@weir/filters-sdk/assembly/wait': wait(call('upstream', head, '', 250))",
  ],
  [
    /cannot wait, and does/,
    'callbacks of headers, bodies, trailers and connections may wait, and onTick: the host answers the others at once',
  ],
  [/Cannot find name 'JSON'/, "import { parseJson } from '@weir/filters-sdk/assembly/json'"],
  [/Cannot find name 'set(Timeout|Interval)'/, 'setTickPeriod(ms) of the root context, and onTick'],
  [/Cannot find name '(any|unknown)'/, 'types are exact: i32, u32, i64, f64, bool, string, a class'],
  [/Cannot find name '(Promise|Buffer|RegExp)'/, 'AssemblyScript does not have it'],
  [
    /Property '__read' does not exist/,
    'readConfiguration takes a class that is marked with @configuration, and the compiler step for it',
  ],
  [
    /^Type '.+ \| null' is not assignable to type/,
    'it may be null: keep it in a const and compare that with null first',
  ],
];

/** Collects what one run of the compiler reads and reports. */
export class Problems {
  /** @type {import('./compile.d.mts').Problem[]} */
  list = [];
  /** Files that were read, or looked for and not there. */
  files = [];
  /** Texts of files by the path that the compiler knows them by. */
  #texts = new Map();

  /** The compiler's way to files. */
  async read(name, base) {
    const file = resolve(base, name);
    this.files.push(file);
    try {
      const text = await readFile(file, 'utf8');
      this.#texts.set(name.replaceAll('\\', '/'), text);
      return text;
    } catch {
      return null;
    }
  }

  report({ message: text, code, category, range, relatedRange }) {
    // Types by their names alone: where they are from is of no help here.
    const message = text.startsWith('Type ')
      ? text.replace(/~lib\/[\w@./-]*\/(?=\w)/g, '')
      : text.replace(/^User-defined: /, '');
    this.list.push({
      severity: SEVERITIES[category] ?? 'info',
      code: `${code < 1000 ? 'AS' : 'TS'}${code}`,
      message,
      hint: hintFor(message),
      place: this.#place(range),
      related: this.#place(relatedRange),
    });
  }

  /** The run failed; says why where no report did. */
  end(error) {
    if (this.list.some(({ severity }) => severity === 'error')) return;
    const { message, hint = '' } = error;
    this.list.push({ severity: 'error', code: '', message, hint, place: null, related: null });
  }

  #place(range) {
    if (!range?.source) return null;
    const file = range.source.normalizedPath;
    const text = this.#textOf(file);
    const start = text.lastIndexOf('\n', range.start - 1) + 1;
    const next = text.indexOf('\n', range.start);
    const end = next < 0 ? text.length : next;
    return {
      file,
      line: text.slice(0, start).split('\n').length,
      column: range.start - start + 1,
      length: Math.max(1, Math.min(range.end, end) - range.start),
      text: text.slice(start, end).trimEnd(),
    };
  }

  /** Files of packages are read under the path of their folder and reported under `~lib/`. */
  #textOf(file) {
    const known = this.#texts.get(file);
    if (known !== undefined) return known;
    const tail = `node_modules/${file.replace(/^~lib\//, '')}`;
    for (const [name, text] of this.#texts) if (name.endsWith(tail)) return text;
    return '';
  }
}

function hintFor(message) {
  return HINTS.find(([pattern]) => pattern.test(message))?.[1] ?? '';
}
