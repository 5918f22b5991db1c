import { recordOf, type Field } from './fields.ts';
import type { Message } from './testing.d.ts';

/** A message as one side gets it, in the making. */
export class Received {
  /** Of its head: names in lower case. */
  fields: readonly Field[];
  readonly chunks: Uint8Array[] = [];
  trailerFields: readonly Field[] = [];
  ended = false;

  constructor(fields: readonly Field[]) {
    this.fields = fields;
  }

  /** @param bytes copied */
  add(bytes: Buffer, start: number, end: number): void {
    if (end > start) this.chunks.push(Uint8Array.from(bytes.subarray(start, end)));
  }

  /** As it is now, with more that is known of it. What says the same once more does not show where it is printed. */
  as<More extends object>(more: More): Message & More {
    const bytes = Buffer.concat(this.chunks);
    const body = bytes.toString();
    const shown = {
      ...more,
      headers: recordOf(this.fields),
      body,
      trailers: recordOf(this.trailerFields),
    };
    return Object.defineProperties(shown, {
      fields: { value: this.fields },
      bytes: { value: Uint8Array.from(bytes) },
      chunks: { value: [...this.chunks] },
      json: { value: (): unknown => JSON.parse(body) },
    }) as Message & More;
  }
}
