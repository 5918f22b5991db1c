import { REQUEST_ID_LENGTH } from './request-id.ts';

/** Lines of many clients are worked out again rather than kept for ever. */
const KEPT = 4096;

/** The fields that weir adds to each request of a client that it does not take for a proxy. */
export class ForwardedLines {
  /** `name: value CRLF` each; the id's value is written over in the copy. */
  readonly bytes: Buffer;
  /** Four a field, as `spans` of a header block, counted from the start of `bytes`. */
  readonly offsets: Int32Array;
  /** Where the id's value begins. */
  readonly idOffset: number;

  constructor(address: string, secure: boolean) {
    const fields = [
      ['x-forwarded-for', address],
      ['x-forwarded-proto', secure ? 'https' : 'http'],
      ['x-request-id', '-'.repeat(REQUEST_ID_LENGTH)],
    ] as const;
    this.bytes = Buffer.from(fields.map(([name, value]) => `${name}: ${value}\r\n`).join(''), 'latin1');
    this.offsets = new Int32Array(4 * fields.length);
    let at = 0;
    for (const [i, [name, value]] of fields.entries()) {
      const valueAt = at + name.length + 2;
      this.offsets.set([at, at + name.length, valueAt, valueAt + value.length], 4 * i);
      at = valueAt + value.length + 2;
    }
    this.idOffset = this.offsets.at(-2)!;
  }
}

const plain = new Map<string, ForwardedLines>();
const secured = new Map<string, ForwardedLines>();

/** One object for all connections of a client: they are many where it does not keep them. */
export function forwardedLines(address: string, secure: boolean): ForwardedLines {
  const kept = secure ? secured : plain;
  let lines = kept.get(address);
  if (lines === undefined) {
    if (kept.size >= KEPT) kept.clear();
    lines = new ForwardedLines(address, secure);
    kept.set(address, lines);
  }
  return lines;
}
