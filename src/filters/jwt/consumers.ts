import { Claim } from '@weir/filters-sdk/assembly/claims';
import { Consumer, isOver } from '@weir/filters-sdk/assembly/consumer';
import { JsonKind, JsonValue } from '@weir/filters-sdk/assembly/json';

/** A value of a claim, and whose it is. */
export class Entry {
  constructor(
    public consumer: Consumer,
    public notAfter: i64,
  ) {}
}

/** Consumers that one claim tells apart. */
class ClaimValues {
  entries: Map<string, Entry> = new Map<string, Entry>();

  constructor(
    /** Of its path, for telling it from others. */
    public key: string,
    public claim: Claim,
  ) {}
}

/** The consumers of one issuer, by claims of its tokens. */
export class ClaimConsumers {
  private claims: ClaimValues[] = [];
  /** When the match of `find` ends; milliseconds since 1970. */
  end: i64 = 0;

  /** @returns false where another entry has the same value of the same claim */
  add(entry: Entry, path: ArrayBuffer[], equals: ArrayBuffer): bool {
    let key = '';
    for (let i = 0; i < path.length; i++) key += String.UTF8.decode(path[i]) + '\0';
    let values: ClaimValues | null = null;
    for (let i = 0; i < this.claims.length; i++) if (this.claims[i].key == key) values = this.claims[i];
    if (values === null) {
      values = new ClaimValues(key, new Claim(path));
      this.claims.push(values);
    }
    const text = String.UTF8.decode(equals);
    if (values.entries.has(text)) return false;
    values.entries.set(text, entry);
    return true;
  }

  private found: Entry | null = null;
  private several: bool = false;

  /** Null where a token names none that counts now, and where it names two. */
  find(payload: JsonValue): Consumer | null {
    this.found = null;
    this.several = false;
    for (let i = 0; i < this.claims.length; i++) {
      const values = this.claims[i];
      const value = values.claim.find(payload);
      if (value === null) continue;
      if (value.kind == JsonKind.String) this.match(values, value);
      else if (value.kind == JsonKind.Array) {
        for (let k = 0; k < value.items.length; k++) this.match(values, value.items[k]);
      }
    }
    const found = this.found;
    if (found === null || this.several) return null;
    this.end = found.notAfter;
    return found.consumer;
  }

  private match(values: ClaimValues, value: JsonValue): void {
    if (value.kind != JsonKind.String) return;
    const text = String.UTF8.decode(value.text);
    if (!values.entries.has(text)) return;
    const entry = values.entries.get(text);
    if (isOver(entry.notAfter)) return;
    const found = this.found;
    if (found !== null && !sameName(found.consumer, entry.consumer)) this.several = true;
    this.found = entry;
  }
}

function sameName(a: Consumer, b: Consumer): bool {
  return String.UTF8.decode(a.name) == String.UTF8.decode(b.name);
}
