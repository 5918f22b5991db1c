import { Bytes, view } from '@weir/filters-sdk/assembly';
import { Consumer, isOver } from '@weir/filters-sdk/assembly/consumer';

/** What of a certificate tells who shows it. */
export enum Part {
  Dns,
  Uri,
  Subject,
  Sha256,
}
const PARTS = 4;

/** One way in which a consumer is known. */
export class Identity {
  constructor(
    public consumer: Consumer,
    public notAfter: i64,
  ) {}
}

/** A SPIFFE id with `*` for a segment, or `**` for all that are left. */
class Pattern {
  constructor(
    public text: ArrayBuffer,
    public identity: Identity,
  ) {}
}

export class Identities {
  private exact: Map<string, Identity>[] = [];
  private patterns: Pattern[] = [];
  private found: Identity | null = null;
  /** Parts of one certificate, or entries of one part, lead to several consumers. */
  ambiguous: bool = false;

  constructor() {
    for (let i = 0; i < PARTS; i++) this.exact.push(new Map<string, Identity>());
  }

  /** Whether any entry is about the part: others need not be asked for. */
  has(part: Part): bool {
    return this.exact[part].size > 0 || (part == Part.Uri && this.patterns.length > 0);
  }

  /** @returns false where the value stands in the list already */
  add(part: Part, value: ArrayBuffer, identity: Identity): bool {
    const key = String.UTF8.decode(value);
    if (this.exact[part].has(key)) return false;
    this.exact[part].set(key, identity);
    return true;
  }

  addPattern(text: ArrayBuffer, identity: Identity): void {
    this.patterns.push(new Pattern(text, identity));
  }

  begin(): void {
    this.found = null;
    this.ambiguous = false;
  }

  /** Tries one part of the certificate. */
  match(part: Part, value: Bytes): void {
    const exact = this.exact[part];
    if (exact.size > 0) {
      const text = String.UTF8.decodeUnsafe(value.start, value.length);
      const key = part == Part.Dns || part == Part.Sha256 ? text.toLowerCase() : text;
      if (exact.has(key)) this.take(exact.get(key));
    }
    if (part != Part.Uri) return;
    for (let i = 0; i < this.patterns.length; i++) {
      const pattern = this.patterns[i];
      if (fits(view(pattern.text), value)) this.take(pattern.identity);
    }
  }

  private take(identity: Identity): void {
    if (isOver(identity.notAfter)) return;
    const found = this.found;
    if (found !== null && !view(found.consumer.name).equals(identity.consumer.name)) this.ambiguous = true;
    this.found = identity;
  }

  /** Null where nobody was found. */
  get consumer(): Consumer | null {
    const found = this.found;
    return found === null ? null : found.consumer;
  }
}

/** Segment by segment; an id has no empty ones (SPIFFE-ID, section 2.2), so `*` stands for at least a character. */
function fits(pattern: Bytes, id: Bytes): bool {
  let p = 0;
  let i = 0;
  while (true) {
    const patternEnd = segmentEnd(pattern, p);
    const idEnd = segmentEnd(id, i);
    const segment = pattern.slice(p, patternEnd);
    const last = patternEnd == pattern.length;
    if (last && segment.equals('**')) return i < id.length && id.at(i) != 47 && !hasEmptySegment(id, i);
    const given = id.slice(i, idEnd);
    if (segment.equals('*') ? given.length == 0 : !segment.equals(given)) return false;
    if (last || idEnd == id.length) return last && idEnd == id.length;
    p = patternEnd + 1;
    i = idEnd + 1;
  }
}

function segmentEnd(text: Bytes, from: i32): i32 {
  const end = text.indexOf(47, from);
  return end < 0 ? text.length : end;
}

function hasEmptySegment(text: Bytes, from: i32): bool {
  for (let i = from; i < text.length; i++) {
    if (text.at(i) == 47 && (i + 1 == text.length || text.at(i + 1) == 47)) return true;
  }
  return false;
}
