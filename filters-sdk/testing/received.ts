import { recordOf, type Field } from './fields.ts';
import type { Message } from './testing.d.ts';

/** A message as one side gets it, in the making. */
export class Received implements Message {
  /** Of its head: names in lower case. */
  fields: readonly Field[];
  readonly chunks: Uint8Array[] = [];
  trailerFields: readonly Field[] = [];
  ended = false;

  constructor(fields: readonly Field[]) {
    this.fields = fields;
  }

  get headers(): Record<string, string> {
    return recordOf(this.fields);
  }

  get trailers(): Record<string, string> {
    return recordOf(this.trailerFields);
  }

  get bytes(): Uint8Array {
    return Uint8Array.from(Buffer.concat(this.chunks));
  }

  get body(): string {
    return Buffer.concat(this.chunks).toString();
  }

  json(): unknown {
    return JSON.parse(this.body);
  }

  /** @param bytes copied */
  add(bytes: Buffer, start: number, end: number): void {
    if (end > start) this.chunks.push(Uint8Array.from(bytes.subarray(start, end)));
  }
}
