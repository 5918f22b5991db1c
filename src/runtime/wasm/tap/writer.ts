import type { HeaderBlock } from '../../http/headers.ts';
import { PAIRS_BYTES } from '../limits.ts';
import { PairsReader } from '../pairs.ts';
import { isSecretName } from '../secret-fields.ts';
import { SECRET_NAME } from './configuration.ts';
import type { Pseudonyms } from './pseudonyms.ts';
import { recordedBytes, type RecordedBytes, type RecordedFields } from './record.ts';

export interface Redaction {
  readonly pseudonyms: Pseudonyms;
  /** Names of further fields, in lower case. */
  readonly fields: ReadonlySet<string>;
}

const CREDENTIALS = /^(x-)?api-?key$|^x-(auth|access|csrf|xsrf)-token$|^x-amz-security-token$/;
const FIELD = /^(?:request|response)\0(?:headers|trailers)\0([^\0]+)\0?$/;
const MAP = /^(?:request|response)\0(?:headers|trailers)\0?$/;

type Span = [nameStart: number, nameEnd: number, start: number, end: number];

const reader = new PairsReader();

/** How what a guest sees gets into a recording: without secrets, and of bodies as much as was asked for. */
export class Writer {
  /** What is written is what the guest is given. */
  giving = false;
  /** The guest was given something that the recording does not have as it was. */
  touched = false;
  readonly #redaction: Redaction | null;
  readonly #bodyBytes: number;

  /**
   * @param redaction null: secrets are written as they are
   * @param bodyBytes of each body, at most
   */
  constructor(redaction: Redaction | null, bodyBytes: number) {
    this.#redaction = redaction;
    this.#bodyBytes = bodyBytes;
  }

  bytes(bytes: Uint8Array): RecordedBytes {
    if (this.#redaction === null) return recordedBytes(bytes);
    return fromLatin1(this.#clean(latin1(bytes)));
  }

  /** Payload: of a message, a callout, a connection. */
  body(bytes: Uint8Array): RecordedBytes {
    const { length } = bytes;
    if (length <= this.#bodyBytes) return this.bytes(bytes);
    if (this.giving) this.touched = true;
    if (this.#bodyBytes === 0) return { size: length, begin: '' };
    // Cut afterwards: half of a secret is not found.
    const clean = this.#redaction === null ? latin1(bytes) : this.#clean(latin1(bytes));
    return { size: length, begin: fromLatin1(clean.slice(0, this.#bodyBytes)) };
  }

  text(text: string): string {
    return this.#redaction === null ? text : this.#clean(text);
  }

  fields(block: HeaderBlock): RecordedFields {
    return block.entries().map(([name, value]) => [name, this.#field(name, value)] as const);
  }

  /** A value of the field that is named. */
  value(name: Uint8Array, value: Uint8Array): RecordedBytes {
    if (this.#redaction === null) return recordedBytes(value);
    return this.#field(latin1(name).toLowerCase(), latin1(value));
  }

  /** A map of fields in the layout of the ABI. */
  pairs(bytes: Uint8Array): RecordedBytes {
    if (this.#redaction === null || bytes.length < 4 || bytes.length > PAIRS_BYTES) return this.bytes(bytes);
    if (!reader.read(bytes, 0, bytes.length)) return this.bytes(bytes);
    const written = Buffer.from(bytes);
    const all = latin1(bytes);
    for (let i = 0; i < 4 * reader.count; i += 4) {
      const [nameStart, nameEnd, start, end] = reader.spans.subarray(i, i + 4) as unknown as Span;
      const other = this.#redacted(all.slice(nameStart, nameEnd).toLowerCase(), all.slice(start, end));
      // A pseudonym is as long as what it stands for.
      written.write(other, start, end - start, 'latin1');
    }
    return recordedBytes(written);
  }

  /** A property, which may be a field, or all of them. @param path with NUL between its parts */
  property(path: Uint8Array, value: Uint8Array): RecordedBytes {
    if (this.#redaction === null) return recordedBytes(value);
    const text = latin1(path);
    const field = FIELD.exec(text)?.[1];
    if (field !== undefined) return this.#field(field.toLowerCase(), latin1(value));
    return MAP.test(text) ? this.pairs(value) : this.#field('', latin1(value));
  }

  #field(name: string, value: string): RecordedBytes {
    return this.#redaction === null ? fromLatin1(value) : fromLatin1(this.#redacted(name, value));
  }

  #redacted(name: string, value: string): string {
    const { pseudonyms, fields } = this.#redaction!;
    const bytes = Buffer.from(name, 'latin1');
    if (!isSecretName(bytes, 0, bytes.length) && !CREDENTIALS.test(name) && !fields.has(name))
      return this.#clean(value.includes('=') ? this.#query(value) : value);
    const other = pseudonyms.ofField(name, value);
    if (this.giving && other !== value) this.touched = true;
    return other;
  }

  /** Credentials stand in queries, too: of a path, of `Referer`, of `Location`. */
  #query(text: string): string {
    const { pseudonyms, fields } = this.#redaction!;
    return text.replace(
      /(^|[?&])([\w.~%[\]-]+)=([^&#]+)/g,
      (all, before: string, name: string, value: string) => {
        if (!SECRET_NAME.test(name) && !fields.has(name.toLowerCase())) return all;
        return `${before}${name}=${pseudonyms.of(value)}`;
      },
    );
  }

  #clean(text: string): string {
    const clean = this.#redaction!.pseudonyms.in(text);
    if (this.giving && clean !== text) this.touched = true;
    return clean;
  }
}

function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
}

function fromLatin1(text: string): RecordedBytes {
  return recordedBytes(Buffer.from(text, 'latin1'));
}
