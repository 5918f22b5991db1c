import { GROUP } from './attribute-values.ts';
import { walk } from './properties.ts';
import type { AttributeValue } from './stream-host.ts';

/** From when on an attribute is there. */
export type AttributePhase =
  'always' | 'connection' | 'request' | 'route' | 'attempt' | 'answer' | 'end' | 'never';

/** One attribute of a source: a stream, a connection, a plugin. A row of docs/properties.md. */
export interface AttributeRow<Source> {
  /** Segments joined by a dot. */
  readonly path: string;
  readonly type: AttributeValue['type'];
  readonly from: AttributePhase;
  readonly note: string;
  readonly read: (source: Source) => AttributeValue | undefined;
  /** One field of a map, for those that are not made whole each time. */
  readonly readField?: (source: Source, name: string) => AttributeValue | undefined;
}

/** Rows by path; deeper paths lead into the values of rows. */
export class AttributeTable<Source> {
  readonly rows: readonly AttributeRow<Source>[];
  readonly #byPath: ReadonlyMap<string, AttributeRow<Source>>;
  /** First segments that have rows below them. */
  readonly #groups: ReadonlySet<string>;

  constructor(rows: readonly AttributeRow<Source>[]) {
    this.rows = rows;
    this.#byPath = new Map(rows.map((row) => [row.path.replaceAll('.', '\0'), row]));
    this.#groups = new Set(
      rows.filter(({ path }) => path.includes('.')).map(({ path }) => path.split('.', 1)[0]!),
    );
  }

  /** @param path segments joined by one NUL */
  find(source: Source, path: string): AttributeValue | undefined {
    const row = this.#byPath.get(path);
    if (row !== undefined) return row.read(source);
    return this.#groups.has(path) ? GROUP : this.#into(source, path);
  }

  #into(source: Source, path: string): AttributeValue | undefined {
    for (let at = path.lastIndexOf('\0'); at > 0; at = path.lastIndexOf('\0', at - 1)) {
      const row = this.#byPath.get(path.slice(0, at));
      if (row === undefined) continue;
      const rest = path.slice(at + 1).split('\0');
      return row.readField === undefined
        ? walk(row.read(source), rest)
        : walk(row.readField(source, rest[0]!), rest.slice(1));
    }
    return undefined;
  }
}
