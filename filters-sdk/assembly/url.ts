import { Bytes, utf8 } from './bytes';

/** An http or https URL, in the parts that a call of it needs. */
export class HttpUrl {
  constructor(
    readonly scheme: string,
    readonly authority: ArrayBuffer,
    /** With the query. */
    readonly path: ArrayBuffer,
  ) {}

  /** Null where the text is no such URL. What stands in authority and path is not looked at, but for blanks. */
  static parse(text: Bytes): HttpUrl | null {
    const secure = text.startsWith('https://');
    const from = secure ? 8 : 7;
    if ((!secure && !text.startsWith('http://')) || text.length <= from || text.indexOf(32) >= 0) return null;
    const slash = text.indexOf(47, from);
    const authority = text.slice(from, slash < 0 ? text.length : slash).copy();
    return new HttpUrl(
      secure ? 'https' : 'http',
      authority,
      slash < 0 ? utf8('/') : text.slice(slash).copy(),
    );
  }
}

/** Whether a path is this one or below it, by whole segments: `/api` has `/api/a` below it, and not `/apis`. */
export function isBelow(path: Bytes, parent: Bytes): bool {
  if (!path.startsWith(parent)) return false;
  const isWhole = path.length == parent.length || parent.at(parent.length - 1) == 47;
  return isWhole || path.at(parent.length) == 47;
}
