import { Bytes, view } from '@weir/filters-sdk/assembly';
import { Parameter } from './parameters';
import { Schema } from './schema';

const SLASH = 47;

/** Bodies of one media type. */
export class Content {
  constructor(
    private type: ArrayBuffer,
    public schema: Schema | null,
  ) {}

  /** @param type media type without parameters */
  isOf(type: Bytes): bool {
    const own = view(this.type);
    if (own.equalsIgnoreCase(type) || own.equals('*/*')) return true;
    const star = own.indexOf(42);
    if (star < 1) return false;
    // `application/*` and `application/*+json`.
    if (!type.slice(0, star).equalsIgnoreCase(own.slice(0, star))) return false;
    const tail = own.slice(star + 1);
    return type.length > own.length - 1 && type.slice(type.length - tail.length).equalsIgnoreCase(tail);
  }
}

/** What a path and its methods take and give. */
export class Operation {
  /** Empty: all. */
  methods: ArrayBuffer[] = [];
  parameters: Parameter[] = [];
  /** Of the parameters, as one document; null: they are not looked at. */
  checked: Schema | null = null;
  bodyRequired: bool = false;
  contents: Content[] = [];
  private statuses: ArrayBuffer[] = [];
  private answers: Content[] = [];
  /** Parts of the path between slashes; null: a part of the template that stands for any. */
  private parts: Array<ArrayBuffer | null> = [];
  /** It ends with `/*`: what is below is meant as well. */
  private open: bool = false;

  constructor(path: ArrayBuffer) {
    const text = view(path);
    let from = 1;
    while (from <= text.length) {
      const slash = text.indexOf(SLASH, from);
      const part = text.slice(from, slash < 0 ? text.length : slash);
      from += part.length + 1;
      if (part.equals('*') && slash < 0) {
        this.open = true;
        break;
      }
      const isTemplate = part.length > 2 && part.at(0) == 123 && part.at(part.length - 1) == 125;
      this.parts.push(isTemplate ? null : part.copy());
    }
  }

  /** @param path without the query */
  matches(path: Bytes): bool {
    const parts = this.parts;
    let from = 1;
    for (let i = 0; i < parts.length; i++) {
      if (from > path.length) return false;
      const slash = path.indexOf(SLASH, from);
      const end = slash < 0 ? path.length : slash;
      const part = parts[i];
      if (part === null ? end == from : !isPart(path, from, end, part)) return false;
      from = end + 1;
    }
    return this.open ? from <= path.length : from > path.length;
  }

  takes(method: Bytes): bool {
    const methods = this.methods;
    if (methods.length == 0) return true;
    for (let i = 0; i < methods.length; i++) {
      if (method.equals(methods[i])) return true;
      // What has an answer to GET has its head (RFC 9110, section 9.3.2).
      if (method.equals('HEAD') && view(methods[i]).equals('GET')) return true;
    }
    return false;
  }

  /** The part of the path at a place of the template, counted from 0; of a path that matches. */
  static partOf(path: Bytes, index: i32): Bytes {
    let from = 1;
    for (; index > 0; index--) from = path.indexOf(SLASH, from) + 1;
    const slash = path.indexOf(SLASH, from);
    return path.slice(from, slash < 0 ? path.length : slash);
  }

  contentOf(type: Bytes | null): Content | null {
    if (type === null) return null;
    const contents = this.contents;
    for (let i = 0; i < contents.length; i++) if (contents[i].isOf(type)) return contents[i];
    return null;
  }

  addResponse(status: ArrayBuffer, content: Content): void {
    this.statuses.push(status);
    this.answers.push(content);
  }

  get looksAtAnswers(): bool {
    return this.answers.length > 0;
  }

  /** Whether the API says anything about bodies with this status. */
  knowsStatus(status: Bytes): bool {
    return this.statusFor(status) !== null;
  }

  /** What an answer is held against; null: it has a type that the API does not tell of. */
  answerOf(status: Bytes, type: Bytes | null): Content | null {
    if (type === null) return null;
    const known = this.statusFor(status);
    if (known === null) return null;
    for (let i = 0; i < this.answers.length; i++)
      if (view(this.statuses[i]).equals(known) && this.answers[i].isOf(type)) return this.answers[i];
    return null;
  }

  /** The exact status before its class (`2XX`), that before `default`. */
  private statusFor(status: Bytes): ArrayBuffer | null {
    let best: ArrayBuffer | null = null;
    let rank = 0;
    for (let i = 0; i < this.statuses.length; i++) {
      const known = view(this.statuses[i]);
      let fits = known.equals('default') ? 1 : 0;
      if (known.length == 3 && known.at(0) == status.at(0) && known.endsWith('XX')) fits = 2;
      if (known.equals(status)) fits = 3;
      if (fits <= rank) continue;
      rank = fits;
      best = this.statuses[i];
    }
    return best;
  }
}

function isPart(path: Bytes, from: i32, end: i32, part: ArrayBuffer): bool {
  if (end - from != part.byteLength) return false;
  for (let i = 0; i < part.byteLength; i++)
    if (path.at(from + i) != load<u8>(changetype<usize>(part) + i)) return false;
  return true;
}

/** `application/json` and what ends with `+json` (RFC 6839). */
export function isJsonType(type: Bytes): bool {
  if (type.equalsIgnoreCase('application/json')) return true;
  return type.length > 5 && type.slice(type.length - 5).equalsIgnoreCase('+json');
}
